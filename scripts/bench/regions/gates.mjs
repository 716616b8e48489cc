// What must hold of a link; pure.

/** Capacity of a link, as a share of that of plain ws with the same batches. */
const LEAST_SHARE = 0.6;
/**
 * Payloads from here on: of smaller ones, so many are in a batch that it is two routers' looking at each of them which counts,
 * with or without a link between them; plain ws looks at none.
 */
const LEAST_PAYLOAD_BYTES = 1_000;
const MAX_ADDED_P50_MS = 3;

const atLeast = (place, what, limit, value) => ({ place, what, limit, value, isMax: false, isPassed: value >= limit });
const atMost = (place, what, limit, value) => ({ place, what, limit, value, isMax: true, isPassed: value <= limit });

export function judgeThroughput(summaries) {
  return summaries
    .filter(({ payload }) => payload >= LEAST_PAYLOAD_BYTES)
    .map(({ payload, timesPlain }) =>
      atLeast(`${payload} bytes`, "capacity, share of plain ws's", LEAST_SHARE, timesPlain.median),
    );
}

export function judgeLatency({ rows }) {
  return rows
    .filter(({ side }) => side === "link")
    .map(({ delayMs, addedP50Ms }) => atMost(`${delayMs} ms`, "p50 less the delay, ms", MAX_ADDED_P50_MS, addedP50Ms));
}
