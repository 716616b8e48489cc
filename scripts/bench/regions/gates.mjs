// What must hold of a link; pure.

/** Capacity of a link, as a share of that of plain ws with the same batches. */
const LEAST_SHARE = 0.6;
/**
 * Payloads from here on. Of smaller ones so many are in a batch that two routers' looking at each of them is what counts, with
 * or without a link between them, and plain ws looks at none: they are held to what ws and two routers do in a row.
 */
const LEAST_PLAIN_BYTES = 1_000;
const MAX_ADDED_P50_MS = 3;

const atLeast = (place, what, limit, value) => ({ place, what, limit, value, isMax: false, isPassed: value >= limit });
const atMost = (place, what, limit, value) => ({ place, what, limit, value, isMax: true, isPassed: value <= limit });

export function judgeThroughput(summaries) {
  return summaries.map(({ payload, timesPlain, timesInRow }) =>
    payload >= LEAST_PLAIN_BYTES
      ? atLeast(`${payload} bytes`, "capacity, share of plain ws", LEAST_SHARE, timesPlain.median)
      : atLeast(`${payload} bytes`, "capacity, share of router, ws, router in a row", LEAST_SHARE, timesInRow.median),
  );
}

export function judgeLatency({ rows }) {
  return rows
    .filter(({ side }) => side === "link")
    .map(({ delayMs, addedP50Ms }) => atMost(`${delayMs} ms`, "p50 less the delay, ms", MAX_ADDED_P50_MS, addedP50Ms));
}
