/** Times what tests wait for, and fails what takes too long. */

/** Resolves with the result and the milliseconds it took; rejects when that is more than the limit. */
export async function timed<T>(work: Promise<T>, limitMs: number, what: string): Promise<{ value: T; ms: number }> {
  const startedMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not happen in ${limitMs} ms`)), limitMs);
  });
  try {
    const value = await Promise.race([work, limit]);
    return { value, ms: Math.round(performance.now() - startedMs) };
  } finally {
    clearTimeout(timer);
  }
}
