/** Runs a real Signalbox host for a test: the built CLI, in its own process, with ports from the system; ends it by pid. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { HostStatus } from "../../src/protocol/host-status.js";

export const projectDir = fileURLToPath(new URL("../../", import.meta.url));
export const cliPath = join(projectDir, "dist/cli/main.js");
/** Path of an application module in test/fixtures. */
export const fixturePath = (name: string): string => join(projectDir, "test/fixtures", name);

/** Nothing in these tests takes this long; what does has failed. */
const patienceMs = 30_000;

export interface LogRecord {
  readonly level: number;
  readonly msg: string;
  readonly worker?: number;
  readonly pid?: number;
  readonly [key: string]: unknown;
}

export interface HostOptions {
  /** Absolute path of the application; undefined runs the demo. */
  readonly app?: string | undefined;
  readonly workers?: number;
  /** Settings by environment variable, `SIGNALBOX_` prefix included. */
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Do not wait until all workers are ready. */
  readonly isReadyAwaited?: boolean;
  /** Arguments for node itself. */
  readonly nodeArgs?: readonly string[];
}

/** Environment of a child without any setting of the developer's shell. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("SIGNALBOX_") && !name.startsWith("npm_"),
  );
  return { ...Object.fromEntries(kept), NODE_TEST_CONTEXT: undefined, ...extra };
}

/** A running host. `await using host = await startHost(...)` ends it, and fails if a process of it is left. */
export class TestHost implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly runtimeDir: string;
  /** Every log record so far, oldest first; lines that are not JSON have level 0. */
  readonly log: LogRecord[] = [];
  /** What came on stderr. */
  stderr = "";
  port = 0;
  adminPort = 0;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #knownPids = new Set<number>();
  readonly #watchers = new Set<() => void>();

  constructor(process: ChildProcess, runtimeDir: string) {
    this.process = process;
    this.runtimeDir = runtimeDir;
    this.exited = once(process, "exit").then(([code, signal]) => ({ code, signal }));
    if (process.stdout !== null) {
      createInterface({ input: process.stdout }).on("line", (line) => {
        this.log.push(parseLogLine(line));
        for (const watch of this.#watchers) watch();
      });
    }
    process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Resolves with the first record (earlier ones included) that fits; rejects when the host ends first. */
  async waitForLog(fits: (record: LogRecord) => boolean, what = "a log record"): Promise<LogRecord> {
    return await new Promise((resolve, reject) => {
      const look = (): boolean => {
        const record = this.log.find(fits);
        if (record !== undefined) settle(() => resolve(record));
        return record !== undefined;
      };
      const timer = setTimeout(
        () => settle(() => reject(this.#explain(`${what} did not come in ${patienceMs} ms`))),
        patienceMs,
      );
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        finish();
      };
      this.#watchers.add(look);
      if (look()) return;
      void this.exited.then(() => {
        // The last lines may still be in the pipe.
        setImmediate(() => {
          if (!look()) settle(() => reject(this.#explain(`the host ended before ${what} came`)));
        });
      });
    });
  }

  /** The host's own account of itself, over the admin port. */
  async readStatus(): Promise<HostStatus> {
    const { body } = await fetchText(`http://127.0.0.1:${this.adminPort}/status`);
    const status = JSON.parse(body) as HostStatus;
    for (const worker of status.workers) if (worker.pid !== null) this.#knownPids.add(worker.pid);
    return status;
  }

  /** Asks for the status until it fits. */
  async waitForStatus(fits: (status: HostStatus) => boolean, what = "the status"): Promise<HostStatus> {
    const deadlineMs = performance.now() + patienceMs;
    for (;;) {
      const status = await this.readStatus();
      if (fits(status)) return status;
      if (performance.now() > deadlineMs)
        throw this.#explain(`${what} did not come in ${patienceMs} ms: ${JSON.stringify(status)}`);
      await pause(20);
    }
  }

  async waitUntilReady(workers: number): Promise<HostStatus> {
    return await this.waitForStatus(
      (status) => status.workers.filter((worker) => worker.state === "ready").length >= workers,
      `${workers} ready workers`,
    );
  }

  /** Sends SIGTERM and resolves with how the primary ended. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill(signal);
    return await this.exited;
  }

  /** Pids of worker processes seen so far. */
  get workerPids(): readonly number[] {
    return [...this.#knownPids];
  }

  /** Ends everything that is left, and rejects if the primary's own end left workers behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of listDescendants(this.pid)) this.#knownPids.add(pid);
    const forced = setTimeout(() => this.process.kill("SIGKILL"), patienceMs);
    await this.stop();
    clearTimeout(forced);
    const left = await waitUntilGone([...this.#knownPids], 5_000);
    for (const pid of left) killIfThere(pid);
    rmSync(this.runtimeDir, { recursive: true, force: true });
    if (left.length > 0) throw this.#explain(`processes ${left.join(", ")} were left behind`);
  }

  #explain(message: string): Error {
    const lines = this.log.slice(-30).map((record) => record.msg);
    return new Error(`${message}\n--- log ---\n${lines.join("\n")}\n--- stderr ---\n${this.stderr}`);
  }
}

/** Starts a host with ports from the system and resolves when all its workers are ready. */
export async function startHost(options: HostOptions = {}): Promise<TestHost> {
  const runtimeDir = mkdtempSync(join(tmpdir(), "sbx-"));
  const workers = options.workers ?? 2;
  const env = cleanEnvironment({
    SIGNALBOX_PORT: "0",
    SIGNALBOX_ADMIN_PORT: "0",
    SIGNALBOX_WORKERS: String(workers),
    SIGNALBOX_RUNTIME_DIR: runtimeDir,
    SIGNALBOX_LOG_FORMAT: "json",
    SIGNALBOX_LOG_LEVEL: "debug",
    ...options.env,
  });
  if (options.env?.["SIGNALBOX_LISTEN"] !== undefined) delete env["SIGNALBOX_PORT"];
  const appArguments = options.app === undefined ? [] : [options.app];
  const child = spawn(
    process.execPath,
    [...(options.nodeArgs ?? []), cliPath, "start", ...appArguments, ...(options.args ?? [])],
    { env, stdio: ["ignore", "pipe", "pipe"] },
  );
  const host = new TestHost(child, runtimeDir);
  if (options.isReadyAwaited === false) return host;
  try {
    await waitForPorts(host);
    await host.waitUntilReady(workers);
  } catch (thrown) {
    await host[Symbol.asyncDispose]();
    throw thrown;
  }
  return host;
}

/** Reads the ports from the ready line of the host. */
export async function waitForPorts(host: TestHost): Promise<void> {
  const ready = await host.waitForLog((record) => record.msg.startsWith("Ready at "), "the ready line");
  host.adminPort = Number(ready["adminPort"]);
  host.port = Number(/^Ready at \S+:(\d+) /.exec(ready.msg)?.[1] ?? 0);
}

function parseLogLine(line: string): LogRecord {
  try {
    return JSON.parse(line) as LogRecord;
  } catch {
    return { level: 0, msg: line };
  }
}

/** One HTTP exchange on a connection of its own. */
export async function fetchText(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer; socketPath?: string } = {},
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }> {
  return await new Promise((resolve, reject) => {
    const { body, ...rest } = options;
    const outgoing = request(url, { agent: false, ...rest }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** Waits a moment between two looks at something that has no event of its own. */
export async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie is gone for all purposes but its parent's.
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

/** Resolves with the pids that are still alive at the limit; at once when none is. */
export async function waitUntilGone(pids: readonly number[], limitMs: number): Promise<number[]> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    const left = pids.filter((pid) => isAlive(pid));
    if (left.length === 0 || performance.now() > deadlineMs) return left;
    await pause(20);
  }
}

/** All processes below one, from /proc. */
export function listDescendants(pid: number): number[] {
  let children: string;
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  } catch {
    return [];
  }
  const direct = children.split(" ").filter(Boolean).map(Number);
  return direct.flatMap((child) => [child, ...listDescendants(child)]);
}

export function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended in between.
  }
}
