/** Decides the next step of a roll: workers replaced one at a time, the new one ready before an old one drains. Pure. */

export interface RollState {
  /** Old workers that have not ended. */
  readonly oldWorkers: number;
  /** New workers that have become ready. */
  readonly started: number;
  /** How many new workers there are to be. */
  readonly wanted: number;
}

export interface RollTimes {
  readonly nowMs: number;
  /** When the whole roll has to have ended. */
  readonly deadlineMs: number;
  readonly drainTimeoutMs: number;
  /** How long the last new worker took to become ready; undefined before the first has. */
  readonly bootMs: number | undefined;
}

export type RollStep =
  | { readonly kind: "start" }
  /** The next old worker is drained, within so long. */
  | { readonly kind: "drain"; readonly drainMs: number }
  | { readonly kind: "done" }
  /** The time is up: whoever is left stays. */
  | { readonly kind: "give-up" };

/** A new worker is never worth waiting for less than this at the end of the time. */
const leastStartMs = 100;
/** A drain that is shorter, unless it is meant to be, would cut the clients off. */
const leastDrainMs = 1_000;

/**
 * At no time are there more workers than before or after, and one: an old one drains as soon as a new one has its place. With
 * little time left for many workers each one's drain is shortened, so that all have the same.
 */
export function planRollStep(state: RollState, times: RollTimes): RollStep {
  const { oldWorkers, started, wanted } = state;
  if (oldWorkers === 0 && started >= wanted) return { kind: "done" };
  const leftMs = times.deadlineMs - times.nowMs;
  if (started > 0 && oldWorkers > wanted - started) {
    const startsMs = (wanted - started) * (times.bootMs ?? 0);
    const shareMs = (leftMs - startsMs) / oldWorkers;
    if (shareMs < Math.min(leastDrainMs, times.drainTimeoutMs)) return { kind: "give-up" };
    return { kind: "drain", drainMs: Math.floor(Math.min(times.drainTimeoutMs, shareMs)) };
  }
  return leftMs < leastStartMs ? { kind: "give-up" } : { kind: "start" };
}

/** Milliseconds that the rest of the roll takes at most, as far as can be told. */
export function estimateRollMs(state: RollState, times: RollTimes): number {
  const startsMs = Math.max(0, state.wanted - state.started) * (times.bootMs ?? 0);
  const leftMs = Math.max(0, times.deadlineMs - times.nowMs);
  return Math.min(leftMs, startsMs + state.oldWorkers * times.drainTimeoutMs);
}
