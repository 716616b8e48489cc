/** A user's project outside the repository: files from the README, packages from the registry, the packed Signalbox. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cleanEnvironment, projectDir, TestHost, waitForPorts } from "../support/host.js";

/** For npm and the compiler on a busy machine with a slow line. */
const patienceMs = 240_000;

/** npm's words for a registry that cannot be reached. */
const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT/;

/** The registry does not answer: nothing is wrong with the package. */
export class RegistryUnreachableError extends Error {}

/** Code of the README by file name: the blocks whose first line is a comment that names a file. */
export function readReadmeFiles(): ReadonlyMap<string, string> {
  const text = readFileSync(join(projectDir, "README.md"), "utf8");
  const blocks = text.matchAll(/^```(?:js|ts)\n(\/\/ (\S+\.[cm]?[jt]s)\n[\s\S]*?)^```$/gm);
  return new Map([...blocks].map(([, code = "", name = ""]) => [name, code]));
}

/** Rejects with RegistryUnreachableError when there is no registry: `npm install` would call it a conflict of versions. */
export async function checkRegistry(cwd: string): Promise<void> {
  await run(cwd, "npm", ["view", "socket.io", "version", "--fetch-retries=0", "--fetch-timeout=20000"]);
}

/** Runs a program to its end and resolves with what it printed; rejects, with all of it, when it failed. */
export async function run(cwd: string, file: string, args: readonly string[]): Promise<string> {
  const child = spawn(file, args, { cwd, env: cleanEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let all = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    all += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    all += text;
  });
  const limit = setTimeout(() => child.kill("SIGKILL"), patienceMs);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(limit);
  if (code === 0) return stdout;
  const message = `${file} ${args.join(" ")} ended with ${code}:\n${all}`;
  throw file === "npm" && unreachable.test(all) ? new RegistryUnreachableError(message) : new Error(message);
}

/** `using project = new Project(...)` removes it at the end of the block. */
export class Project implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "sbx-project-"));

  constructor(manifest: object) {
    for (let parent = dirname(this.directory); parent !== dirname(parent); parent = dirname(parent)) {
      const found = join(parent, "node_modules");
      if (existsSync(found)) throw new Error(`${found} is in reach of ${this.directory}: the test would prove nothing`);
    }
    this.write("package.json", `${JSON.stringify({ name: "example", private: true, ...manifest }, null, 2)}\n`);
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
  }

  readJson(name: string): unknown {
    return JSON.parse(readFileSync(this.path(name), "utf8"));
  }

  async install(...packages: readonly string[]): Promise<void> {
    const flags = ["--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1", "--fetch-timeout=30000"];
    await run(this.directory, "npm", ["install", ...flags, ...packages]);
  }

  /** Starts `npx signalbox start [app]` and resolves when its two workers are ready. */
  async start(app?: string): Promise<NpxHost> {
    const runtimeDir = mkdtempSync(join(tmpdir(), "sbx-"));
    const env = cleanEnvironment({
      SIGNALBOX_PORT: "0",
      SIGNALBOX_ADMIN_PORT: "0",
      SIGNALBOX_WORKERS: "2",
      SIGNALBOX_RUNTIME_DIR: runtimeDir,
      SIGNALBOX_LOG_FORMAT: "json",
    });
    const args = ["--no", "signalbox", "start", ...(app === undefined ? [] : [app])];
    const child = spawn("npx", args, { cwd: this.directory, env, stdio: ["ignore", "pipe", "pipe"] });
    const host = new NpxHost(child, runtimeDir);
    try {
      await waitForPorts(host);
      await host.waitUntilReady(2);
      return host;
    } catch (thrown) {
      await host[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A host behind npx, which does not hand every signal on: the primary itself is told to stop. */
export class NpxHost extends TestHost {
  override async [Symbol.asyncDispose](): Promise<void> {
    if (this.adminPort !== 0) await this.stopPrimary();
    await super[Symbol.asyncDispose]();
  }

  /** Sends SIGTERM to the primary; resolves with the exit code that npx gives on. */
  async stopPrimary(): Promise<number | null> {
    if (this.process.exitCode === null) {
      const { pid } = await this.readStatus();
      process.kill(pid, "SIGTERM");
    }
    return (await this.exited).code;
  }
}

/** Starts a file with plain node and resolves when it has printed the line. */
export async function startNode(project: Project, file: string, awaitedLine: string): Promise<PlainProcess> {
  const child = spawn(process.execPath, [file], {
    cwd: project.directory,
    env: cleanEnvironment(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const printed = new Promise<void>((resolve) => {
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (text.split("\n").includes(awaitedLine)) resolve();
    });
  });
  const limit = setTimeout(() => child.kill("SIGKILL"), 30_000);
  const early = exited.then(() => {
    throw new Error(`node ${file} ended before it printed ${JSON.stringify(awaitedLine)}`);
  });
  try {
    await Promise.race([printed, early]);
  } finally {
    clearTimeout(limit);
  }
  early.catch(() => {
    // It has done its work: that it ends now is intended.
  });
  return new PlainProcess(child, exited);
}

class PlainProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(child: ChildProcess, exited: Promise<unknown>) {
    this.#child = child;
    this.#exited = exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
