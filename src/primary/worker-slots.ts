/** The slots of a host's workers, in order: which are taken, by whom, and what each has gone through. Pure. */

import { maxWorkerSlots } from "../address/address.js";
import type { AppStartError } from "../errors.js";
import { freshHistory, type SlotHistory } from "./restart-policy.js";
import type { WorkerRecord } from "./worker-record.js";

export interface Slot {
  readonly number: number;
  record: WorkerRecord | undefined;
  /** Set until a worker that was added is ready: its end is told there, and it is not started again. */
  trial: Trial | undefined;
  history: SlotHistory;
  restarts: number;
  /** Since any worker of the host became ready. */
  restartsWithoutReady: number;
  restartTimer: NodeJS.Timeout | undefined;
  isRestartAsked: boolean;
}

export interface Trial {
  readonly resolve: (record: WorkerRecord) => void;
  readonly reject: (error: AppStartError) => void;
  /** Said by the worker itself, before its end. */
  failure: AppStartError | undefined;
}

export class WorkerSlots {
  readonly #slots: Slot[] = [];

  /** In the order of their numbers. */
  get all(): readonly Slot[] {
    return this.#slots;
  }

  get records(): WorkerRecord[] {
    return this.#slots.flatMap(({ record }) => record ?? []);
  }

  find(number: number): Slot | undefined {
    return this.#slots.find((slot) => slot.number === number);
  }

  has(slot: Slot): boolean {
    return this.#slots.includes(slot);
  }

  /** Takes the lowest number that is free. @throws RangeError when none is */
  add(): Slot {
    // The first place that is not its own number's is the lowest gap.
    const number = [...this.#slots, undefined].findIndex((slot, index) => slot?.number !== index);
    if (number >= maxWorkerSlots) throw new RangeError("all worker slots are taken");
    const slot: Slot = {
      number,
      record: undefined,
      trial: undefined,
      history: freshHistory,
      restarts: 0,
      restartsWithoutReady: 0,
      restartTimer: undefined,
      isRestartAsked: false,
    };
    this.#slots.splice(number, 0, slot);
    return slot;
  }

  remove(slot: Slot): void {
    this.#slots.splice(this.#slots.indexOf(slot), 1);
  }
}
