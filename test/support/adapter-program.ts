/** Runs the program of test/fixtures that forks its own workers, with a temporary directory of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { cleanEnvironment, fixturePath, listDescendants, waitUntilGone } from "./host.js";
import { listRouters } from "./routed-host.js";

const patienceMs = 20_000;

/** What the primary says. */
export interface ProgramEvent {
  readonly from?: number;
  readonly exit?: number;
  readonly message?: {
    readonly source?: string;
    readonly place?: { readonly slot: number; readonly hostKey: string; readonly socketPath: string };
    readonly others?: readonly number[];
    readonly refusal?: { readonly name: string; readonly code: string; readonly message: string };
  };
}

export class AdapterProgram implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly tmpDir: string;
  readonly events: ProgramEvent[] = [];
  stderr = "";
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #knownPids = new Set<number>();
  readonly #watchers = new Set<() => void>();

  constructor(process: ChildProcess, tmpDir: string) {
    this.process = process;
    this.tmpDir = tmpDir;
    this.exited = once(process, "exit").then(([code, signal]) => ({ code, signal }));
    if (process.stdout !== null) {
      createInterface({ input: process.stdout }).on("line", (line) => {
        this.events.push(JSON.parse(line) as ProgramEvent);
        for (const watch of this.#watchers) watch();
      });
    }
    process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      for (const watch of this.#watchers) watch();
    });
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  get routers(): number[] {
    const routers = listRouters(this.pid);
    for (const pid of routers) this.#knownPids.add(pid);
    return routers;
  }

  /** Directories that were made beside the program. */
  get directories(): string[] {
    return readdirSync(this.tmpDir).filter((name) => name.startsWith("signalbox"));
  }

  command(...words: unknown[]): void {
    this.process.stdin?.write(`${JSON.stringify(words)}\n`);
  }

  /** Resolves with the first event (earlier ones included) that fits. */
  async waitFor(fits: (event: ProgramEvent) => boolean, what: string): Promise<ProgramEvent> {
    return await this.#wait(() => this.events.find(fits), what);
  }

  async waitForStderr(pattern: RegExp): Promise<string> {
    return await this.#wait(() => pattern.exec(this.stderr)?.[0], String(pattern));
  }

  /** Resolves when the worker has been told its place. */
  async waitForPlace(worker: number): Promise<NonNullable<NonNullable<ProgramEvent["message"]>["place"]>> {
    const { message } = await this.waitFor(
      ({ from, message }) => from === worker && message?.place !== undefined,
      `the place of worker ${worker}`,
    );
    if (message?.place === undefined) throw new Error("it has none");
    return message.place;
  }

  /** Resolves when a worker has had an answer of all the others; `workers` are their numbers, its own included. */
  async meet(worker: number, workers: number): Promise<readonly number[]> {
    // Before it has its place, its code may not be there yet to hear the question.
    await this.waitForPlace(worker);
    const before = this.events.length;
    this.command("tell", worker, { ask: "who", workers });
    const { message } = await this.#wait(
      () => this.events.slice(before).find((event) => event.from === worker && event.message?.others !== undefined),
      `the answers for worker ${worker}`,
    );
    return message?.others ?? [];
  }

  async #wait<Found>(find: () => Found | undefined, what: string): Promise<Found> {
    return await new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        finish();
      };
      const look = (): void => {
        const found = find();
        if (found !== undefined) settle(() => resolve(found));
      };
      const timer = setTimeout(() => settle(() => reject(this.#explain(`${what} did not come`))), patienceMs);
      this.#watchers.add(look);
      look();
    });
  }

  #explain(message: string): Error {
    const events = this.events.map((event) => JSON.stringify(event)).join("\n");
    return new Error(`${message}\n--- events ---\n${events}\n--- stderr ---\n${this.stderr}`);
  }

  /** Ends what is left by pid, and rejects if the program's end left a router behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of listDescendants(this.pid)) this.#knownPids.add(pid);
    this.process.kill("SIGKILL");
    await this.exited;
    const left = await waitUntilGone([...this.#knownPids], 5_000);
    for (const pid of left) process.kill(pid, "SIGKILL");
    rmSync(this.tmpDir, { recursive: true, force: true });
    if (left.length > 0) throw this.#explain(`processes ${left.join(", ")} were left behind`);
  }
}

export function startAdapterProgram(env: Readonly<Record<string, string>> = {}): AdapterProgram {
  const tmpDir = mkdtempSync(join(tmpdir(), "sbx-"));
  const child = spawn(process.execPath, [fixturePath("adapter-program.mjs")], {
    env: cleanEnvironment({ TMPDIR: tmpDir, ...env }),
    stdio: ["pipe", "pipe", "pipe"],
  });
  return new AdapterProgram(child, tmpDir);
}
