/** Finds the known name a mistyped one was probably meant to be. Pure. */

/** The most similar candidate, or undefined when none is near enough to be worth suggesting. */
export function chooseNearestName(mistyped: string, candidates: readonly string[]): string | undefined {
  const wanted = normalize(mistyped);
  let nearest: string | undefined;
  let nearestDistance = Math.max(2, Math.floor(wanted.length / 4)) + 1;
  for (const candidate of candidates) {
    const distance = countEdits(wanted, normalize(candidate));
    // A distance as long as the word itself means that nothing of it was kept.
    if (distance < nearestDistance && distance < wanted.length) {
      nearest = candidate;
      nearestDistance = distance;
    }
  }
  return nearest;
}

/** "; did you mean …?" for the end of a message, or nothing. */
export function renderSuggestion(mistyped: string, candidates: readonly string[]): string {
  const nearest = chooseNearestName(mistyped, candidates);
  return nearest === undefined ? "" : `; did you mean ${nearest}?`;
}

/** Letters alone count: `drain_timeout_ms`, `drainTimeoutMs` and `--drain-timeout-ms` are the same to a reader. */
function normalize(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, "");
}

/** Levenshtein distance in which two swapped neighbours count as one edit. */
function countEdits(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const substitution = from[row - 1] === to[column - 1] ? 0 : 1;
      let edits = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + substitution,
      );
      const isSwap = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (isSwap) edits = Math.min(edits, (beforeLast[column - 2] ?? 0) + 1);
      current.push(edits);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] ?? 0;
}
