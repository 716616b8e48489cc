/** Decides when the sessions of a draining worker are closed. Pure: the time and randomness are arguments. */

/**
 * A moment for each close, in order: the time is divided evenly, and each close is anywhere in its part. So the clients that
 * come back are spread, without a rhythm, and in no second are there more than twice as many closes as on average
 * (as long as there are two or more a second).
 *
 * @param spreadMs in which all of them are closed
 * @param random uniform in [0, 1)
 */
export function planCloseTimes(sessions: number, spreadMs: number, nowMs: number, random: () => number): number[] {
  const partMs = sessions === 0 ? 0 : spreadMs / sessions;
  return Array.from({ length: sessions }, (_, index) => nowMs + (index + random()) * partMs);
}
