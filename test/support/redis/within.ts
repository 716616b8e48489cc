/** Bounds the wait for an event, so that a test that would hang says for what. */

const patienceMs = 20_000;

/** Resolves with the promise; rejects, naming what was waited for, when it takes too long. */
export async function within<T>(promise: Promise<T>, what: string, limitMs = patienceMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`waited ${limitMs} ms for ${what}`);
    timer = setTimeout(() => reject(error), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
