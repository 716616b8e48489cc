/** Decides when a worker that ended is started again, and when to give up. Pure: time and history are arguments. */

export interface RestartSettings {
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** Restarts without any worker becoming ready after which the host gives up. */
  readonly maxRestarts: number;
  /** A worker that lived this long after being ready starts over with the shortest backoff. */
  readonly stableAfterMs: number;
}

/** Crash history of one slot. */
export interface SlotHistory {
  /** Ends in a row, each before the worker was stable. */
  readonly crashesInARow: number;
}

export type RestartDecision =
  | { readonly kind: "restart"; readonly delayMs: number; readonly history: SlotHistory }
  | { readonly kind: "give-up" };

export const freshHistory: SlotHistory = { crashesInARow: 0 };

/**
 * Backoff: `min × 2^(crashes − 1)`, at most `max`; an end after a stable life counts as the first crash.
 * Gives up only when `restartsWithoutReady` (of this slot; 0 again whenever any worker becomes ready) has reached
 * the limit: one crashing worker among living ones is backed off, not fatal.
 */
export function planRestart(input: {
  readonly settings: RestartSettings;
  readonly history: SlotHistory;
  /** Time since this worker said ready; undefined when it never did. */
  readonly readyForMs: number | undefined;
  readonly restartsWithoutReady: number;
  readonly hasReadyWorkers: boolean;
}): RestartDecision {
  const { settings } = input;
  if (!input.hasReadyWorkers && input.restartsWithoutReady >= settings.maxRestarts) return { kind: "give-up" };
  const wasStable = input.readyForMs !== undefined && input.readyForMs >= settings.stableAfterMs;
  const crashesInARow = wasStable ? 1 : input.history.crashesInARow + 1;
  return { kind: "restart", delayMs: planBackoff(settings, crashesInARow), history: { crashesInARow } };
}

/** `min × 2^(crashes − 1)`, at most `max`. */
export function planBackoff(
  settings: Pick<RestartSettings, "backoffMinMs" | "backoffMaxMs">,
  crashesInARow: number,
): number {
  // 2^30 is far above any ratio of max to min: it keeps the product finite after thousands of crashes.
  const exponent = Math.min(crashesInARow - 1, 30);
  return Math.min(settings.backoffMinMs * 2 ** exponent, settings.backoffMaxMs);
}
