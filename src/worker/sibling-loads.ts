/** Knows the siblings' loads sooner than the primary's news: by what was just sent to them and what they answered. Pure. */

/** A sibling's report to the primary and the primary's news together take about this long. */
const newsDelayMs = 150;
/** A forward or an answer is given up after this: by then the news contain it, also on a busy machine. */
const rememberedForMs = 1_000;

interface AnsweredLoad {
  readonly load: number;
  readonly atMs: number;
}

export class SiblingLoads {
  readonly #forwardTimesBySlot = new Map<number, number[]>();
  readonly #answeredBySlot = new Map<number, AnsweredLoad>();
  #newsAtMs = Number.NEGATIVE_INFINITY;

  /** A handshake has been sent to that sibling. */
  noteForward(slot: number, nowMs: number): void {
    const times = this.#forwardTimesBySlot.get(slot);
    if (times === undefined) this.#forwardTimesBySlot.set(slot, [nowMs]);
    else times.push(nowMs);
  }

  /** The sibling has answered one of them. @param load what it has said to have then, this one included */
  noteAnswer(slot: number, load: number, nowMs: number): void {
    this.#forwardTimesBySlot.get(slot)?.shift();
    this.#answeredBySlot.set(slot, { load, atMs: nowMs });
  }

  /** The primary has told about all siblings. */
  noteNews(nowMs: number): void {
    this.#newsAtMs = nowMs;
  }

  /** @param newsLoad what the primary's latest news say */
  estimate(slot: number, newsLoad: number, nowMs: number): number {
    const answered = this.#answeredBySlot.get(slot);
    const isNewer =
      answered !== undefined &&
      nowMs - answered.atMs <= rememberedForMs &&
      this.#newsAtMs - answered.atMs < newsDelayMs;
    return (isNewer ? answered.load : newsLoad) + this.#countUnanswered(slot, nowMs);
  }

  #countUnanswered(slot: number, nowMs: number): number {
    const times = this.#forwardTimesBySlot.get(slot);
    if (times === undefined) return 0;
    let expired = 0;
    while (expired < times.length && nowMs - (times[expired] ?? nowMs) > rememberedForMs) expired++;
    if (expired > 0) times.splice(0, expired);
    return times.length;
  }
}
