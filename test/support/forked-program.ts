/** Runs a program that forks workers of its own, with a temporary directory of its own, and ends what is left of it by pid. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { cleanEnvironment, listDescendants, waitUntilGone } from "./host.js";

/** Nothing here takes this long; what does has failed. */
const patienceMs = 20_000;

export type Line = Readonly<Record<string, unknown>>;

export class ForkedProgram implements AsyncDisposable {
  /** What it has said on stdout, a JSON object a line, oldest first. */
  readonly lines: Line[] = [];
  stderr = "";
  readonly exited: Promise<number | null>;
  readonly #process: ChildProcess;
  readonly #directory: string;
  readonly #pids = new Set<number>();
  readonly #watchers = new Set<() => void>();

  constructor(file: string, env: Readonly<Record<string, string>>) {
    this.#directory = mkdtempSync(join(tmpdir(), "sbx-"));
    this.#process = spawn(process.execPath, [file], {
      env: cleanEnvironment({ ...env, TMPDIR: this.#directory }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.exited = once(this.#process, "close").then(([code]) => code as number | null);
    const { stdout, stderr } = this.#process;
    if (stdout !== null) createInterface({ input: stdout }).on("line", (line) => this.#take(line));
    stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Pids of its processes now, its own first. */
  readPids(): number[] {
    const pids = [this.pid, ...listDescendants(this.pid)];
    for (const pid of pids) this.#pids.add(pid);
    return pids;
  }

  /** Files in its temporary directory. */
  get files(): string[] {
    return readdirSync(this.#directory);
  }

  /** Resolves with all lines that fit when there are so many. */
  async waitForLines(fits: (line: Line) => boolean, count = 1): Promise<Line[]> {
    return await new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.lines.filter(fits);
        if (found.length < count) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(look);
        reject(new Error(`not said in ${patienceMs} ms; said was ${JSON.stringify(this.lines)}\n${this.stderr}`));
      }, patienceMs);
      this.#watchers.add(look);
      look();
    });
  }

  /** Resolves with the pids of its processes that are still there after a time. */
  async waitUntilGone(limitMs: number): Promise<number[]> {
    return await waitUntilGone([...this.#pids], limitMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.readPids();
    for (const pid of await waitUntilGone([...this.#pids], 0)) process.kill(pid, "SIGKILL");
    const left = await waitUntilGone([...this.#pids], patienceMs);
    rmSync(this.#directory, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`processes ${left.join(", ")} were left behind`);
  }

  #take(line: string): void {
    this.lines.push(JSON.parse(line) as Line);
    for (const watch of this.#watchers) watch();
  }
}
