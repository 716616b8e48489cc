/** Keeps lines that come over and over from filling the log: one of each kind in an interval. Pure. */

const intervalMs = 10_000;
/** Kinds name workers, which come and go: what is remembered of them is bounded. */
const maxKinds = 200;

export class RepeatFilter {
  readonly #entries = new Map<string, { admittedMs: number; heldBack: number }>();

  /**
   * How many of the same kind were held back before this one; undefined when this one is held back, too.
   * @param kind what has happened, and to whom: the texts have numbers in them that differ from line to line
   */
  admit(kind: string, nowMs: number): number | undefined {
    const entry = this.#entries.get(kind);
    if (entry !== undefined && nowMs - entry.admittedMs < intervalMs) {
      entry.heldBack++;
      return undefined;
    }
    this.#entries.delete(kind);
    this.#entries.set(kind, { admittedMs: nowMs, heldBack: 0 });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > maxKinds && oldest !== undefined) this.#entries.delete(oldest);
    return entry?.heldBack ?? 0;
  }
}
