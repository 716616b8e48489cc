// What must hold of a link; pure.

/** Capacity of a link, as a share of that of a plain echo of ws with the same batches. */
const LEAST_SHARE = 0.6;
/**
 * Payloads from here on. Of smaller ones hundreds are in a batch: two routers look at each of them, with or without a link between
 * them, and an echo at none.
 */
const LEAST_BYTES = 1_000;
const MAX_ADDED_P50_MS = 3;

const atLeast = (place, what, limit, value) => ({ place, what, limit, value, isMax: false, isPassed: value >= limit });
const atMost = (place, what, limit, value) => ({ place, what, limit, value, isMax: true, isPassed: value <= limit });

export function judgeThroughput(summaries) {
  return summaries
    .filter(({ payload }) => payload >= LEAST_BYTES)
    .map(({ payload, timesEcho }) =>
      atLeast(`${payload} bytes`, "capacity, share of a plain echo", LEAST_SHARE, timesEcho.median),
    );
}

export function judgeLatency({ rows }) {
  return rows
    .filter(({ side }) => side === "link")
    .map(({ delayMs, addedP50Ms }) => atMost(`${delayMs} ms`, "p50 less the delay, ms", MAX_ADDED_P50_MS, addedP50Ms));
}
