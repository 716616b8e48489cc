/** Clients that talk in rooms through reloads, in a process of their own, and what became of them. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { cleanEnvironment, fixturePath } from "./host.js";
import { timed } from "./stopwatch.js";

export const isFull = process.env["TEST_SIZE"] === "full";
const limitMs = 60_000;

export interface LoadSettings {
  readonly webSockets: number;
  readonly pollings: number;
  readonly messagesPerSecond: number;
  /** Sender and receivers of a message that counts have been there for so long before and after. */
  readonly leastMarginMs: number;
  /** Mean time after which a client comes back; 1 s, as Socket.IO has it, when undefined. */
  readonly reconnectionDelayMs?: number;
}

export interface ClientSession {
  readonly fromMs: number;
  readonly toMs?: number;
  readonly release: string;
  readonly worker: number;
}

export interface LoadReport {
  readonly messages: number;
  readonly probes: number;
  readonly faults: readonly string[];
  /** Clients with a session now. */
  readonly open: number;
  /** Messages times members of their rooms whose sessions were open, and how many of these were not received. */
  readonly due: number;
  readonly lost: number;
  /** From a message to its receipt, at most. */
  readonly slowestMs: number;
  readonly clients: readonly { readonly sessions: readonly ClientSession[]; readonly notices: number }[];
}

export class ReloadLoad implements AsyncDisposable {
  readonly #process: ChildProcess;

  private constructor(url: string, settings: LoadSettings) {
    const { webSockets, pollings, messagesPerSecond, leastMarginMs, reconnectionDelayMs = 1_000 } = settings;
    const numbers = [webSockets, pollings, messagesPerSecond, leastMarginMs, reconnectionDelayMs];
    const args = [url, ...numbers.map(String)];
    this.#process = fork(fixturePath("reload/load-clients.mjs"), args, { env: cleanEnvironment(), execArgv: [] });
  }

  /** Resolves when all have a session. */
  static async start(url: string, settings: LoadSettings): Promise<ReloadLoad> {
    const load = new ReloadLoad(url, settings);
    await timed(load.#waitFor("all-open"), limitMs, "a session for every client");
    return load;
  }

  async report(): Promise<LoadReport> {
    const reported = this.#waitFor("report");
    this.#process.send({ type: "report" });
    return (await timed(reported, limitMs, "a report")).value as LoadReport;
  }

  /** Reports until one fits. */
  async waitFor(fits: (report: LoadReport) => boolean, what: string): Promise<LoadReport> {
    const startedMs = performance.now();
    for (;;) {
      const report = await this.report();
      if (fits(report)) return report;
      if (performance.now() - startedMs > limitMs) throw new Error(`${what} did not come: ${report.open} are open`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #waitFor(type: "all-open" | "report"): Promise<unknown> {
    for (;;) {
      const [message] = (await once(this.#process, "message")) as [{ type: string }];
      if (message.type === type) return message;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, "exit");
    if (this.#process.exitCode === null && this.#process.kill("SIGKILL")) await ended;
  }
}
