/**
 * Frames that were read in one turn of the event loop, and are passed on in the next one.
 *
 * The system tells which connections can be read in the order in which they became readable, and a router that was busy
 * meanwhile reads all that has come: a message may be read before the announcement of a room that was sent earlier, on
 * another connection, and the message would miss the room's new member. When a message has been read, everything that was
 * sent before it is in the kernel, so that the next turn reads it. Announcements are therefore taken when they are read,
 * and messages a turn later. Pure.
 */

interface HeldFrame<Source> {
  readonly source: Source;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

export class HeldFrames<Source> {
  readonly #take: (source: Source, bytes: Buffer, start: number, end: number) => void;
  /** In the order in which they were read. */
  #frames: HeldFrame<Source>[] = [];
  /** How many of them were read before this turn. */
  #ripe = 0;
  /** The next to take. */
  #at = 0;

  /** @param take may call `takeAll` */
  constructor(take: (source: Source, bytes: Buffer, start: number, end: number) => void) {
    this.#take = take;
  }

  get isEmpty(): boolean {
    return this.#frames.length === 0;
  }

  /** The bytes must stay as they are. */
  add(source: Source, bytes: Buffer, start: number, end: number): void {
    this.#frames.push({ source, bytes, start, end });
  }

  /** A turn of reading has ended: takes what was read before it. */
  endTurn(): void {
    while (this.#at < this.#ripe) this.#takeNext();
    this.#frames.splice(0, this.#at);
    this.#at = 0;
    this.#ripe = this.#frames.length;
  }

  /** Something comes that must not overtake them. */
  takeAll(): void {
    while (this.#at < this.#frames.length) this.#takeNext();
    this.#frames = [];
    this.#at = 0;
    this.#ripe = 0;
  }

  #takeNext(): void {
    const { source, bytes, start, end } = this.#frames[this.#at++] as HeldFrame<Source>;
    this.#take(source, bytes, start, end);
  }
}
