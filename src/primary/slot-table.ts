/** Gives each worker of a program that forks its own a slot: the lowest that is free. Pure. */

import { maxWorkerSlots } from "../address/address.js";

export class SlotTable<Worker> {
  readonly #slotByWorker = new Map<Worker, number>();

  /** The slot of this worker, the same when asked again; undefined when all are taken. */
  take(worker: Worker): number | undefined {
    const known = this.#slotByWorker.get(worker);
    if (known !== undefined) return known;
    const taken = new Set(this.#slotByWorker.values());
    for (let slot = 0; slot < maxWorkerSlots; slot++) {
      if (taken.has(slot)) continue;
      this.#slotByWorker.set(worker, slot);
      return slot;
    }
    return undefined;
  }

  /** The worker that has this slot. */
  find(slot: number): Worker | undefined {
    for (const [worker, taken] of this.#slotByWorker) {
      if (taken === slot) return worker;
    }
    return undefined;
  }

  /** The worker has ended: answers the slot that is free again; undefined when it had none. */
  release(worker: Worker): number | undefined {
    const slot = this.#slotByWorker.get(worker);
    this.#slotByWorker.delete(worker);
    return slot;
  }
}
