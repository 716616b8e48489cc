/** Decides which worker of the host holds each `runOnce` name. Pure: returns what changed. */

export interface Grant {
  readonly name: string;
  readonly slot: number;
}

export class RunOnceRegistry {
  /** The first holds the name; the others wait, in order of their claim. */
  readonly #slotsByName = new Map<string, number[]>();
  readonly #isLeaving: (slot: number) => boolean;

  /** @param isLeaving workers that get a name only when there is no other, so that a job does not move from one to the next */
  constructor(isLeaving: (slot: number) => boolean = () => false) {
    this.#isLeaving = isLeaving;
  }

  /** Returns the grant if the claimant is the first. */
  claim(name: string, slot: number): Grant | undefined {
    const slots = this.#slotsByName.get(name);
    if (slots === undefined) {
      this.#slotsByName.set(name, [slot]);
      return { name, slot };
    }
    if (!slots.includes(slot)) slots.push(slot);
    return undefined;
  }

  /** Returns the grant to the next claimant, if the name was held by this slot and somebody waits for it. */
  release(name: string, slot: number): Grant | undefined {
    const slots = this.#slotsByName.get(name);
    const index = slots?.indexOf(slot) ?? -1;
    if (slots === undefined || index === -1) return undefined;
    slots.splice(index, 1);
    if (slots.length === 0) this.#slotsByName.delete(name);
    if (index !== 0 || slots.length === 0) return undefined;
    const staying = slots.findIndex((claimant) => !this.#isLeaving(claimant));
    slots.unshift(...slots.splice(Math.max(staying, 0), 1));
    return { name, slot: slots[0] as number };
  }

  /** A worker ended: returns the grants of all names it held. */
  releaseAll(slot: number): Grant[] {
    return [...this.#slotsByName.keys()].flatMap((name) => this.release(name, slot) ?? []);
  }
}
