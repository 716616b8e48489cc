// Counts latencies in buckets of at most 1/64 of their value, so that recording one costs nothing and keeps nothing; pure.

const STEPS = 64; // buckets per power of two
const STEP_BITS = Math.log2(STEPS);
const BUCKETS = (32 - STEP_BITS) * STEPS; // microseconds up to 2^31

export class LatencyHistogram {
  #counts = new Uint32Array(BUCKETS);
  #total = 0;

  get total() {
    return this.#total;
  }

  record(latencyMs) {
    const us = Math.min(Math.max(0, Math.round(latencyMs * 1_000)), 2 ** 31 - 1);
    // Below 2 × STEPS every microsecond has its own bucket; above, the leading bits choose it.
    const shift = Math.max(0, 31 - Math.clz32(us) - STEP_BITS);
    this.#counts[shift * STEPS + (us >> shift)]++;
    this.#total++;
  }

  /** The latency that this share of all (0..1) does not exceed: the upper end of its bucket, in milliseconds. */
  percentileMs(share) {
    if (this.#total === 0) {
      return Number.NaN;
    }
    let left = Math.max(1, Math.ceil(share * this.#total));
    let bucket = 0;
    while (left > this.#counts[bucket]) {
      left -= this.#counts[bucket++];
    }
    const shift = Math.max(0, Math.floor(bucket / STEPS) - 1);
    return ((bucket - shift * STEPS + 1) * 2 ** shift - 1) / 1_000;
  }

  clear() {
    this.#counts.fill(0);
    this.#total = 0;
  }
}
