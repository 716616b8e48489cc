/** A time without a link to a region: since when, why, and whether it has been told. Pure. */

/** A region that is started with this one, or a connection that is made anew, is there before; a dial that is not answered has failed. */
const tellAfterMs = 6_000;

export class LinkAbsence {
  readonly sinceMs: number;
  /** There has been none before, of this router. */
  readonly isFromStart: boolean;
  /** Of the end of the last link, or of the last that could not be made. */
  reason: string;
  #isTold = false;

  constructor(nowMs: number, reason: string | undefined) {
    this.sinceMs = nowMs;
    this.isFromStart = reason === undefined;
    this.reason = reason ?? "no answer yet";
  }

  /** For people: to a tenth of a second. */
  describe(nowMs: number): { readonly seconds: number; readonly reason: string } {
    return { seconds: Math.round((nowMs - this.sinceMs) / 100) / 10, reason: this.reason };
  }

  get isTold(): boolean {
    return this.#isTold;
  }

  /** When it is to be told, once. */
  get dueMs(): number {
    return this.#isTold ? Number.POSITIVE_INFINITY : this.sinceMs + tellAfterMs;
  }

  /** Answers whether it is to be told now. */
  takeDue(nowMs: number): boolean {
    if (nowMs < this.dueMs) return false;
    this.#isTold = true;
    return true;
  }
}
