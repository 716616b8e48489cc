/** Keeps a line that comes over and over from filling the log: each text once in an interval. Pure. */

const intervalMs = 10_000;
/** Texts may hold what a stranger sent: what is remembered of them is bounded. */
const maxTexts = 200;

export class RepeatFilter {
  readonly #entries = new Map<string, { admittedMs: number; heldBack: number }>();

  /** How many of the same text were held back before this one; undefined when this one is held back, too. */
  admit(text: string, nowMs: number): number | undefined {
    const entry = this.#entries.get(text);
    if (entry !== undefined && nowMs - entry.admittedMs < intervalMs) {
      entry.heldBack++;
      return undefined;
    }
    this.#entries.delete(text);
    this.#entries.set(text, { admittedMs: nowMs, heldBack: 0 });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > maxTexts && oldest !== undefined) this.#entries.delete(oldest);
    return entry?.heldBack ?? 0;
  }
}
