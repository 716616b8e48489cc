/** Remembers the handshakes just sent to siblings, until the loads that the primary reports contain them. Pure. */

/** The primary spreads loads at most this often, and the sibling's report needs a moment to reach it. */
const rememberedForMs = 300;

export class RecentForwards {
  readonly #timesBySlot = new Map<number, number[]>();

  note(slot: number, nowMs: number): void {
    const times = this.#timesBySlot.get(slot);
    if (times === undefined) this.#timesBySlot.set(slot, [nowMs]);
    else times.push(nowMs);
  }

  count(slot: number, nowMs: number): number {
    const times = this.#timesBySlot.get(slot);
    if (times === undefined) return 0;
    let expired = 0;
    while (expired < times.length && nowMs - (times[expired] ?? nowMs) > rememberedForMs) expired++;
    if (expired > 0) times.splice(0, expired);
    return times.length;
  }
}
