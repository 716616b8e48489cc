/** Decides which worker is replaced because it has grown too large or too old. Pure. */

export interface RetireSettings {
  readonly maxWorkerRssBytes: number | undefined;
  readonly maxWorkerAgeMs: number | undefined;
}

export interface RetireCandidate {
  readonly slot: number;
  readonly rssBytes: number;
  readonly readyForMs: number;
  /** How long it took to become ready. */
  readonly bootMs: number;
}

export interface Retirement {
  readonly slot: number;
  readonly reason: "memory" | "age";
}

/** A worker that is too large as soon as it has started would be replaced all the time: it serves for so many times its start. */
const leastBootsServed = 10;

/** The largest of those that are too large, else the oldest of those that are too old. @param workers ready ones */
export function chooseRetirement(
  workers: readonly RetireCandidate[],
  settings: RetireSettings,
): Retirement | undefined {
  const { maxWorkerRssBytes = Number.POSITIVE_INFINITY, maxWorkerAgeMs = Number.POSITIVE_INFINITY } = settings;
  const large = workers.filter(
    ({ rssBytes, readyForMs, bootMs }) => rssBytes > maxWorkerRssBytes && readyForMs >= leastBootsServed * bootMs,
  );
  const [largest] = large.sort((left, right) => right.rssBytes - left.rssBytes);
  if (largest !== undefined) return { slot: largest.slot, reason: "memory" };
  const old = workers.filter(({ readyForMs }) => readyForMs > maxWorkerAgeMs);
  const [oldest] = old.sort((left, right) => right.readyForMs - left.readyForMs);
  return oldest === undefined ? undefined : { slot: oldest.slot, reason: "age" };
}
