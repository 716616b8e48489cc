/** Decides over how much of a drain the sessions are closed. Pure. */

/** What comes after the last close: answers in flight, polling clients that come for theirs. */
const spreadShare = 0.8;
/** Slower than this no host or worker needs its new clients to come: 200 in a second cost well under half a core. */
const msPerSession = 5;
/** In a reload nobody waits for the end: clients can be told before they are closed. */
const leastReloadSpreadMs = 2_000;

/**
 * Milliseconds in which the sessions of the workers that drain together are closed: no longer than it takes to keep the
 * return of their clients gentle, so that few sessions do not hold up a stop.
 */
export function planSpreadMs(sessions: number, drainMs: number, occasion: "reload" | "stop"): number {
  if (sessions === 0) return 0;
  const neededMs = Math.max(sessions * msPerSession, occasion === "reload" ? leastReloadSpreadMs : 0);
  return Math.round(Math.min(drainMs * spreadShare, neededMs));
}
