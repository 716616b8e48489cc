/** Decides when a router that ended is started again, and what its absence means for the host. Pure. */

import { freshHistory, planBackoff, type SlotHistory } from "./restart-policy.js";

/** A router that served this long has not failed at its start, and the next one need not wait. */
export const routerStableAfterMs = 10_000;
/** A restart takes a fraction of a second. Beyond this, workers are apart for so long that others should serve new clients. */
export const routerAbsenceLimitMs = 5_000;
/** So many failed starts in a row are no accident: somebody has to look. */
export const failedStartsUntilAlarm = 10;

/** At once after a stable life; else `min × 2^(crashes − 1)`, at most `max`: it never gives up. */
export function planRouterRestart(input: {
  readonly settings: { readonly backoffMinMs: number; readonly backoffMaxMs: number };
  readonly history: SlotHistory;
  /** Time since this router said ready; undefined when it never did. */
  readonly readyForMs: number | undefined;
}): { readonly delayMs: number; readonly history: SlotHistory } {
  if (input.readyForMs !== undefined && input.readyForMs >= routerStableAfterMs) {
    return { delayMs: 0, history: freshHistory };
  }
  const crashesInARow = input.history.crashesInARow + 1;
  return { delayMs: planBackoff(input.settings, crashesInARow), history: { crashesInARow } };
}

/**
 * Why a host takes no new sessions, as far as the router is concerned; undefined when it does.
 * @param absentSinceMs when the router was last there; undefined while it is
 */
export function explainRouterAbsence(absentSinceMs: number | undefined, nowMs: number): string | undefined {
  if (absentSinceMs === undefined || nowMs - absentSinceMs < routerAbsenceLimitMs) return undefined;
  const seconds = Math.floor((nowMs - absentSinceMs) / 1_000);
  return `the router has been away for ${seconds} s: each worker serves its own clients, and messages between workers do not arrive`;
}

/**
 * Whether the router is there, or may still come. Ending the host with all its sessions is for when even a restart after the
 * longest wait has not helped: the waits before it, each twice the one before, and it itself are below three times the longest.
 * @param absentSinceMs when the router was last there; undefined while it is
 */
export function isRouterExpected(
  absentSinceMs: number | undefined,
  restartBackoffMaxMs: number,
  nowMs: number,
): boolean {
  return absentSinceMs === undefined || nowMs - absentSinceMs < routerAbsenceLimitMs + 3 * restartBackoffMaxMs;
}
