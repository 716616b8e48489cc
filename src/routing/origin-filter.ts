/**
 * Drops what has come before: each frame of another region has the router it began at and a number that ascends there. A link
 * that comes back sends again what was not acknowledged, maybe by way of another host, and it all ends here. Pure.
 */

/** Whoever knows the secret of the links can name routers; and each restart of a real one makes a new name. */
const maxOrigins = 1_024;

interface Origin {
  sequence: number;
  /** Number of the call that saw it last. */
  seen: number;
}

export class OriginFilter {
  readonly #origins = new Map<string, Origin>();
  #calls = 0;
  /** Frames that had come before. */
  doubles = 0;

  /** @param sequence 0: outside the sequence, never sent twice */
  isNew(incarnation: string, sequence: number): boolean {
    if (sequence === 0) return true;
    this.#calls++;
    const origin = this.#origins.get(incarnation);
    if (origin === undefined) {
      if (this.#origins.size >= maxOrigins) this.#forgetOne();
      this.#origins.set(incarnation, { sequence, seen: this.#calls });
      return true;
    }
    origin.seen = this.#calls;
    if (sequence <= origin.sequence) {
      this.doubles++;
      return false;
    }
    origin.sequence = sequence;
    return true;
  }

  /** The one that has been silent for longest: most probably its router has ended. */
  #forgetOne(): void {
    let oldest: string | undefined;
    let oldestSeen = Number.POSITIVE_INFINITY;
    for (const [incarnation, { seen }] of this.#origins) {
      if (seen >= oldestSeen) continue;
      oldest = incarnation;
      oldestSeen = seen;
    }
    if (oldest !== undefined) this.#origins.delete(oldest);
  }
}
