/** The same end through npm and on a terminal, where signals arrive by other ways, twice, or at the whole group. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  cleanEnvironment,
  cliPath,
  fixturePath,
  isAlive,
  killIfThere,
  listDescendants,
  pause,
  projectDir,
  waitUntilGone,
} from "../support/host.js";

const app = fixturePath("lifecycle-app.mjs");
// Without prestart: whether the build is current is not what is tested here.
const npmStart = ["start", "--ignore-scripts", "--", app];
const patienceMs = 20_000;

const withoutScript = hasProgram("script") ? false : "`script` (util-linux) is not installed";
const withoutNpm = hasProgram("npm") ? false : "npm is not installed";

function hasProgram(name: string): boolean {
  return spawnSync(name, ["--version"]).error === undefined;
}

/** A host below another program (npm, a shell, a terminal), which is the leader of a process group of its own. */
class WrappedHost implements AsyncDisposable {
  readonly top: ChildProcess;
  readonly runtimeDir = mkdtempSync(join(tmpdir(), "sbx-"));
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  output = "";
  readonly #watchers = new Set<() => void>();

  constructor(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.top = spawn(file, args, {
      cwd: projectDir,
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
      env: cleanEnvironment({
        SIGNALBOX_PORT: "0",
        SIGNALBOX_ADMIN_PORT: "0",
        SIGNALBOX_WORKERS: "2",
        SIGNALBOX_RUNTIME_DIR: this.runtimeDir,
        ...env,
      }),
    });
    this.exited = once(this.top, "close").then(([code, signal]) => ({ code, signal }));
    for (const stream of [this.top.stdout, this.top.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        for (const watch of this.#watchers) watch();
      });
    }
  }

  /** Resolves with the first match, in what has been printed or will be. */
  async waitForOutput(pattern: RegExp): Promise<RegExpExecArray> {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${pattern} did not come:\n${this.output}`)), patienceMs);
      const look = (): void => {
        const match = pattern.exec(this.output);
        if (match === null) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve(match);
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** Resolves with the public address when the host is ready, and with every process there is then. */
  async waitUntilReady(): Promise<{ url: string; pids: number[]; primary: number; workers: number[] }> {
    const [, url = ""] = await this.waitForOutput(/Ready at (http:\/\/[\d.:]+) with 2 workers/);
    const below = listDescendants(this.top.pid ?? 0);
    const primary =
      below.find(
        (pid) =>
          readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("dist/cli/main.js\0start") &&
          !readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("sh\0"),
      ) ?? 0;
    const workers = listDescendants(primary).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("worker-main"),
    );
    return { url, pids: [this.top.pid ?? 0, ...below], primary, workers };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of [this.top.pid ?? 0, ...listDescendants(this.top.pid ?? 0)]) {
      if (isAlive(pid)) process.kill(pid, "SIGKILL");
    }
    await this.exited;
    rmSync(this.runtimeDir, { recursive: true, force: true });
  }
}

/** The process that the host is in, when a command line is run on a terminal. */
function onTerminal(command: string): [string, string[]] {
  return ["script", ["-qefc", command, "/dev/null"]];
}

describe("through npm", { skip: withoutNpm, concurrency: 2 }, () => {
  for (const target of ["npm alone", "the whole group"] as const) {
    test(`SIGTERM to ${target} ends everything in order`, async (t) => {
      await using host = new WrappedHost("npm", npmStart);
      const { pids } = await host.waitUntilReady();
      const top = host.top.pid ?? 0;
      const startedMs = performance.now();
      process.kill(target === "npm alone" ? top : -top, "SIGTERM");
      const { code } = await host.exited;
      assert.deepEqual(await waitUntilGone(pids, 6_000), []);
      t.diagnostic(
        `SIGTERM to ${target} to no process: ${Math.round(performance.now() - startedMs)} ms (npm's exit code: ${code})`,
      );
      assert.match(host.output, /All workers have ended/);
      assert.doesNotMatch(host.output, /ending at once/);
      assert.deepEqual(readdirSync(host.runtimeDir), []);
    });
  }

  test("kill -9 of the primary leaves no process, a worker in an endless loop included", async (t) => {
    await using host = new WrappedHost("npm", npmStart);
    const { url, primary, workers, pids } = await host.waitUntilReady();
    assert.equal(workers.length, 2);
    get(`${url}/loop`, { agent: false }).on("error", () => {});
    await host.waitForOutput(/looping/);
    const startedMs = performance.now();
    process.kill(primary, "SIGKILL");
    assert.deepEqual(await waitUntilGone(pids, 6_000), []);
    t.diagnostic(`kill -9 of the primary to no process: ${Math.round(performance.now() - startedMs)} ms`);
  });
});

describe("on a terminal", { skip: withoutScript, concurrency: 2 }, () => {
  // exec: a shell between (dash stays, bash does not) would get the Ctrl-C too and answer 130 for itself.
  const direct = `exec "${process.execPath}" "${cliPath}" start "${app}"`;
  const commands = { directly: direct, ...(withoutNpm === false && { "through npm": `npm ${npmStart.join(" ")}` }) };
  for (const [how, command] of Object.entries(commands)) {
    test(`Ctrl-C ends a host that runs ${how}, in order`, async (t) => {
      await using host = new WrappedHost(...onTerminal(command));
      const { pids } = await host.waitUntilReady();
      const startedMs = performance.now();
      host.top.stdin?.write("\x03");
      const { code } = await host.exited;
      assert.deepEqual(await waitUntilGone(pids, 6_000), []);
      t.diagnostic(`Ctrl-C to no process, ${how}: ${Math.round(performance.now() - startedMs)} ms (exit code ${code})`);
      if (how === "directly") assert.equal(code, 0, host.output);
      assert.match(host.output, /SIGINT: no new sessions/);
      assert.match(host.output, /All workers have ended/);
      assert.doesNotMatch(host.output, /ending at once/);
      assert.deepEqual(readdirSync(host.runtimeDir), []);
    });
  }

  test("the end of the terminal ends a host whose output is piped on, and reloads nothing", async () => {
    await using host = new WrappedHost(...onTerminal(`"${process.execPath}" "${cliPath}" start "${app}" | cat`));
    const { pids } = await host.waitUntilReady();
    host.top.kill("SIGKILL");
    const left = await waitUntilGone(pids, 6_000);
    for (const pid of left) killIfThere(pid);
    assert.deepEqual(left, []);
  });

  test("a second Ctrl-C a second later ends a host that has not drained yet, with 130", async () => {
    await using host = new WrappedHost(...onTerminal(direct));
    const { url, pids } = await host.waitUntilReady();
    const request = get(`${url}/never`, { agent: false });
    request.on("error", () => {});
    const [response] = await once(request, "response");
    response.on("error", () => {});
    host.top.stdin?.write("\x03");
    await host.waitForOutput(/SIGINT: no new sessions/);
    // The second is what the rule is about.
    await pause(1_050);
    host.top.stdin?.write("\x03");
    const { code } = await host.exited;
    assert.equal(code, 130);
    assert.match(host.output, /SIGINT again: ending at once/);
    assert.deepEqual(await waitUntilGone(pids, 6_000), []);
  });
});
