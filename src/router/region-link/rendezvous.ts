/**
 * Which host of a region does what all of them hear, and only one may do (rendezvous hashing, Thaler and Ravishankar 1998). Hosts
 * that cannot be reached at the moment count as well: of two that do not see each other, not both take it. Pure.
 */

/** FNV-1a (RFC 9923). */
const offsetBasis = 0x81_1c_9d_c5;
const prime = 0x01_00_01_93;
/** Messages differ in this much of them, or do so often enough. */
const maxHashedBytes = 512;

/** Whether `own` ranks before all others for this message. */
export function ranksFirst(own: string, others: Iterable<string>, message: Buffer): boolean {
  let seed = offsetBasis ^ message.length;
  for (let index = 0; index < Math.min(message.length, maxHashedBytes); index++) {
    seed = Math.imul(seed ^ (message[index] as number), prime);
  }
  const ownRank = rank(own, seed);
  for (const other of others) {
    const otherRank = rank(other, seed);
    if (otherRank > ownRank || (otherRank === ownRank && other > own)) return false;
  }
  return true;
}

function rank(hostKey: string, seed: number): number {
  let hash = seed;
  for (let index = 0; index < hostKey.length; index++) hash = Math.imul(hash ^ hostKey.charCodeAt(index), prime);
  // The last character alone would change the low bits only.
  hash = Math.imul(hash ^ (hash >>> 16), 0x45_d9_f3_b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
