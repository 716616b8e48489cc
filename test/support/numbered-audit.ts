/**
 * Checks what one client hears of numbered senders (test/fixtures/fabric/numbered-sender.mjs): nothing twice, nothing out
 * of order, nothing missing in the rooms that it is a member of. Pure.
 */

/** One stay in one room: the numbers heard, by sender. */
type Stay = Map<string, number[]>;

export class NumberedAudit {
  /** Messages heard. */
  heard = 0;
  /** What was wrong, in words; empty is good. */
  readonly faults: string[] = [];
  readonly #stays = new Map<string, Stay>();
  readonly #lastCount = new Map<string, number>();
  #watchers: (() => boolean)[] = [];

  /** From now on what comes of this room is looked at. */
  enter(room: string): void {
    this.#stays.set(room, new Map());
  }

  /** Nothing of this room may come any more, unless it is of another room as well. */
  leave(room: string): void {
    this.#stays.delete(room);
  }

  /** @param count the message's number among all of its sender  @param numbers for each room, the number in that */
  take(sender: string, count: number, rooms: readonly string[], numbers: readonly number[]): void {
    this.heard++;
    const before = this.#lastCount.get(sender) ?? 0;
    if (count === before) this.#fault(`${sender}'s message ${count} came twice`);
    if (count < before) this.#fault(`${sender}'s message ${count} came after its message ${before}`);
    this.#lastCount.set(sender, count);
    let isOurs = false;
    for (let index = 0; index < rooms.length; index++) {
      const room = rooms[index] as string;
      const stay = this.#stays.get(room);
      if (stay === undefined) continue;
      isOurs = true;
      this.#takeNumber(stay, room, sender, numbers[index] as number);
    }
    if (!isOurs) this.#fault(`${sender}'s message ${count} is to ${rooms.join(" and ")}, which this client is not in`);
    this.#watchers = this.#watchers.filter((watch) => !watch());
  }

  /** Holes are looked for later: who has joined, but has not been told so, may hear some and not others. */
  #takeNumber(stay: Stay, room: string, sender: string, number: number): void {
    const heard = stay.get(sender);
    if (heard === undefined) {
      stay.set(sender, [number]);
      return;
    }
    const last = heard[heard.length - 1] as number;
    if (number <= last) this.#fault(`${sender}'s number ${number} in ${room} came after ${last}`);
    heard.push(number);
  }

  /** Last number heard of a sender in a room during this stay; 0 for none. */
  lastOf(room: string, sender: string): number {
    return this.#stays.get(room)?.get(sender)?.at(-1) ?? 0;
  }

  /** Everything of a sender after one number, up to another, must have been heard in this stay. */
  expect(room: string, sender: string, after: number, upTo: number): void {
    const heard = this.#stays.get(room)?.get(sender) ?? [];
    let next = after + 1;
    for (const number of heard) {
      if (number < next || number > upTo) continue;
      if (number > next) this.#fault(`${sender}'s numbers ${next} to ${number - 1} in ${room} did not come`);
      next = number + 1;
    }
    if (next <= upTo) this.#fault(`${sender}'s numbers ${next} to ${upTo} in ${room} did not come`);
  }

  /** Resolves when a number of a sender has been heard, or at once, if it has. */
  async reach(room: string, sender: string, number: number): Promise<void> {
    if (this.lastOf(room, sender) >= number) return;
    await new Promise<void>((resolve) => {
      this.#watchers.push(() => {
        const isReached = this.lastOf(room, sender) >= number;
        if (isReached) resolve();
        return isReached;
      });
    });
  }

  #fault(text: string): void {
    // The first say what is wrong; the rest would be thousands.
    if (this.faults.length < 10) this.faults.push(text);
  }
}
