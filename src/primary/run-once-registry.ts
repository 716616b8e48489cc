/** Decides which worker of the host holds each `runOnce` name. Pure: returns what changed. */

export interface Grant {
  readonly name: string;
  readonly slot: number;
}

export class RunOnceRegistry {
  /** Claimants in order of their claim; the first holds the name. */
  readonly #slotsByName = new Map<string, number[]>();

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
    const next = slots[0];
    if (next === undefined) this.#slotsByName.delete(name);
    return index === 0 && next !== undefined ? { name, slot: next } : undefined;
  }

  /** A worker ended: returns the grants of all names it held. */
  releaseAll(slot: number): Grant[] {
    return [...this.#slotsByName.keys()].flatMap((name) => this.release(name, slot) ?? []);
  }
}
