/** What each message of another region owes to whom, and what has come: once, in its sender's order, and nothing left out. */

import type { RegionWorker } from "./region-worker.js";

export interface Message {
  readonly id: number;
  readonly sender: RegionWorker;
  readonly sentMs: number;
  /** Those of other regions to whom it has to come. */
  readonly owed: Set<RegionWorker>;
}

export class MessageLedger {
  deliveries = 0;
  readonly #messages: Message[] = [];
  readonly #open = new Set<Message>();
  /** By receiver, then by sender. */
  readonly #lastIds = new Map<RegionWorker, Map<RegionWorker, number>>();
  /** What does not fit is given up: then it is only counted. */
  readonly #mayLose: boolean;
  /** Who has missed something may be told of it later than of what was sent next. */
  readonly #mayTellLate: boolean;
  readonly #fail: (text: string) => void;

  constructor(mayLose: boolean, mayTellLate: boolean, fail: (text: string) => void) {
    this.#mayLose = mayLose;
    this.#mayTellLate = mayTellLate;
    this.#fail = fail;
  }

  add(sender: RegionWorker, sentMs: number, owed: Set<RegionWorker>): Message {
    const message = { id: this.#messages.length, sender, sentMs, owed };
    this.#messages.push(message);
    if (owed.size > 0) this.#open.add(message);
    return message;
  }

  /** Takes debts back: what becomes of them is not known any more. */
  release(release: (message: Message) => void): void {
    for (const message of this.#open) {
      release(message);
      if (message.owed.size === 0) this.#open.delete(message);
    }
  }

  take(worker: RegionWorker, id: number): void {
    const message = this.#messages[id];
    if (message === undefined) {
      this.#fail(`${worker.place} hears of a message that nobody has sent`);
      return;
    }
    const { sender, owed } = message;
    if (sender.host.region === worker.host.region) return;
    const last = this.#swapLast(worker, sender, id);
    if (id === last) this.#fail(`${worker.place} hears message ${id} twice`);
    else if (id < last) this.#fail(`${worker.place} hears message ${id} after ${last}`);
    this.deliveries++;
    // In order: what came before and has not come, will not.
    for (let before = last + 1; before < id && !this.#mayTellLate; before++) {
      const missed = this.#messages[before];
      if (missed?.sender === sender && missed.owed.has(worker)) {
        this.#fail(`${worker.place} hears message ${id}, and has not heard ${before}`);
      }
    }
    if (owed.delete(worker) && owed.size === 0) this.#open.delete(message);
  }

  #swapLast(worker: RegionWorker, sender: RegionWorker, id: number): number {
    let lastIds = this.#lastIds.get(worker);
    if (lastIds === undefined) {
      lastIds = new Map();
      this.#lastIds.set(worker, lastIds);
    }
    const last = lastIds.get(sender) ?? -1;
    lastIds.set(sender, id);
    return last;
  }

  /** In words, a message that has not come to all; undefined when all has come that has to. */
  describeOpen(): string | undefined {
    if (this.#mayLose) return undefined;
    const [first] = this.#open;
    if (first === undefined) return undefined;
    const missing = [...first.owed].map(({ place }) => place).join();
    return `message ${first.id} of ${first.sender.place} never came to ${missing}`;
  }
}
