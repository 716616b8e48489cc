/** Names of router processes: random, and within one run of a host in the order in which they were started. Pure. */

/**
 * @param restarts how often this run of the host has started a router before
 * @param random text that no other router has, without a dot
 */
export function createIncarnation(restarts: number, random: string): string {
  return `${restarts}.${random}`;
}

/**
 * Whether a router of one run of a host was started before another: what it said last may come later than what the other
 * said first. False when the names do not say.
 */
export function isOlderIncarnation(incarnation: string, than: string): boolean {
  const [restarts, others] = [readRestarts(incarnation), readRestarts(than)];
  return restarts !== undefined && others !== undefined && restarts < others;
}

function readRestarts(incarnation: string): number | undefined {
  const digits = /^(\d{1,9})\./.exec(incarnation)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
