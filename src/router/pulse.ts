/** Finds out which workers do not answer: a ping at a time to each, and a verdict when it stays unanswered. Pure. */

import type { Port } from "./port.js";

/** A tick that comes this late says that the router itself did not run: no verdict on others then. */
const lateTickMs = 1_500;

export type PulseVerdict = "ping" | "stalled" | "wait";

export class Pulse {
  readonly #stalledAfterMs: number;
  #lastTickMs: number | undefined;
  #isLate = false;

  constructor(stalledAfterMs: number) {
    this.#stalledAfterMs = stalledAfterMs;
  }

  /** Begins a round of checks. */
  tick(nowMs: number): void {
    this.#isLate = this.#lastTickMs !== undefined && nowMs - this.#lastTickMs > lateTickMs;
    this.#lastTickMs = nowMs;
  }

  /** What to do about one worker; its port remembers. */
  check(port: Port, nowMs: number): PulseVerdict {
    if (port.pingSentMs === undefined) {
      port.pingSentMs = nowMs;
      port.pingToken++;
      return "ping";
    }
    if (this.#isLate) port.pingSentMs = nowMs;
    if (port.isStalled || nowMs - port.pingSentMs < this.#stalledAfterMs) return "wait";
    port.isStalled = true;
    return "stalled";
  }
}
