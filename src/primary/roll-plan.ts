/** Decides the next step of a roll: workers replaced one at a time, the new one ready before an old one drains. Pure. */

export interface RollState {
  /** Old workers that have not ended. */
  readonly oldWorkers: number;
  /** New workers that are ready. */
  readonly started: number;
  /** New workers that were ready and have ended, whether or not others have been started for them. */
  readonly lost: number;
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
  /** A new worker has to become ready within so long. */
  | { readonly kind: "start"; readonly limitMs: number }
  /** The next old worker is drained, within so long. */
  | { readonly kind: "drain"; readonly drainMs: number }
  | { readonly kind: "done" }
  /** The time is up: whoever is left stays. */
  | { readonly kind: "give-up" }
  /** New workers do not last: whoever is left stays. */
  | { readonly kind: "lost" };

/** A new worker is never worth waiting for less than this at the end of the time. */
const leastStartMs = 100;
/** A drain that is shorter, unless it is meant to be, would cut the clients off. */
const leastDrainMs = 1_000;

/**
 * At no time are there more workers than before or after, and one: an old one drains as soon as a new one has its place. With
 * little time left for many workers each one's drain is shortened, so that all have the same; and no new worker is
 * started, or waited for, so late that no old one could drain for it.
 */
export function planRollStep(state: RollState, times: RollTimes): RollStep {
  const { oldWorkers, started, lost, wanted } = state;
  if (lost > 0) return { kind: "lost" };
  if (oldWorkers === 0 && started >= wanted) return { kind: "done" };
  const leftMs = times.deadlineMs - times.nowMs;
  const shortestMs = shortestDrainMs(times.drainTimeoutMs);
  if (started > 0 && oldWorkers > wanted - started) {
    if (leftMs < shortestMs) return { kind: "give-up" };
    const startsMs = (wanted - started) * (times.bootMs ?? 0);
    const shareMs = Math.max(shortestMs, (leftMs - startsMs) / oldWorkers);
    return { kind: "drain", drainMs: Math.floor(Math.min(times.drainTimeoutMs, shareMs)) };
  }
  const limitMs = oldWorkers === 0 ? leftMs : leftMs - shortestMs;
  return limitMs < leastStartMs ? { kind: "give-up" } : { kind: "start", limitMs };
}

/** What every drain has, however late it is. */
export function shortestDrainMs(drainTimeoutMs: number): number {
  return Math.min(leastDrainMs, drainTimeoutMs);
}

export interface RolledSlot {
  readonly number: number;
  readonly isReady: boolean;
  /** It was to be replaced. */
  readonly isOld: boolean;
}

/**
 * The slots to be given up when a roll has stopped with more of them than there are to be: those that serve nobody first, then
 * old ones.
 */
export function chooseSurplus(slots: readonly RolledSlot[], workerCount: number): number[] {
  const idle = slots.filter(({ isReady }) => !isReady);
  const old = slots.filter(({ isReady, isOld }) => isReady && isOld);
  return [...idle, ...old].slice(0, Math.max(0, slots.length - workerCount)).map(({ number }) => number);
}

/** Milliseconds that the rest of the roll takes at most, as far as can be told. */
export function estimateRollMs(state: RollState, times: RollTimes): number {
  const startsMs = Math.max(0, state.wanted - state.started) * (times.bootMs ?? 0);
  const leftMs = Math.max(0, times.deadlineMs - times.nowMs);
  return Math.min(leftMs, startsMs + state.oldWorkers * times.drainTimeoutMs);
}
