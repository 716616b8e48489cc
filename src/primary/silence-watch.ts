/** Ends a worker that is silent for longer than its own watch over its event loop lets it be: that watch has failed. */

import type { WorkerRecord } from "./worker-record.js";

/** Ready workers report once a second. */
const lookIntervalMs = 1_000;
/** For the worker's own watch, which finds out first where its event loop is. */
const marginMs = 5_000;

type Heard = Pick<WorkerRecord, "lastHeardMs" | "isInspected">;

/** For how long a worker has been silent. Counted in looks, not by a clock: a primary or a machine that stood still accuses nobody. */
export class SilenceCounter {
  readonly #limitMs: number;
  #lastHeardMs = Number.NaN;
  #silentForMs = 0;

  /** @param hangTimeoutMs for how long its event loop may be blocked */
  constructor(hangTimeoutMs: number) {
    this.#limitMs = hangTimeoutMs + marginMs;
  }

  /** Whether it has been silent for too long. To be called once in `lookIntervalMs`. */
  look({ lastHeardMs, isInspected }: Heard): boolean {
    const isSilent = lastHeardMs === this.#lastHeardMs && !isInspected;
    this.#lastHeardMs = lastHeardMs;
    this.#silentForMs = isSilent ? this.#silentForMs + lookIntervalMs : 0;
    return this.#silentForMs >= this.#limitMs;
  }
}

/**
 * Watches a worker that is ready, and calls back once.
 * @param hangTimeoutMs 0: it may be silent for ever
 * @returns ends it
 */
export function watchSilence(worker: Heard, hangTimeoutMs: number, onSilent: () => void): () => void {
  if (hangTimeoutMs === 0) return () => {};
  const counter = new SilenceCounter(hangTimeoutMs);
  const timer = setInterval(() => {
    if (!counter.look(worker)) return;
    clearInterval(timer);
    onSilent();
  }, lookIntervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
