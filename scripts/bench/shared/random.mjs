// Seeded randomness, so that every side gets the same rooms, receivers and payloads; pure.

/** Answers a function that draws a whole number from 0 to below `limit` (xorshift, 32 bits). */
export function createRandom(seed) {
  let state = seed | 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/** A new array in random order. */
export function shuffle(values, random) {
  const shuffled = [...values];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
  }
  return shuffled;
}
