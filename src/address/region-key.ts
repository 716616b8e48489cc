/** A region's name in as many characters as a host key has, where either may stand; it begins as no host key does. Pure. */

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** FNV-1a (RFC 9923). */
const offsetBasis = 0x81_1c_9d_c5;
const prime = 0x01_00_01_93;

/** First character of every such key. */
export const regionMark = "~";

/** Two names may have the same key; the configuration is refused then. */
export function nameRegionKey(region: string): string {
  let hash = offsetBasis;
  for (let index = 0; index < region.length; index++) hash = Math.imul(hash ^ region.charCodeAt(index), prime);
  const character = (shift: number): string => alphabet.charAt((hash >>> shift) & 63);
  return `${regionMark}${character(0)}${character(6)}${character(12)}`;
}
