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
  /** It has taken the place of another worker. */
  readonly isReplacement: boolean;
}

export interface Retirement {
  readonly slot: number;
  readonly reason: "memory" | "age";
}

/** A replacement that is soon too large itself shows that replacing does not help: it serves for so long, */
export const leastServedMs = 300_000;
/** and for so many times its start. */
const leastBootsServed = 10;

/** The largest of those that are too large, else the oldest of those that are too old. @param workers ready ones */
export function chooseRetirement(
  workers: readonly RetireCandidate[],
  settings: RetireSettings,
): Retirement | undefined {
  const { maxWorkerAgeMs = Number.POSITIVE_INFINITY } = settings;
  const large = listLarge(workers, settings).filter((worker) => !isTooSoon(worker));
  const [largest] = large.sort((left, right) => right.rssBytes - left.rssBytes);
  if (largest !== undefined) return { slot: largest.slot, reason: "memory" };
  const old = workers.filter(({ readyForMs }) => readyForMs > maxWorkerAgeMs);
  const [oldest] = old.sort((left, right) => right.readyForMs - left.readyForMs);
  return oldest === undefined ? undefined : { slot: oldest.slot, reason: "age" };
}

/** One that is too large, though it has replaced another only lately: the limit is probably too low. */
export function findLargeTooSoon(
  workers: readonly RetireCandidate[],
  settings: RetireSettings,
): RetireCandidate | undefined {
  return listLarge(workers, settings).find((worker) => isTooSoon(worker));
}

function listLarge(workers: readonly RetireCandidate[], { maxWorkerRssBytes }: RetireSettings): RetireCandidate[] {
  return workers.filter(({ rssBytes }) => rssBytes > (maxWorkerRssBytes ?? Number.POSITIVE_INFINITY));
}

function isTooSoon({ isReplacement, readyForMs, bootMs }: RetireCandidate): boolean {
  return isReplacement && readyForMs < Math.max(leastServedMs, leastBootsServed * bootMs);
}
