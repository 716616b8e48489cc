/** Requests that wait until every worker that is expected back has said what it serves. Pure. */

/** Beyond this, requests are passed on although somebody is missing: an answer without them is better than none. */
const maxHeldBytes = 8 * 1024 * 1024;

export interface HeldRequest {
  /** Who asked. */
  readonly place: string;
  readonly frame: Buffer;
}

export class HeldRequests {
  readonly #holdMs: number;
  #held: HeldRequest[] = [];
  #bytes = 0;
  #sinceMs = 0;

  constructor(holdMs: number) {
    this.#holdMs = holdMs;
  }

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  /** False when it cannot be held. */
  hold(place: string, bytes: Buffer, start: number, end: number, nowMs: number): boolean {
    if (this.#bytes + end - start > maxHeldBytes) return false;
    if (this.isEmpty) this.#sinceMs = nowMs;
    this.#held.push({ place, frame: Buffer.from(bytes.subarray(start, end)) });
    this.#bytes += end - start;
    return true;
  }

  isOverdue(nowMs: number): boolean {
    return !this.isEmpty && nowMs - this.#sinceMs >= this.#holdMs;
  }

  takeAll(): HeldRequest[] {
    const held = this.#held;
    this.#held = [];
    this.#bytes = 0;
    return held;
  }

  /** Who asked has gone. */
  forget(place: string): void {
    this.#held = this.#held.filter((request) => request.place !== place);
    this.#bytes = this.#held.reduce((sum, { frame }) => sum + frame.length, 0);
  }
}
