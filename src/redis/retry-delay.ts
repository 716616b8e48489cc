/** When to try a Redis again that was lost or refused. Pure: chance is an argument. */

const firstLimitMs = 50;
const lastLimitMs = 2_000;
/** A refusal is mended by people: trying fast would only fill the log of Redis. */
const refusedLimitMs = 10_000;

/**
 * Milliseconds until attempt number `attempt` (1 is the first after a loss): anywhere below a limit that doubles from 50 ms to
 * 2 s, so that the hosts of a fleet do not come back in step. After a refusal between 5 and 10 s.
 */
export function chooseRetryDelayMs(attempt: number, isRefused: boolean, random: () => number): number {
  if (isRefused) return Math.round(refusedLimitMs * (0.5 + random() / 2));
  // 2^10 is beyond the ratio of the limits: it keeps the product finite after thousands of attempts.
  const limitMs = Math.min(firstLimitMs * 2 ** Math.min(Math.max(attempt, 1) - 1, 10), lastLimitMs);
  return Math.round(limitMs * random());
}
