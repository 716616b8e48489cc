// Median and spread; pure.

export function median(values) {
  if (values.length === 0) {
    return Number.NaN;
  }
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median with the smallest and the largest value. */
export function summarize(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The ratios a[i] / b[i] of values measured one after the other, summarized. */
export function summarizePairRatios(a, b) {
  const count = Math.min(a.length, b.length);
  return summarize(Array.from({ length: count }, (_, i) => a[i] / b[i]));
}
