/**
 * What waits to be written to one connection, within a bound. Frames that may be lost go first; when the others do not fit
 * either, all of them are counted as lost and given up, since a receiver that missed one has to start anew. Pure.
 */

import { FrameQueue } from "./frame-queue.js";

export interface OutboxLimits {
  /** Frames that are kept may take up this much; a single one that is longer may be alone. */
  readonly maxBytes: number;
  /** Volatile frames that would make more than this wait are dropped: what is current soon is not worth a queue. */
  readonly maxVolatileBytes: number;
}

/** `lost`: this frame, and with it everything that waited. */
export type PushResult = "queued" | "dropped" | "lost";

export class Outbox {
  readonly #limits: OutboxLimits;
  /** One store of blocks for both lanes: what is urgent is small, and comes often. */
  readonly #spare: Buffer[] = [];
  readonly #urgent = new FrameQueue(this.#spare);
  readonly #frames = new FrameQueue(this.#spare);
  #lostFrames = 0;
  /** Totals since the beginning. */
  droppedVolatile = 0;
  lostTotal = 0;
  /** Bytes of frames, those that overtake left out, that do not wait here any more: taken to be written, or lost. */
  passedBytes = 0;

  constructor(limits: OutboxLimits) {
    this.#limits = limits;
  }

  get queuedBytes(): number {
    return this.#urgent.queuedBytes + this.#frames.queuedBytes;
  }

  /** What `passedBytes` will be when all that waits now does not wait any more. */
  get position(): number {
    return this.passedBytes + this.#frames.queuedBytes;
  }

  /** Bytes in the lane that overtakes. */
  get urgentBytes(): number {
    return this.#urgent.queuedBytes;
  }

  get isEmpty(): boolean {
    return this.queuedBytes === 0;
  }

  /** Frames lost whose receiver has not been told. */
  get untoldLoss(): number {
    return this.#lostFrames;
  }

  /** Overtakes what waits; not bounded here: the caller watches `urgentBytes`. */
  pushUrgent(frame: Uint8Array): void {
    this.#urgent.push(frame, 0, frame.length);
  }

  push(bytes: Uint8Array, start: number, end: number, isVolatile: boolean): PushResult {
    const result = this.#admit(end - start, isVolatile);
    if (result === "queued") this.#frames.push(bytes, start, end, isVolatile);
    return result;
  }

  /** Makes room for a frame, which the caller writes to `target` from `at` on when the answer is `queued`. */
  reserve(frameBytes: number, isVolatile: boolean): PushResult {
    const result = this.#admit(frameBytes, isVolatile);
    if (result === "queued") this.#frames.reserve(frameBytes, isVolatile);
    return result;
  }

  get target(): Buffer {
    return this.#frames.target;
  }

  get at(): number {
    return this.#frames.at;
  }

  #admit(frameBytes: number, isVolatile: boolean): PushResult {
    const limit = isVolatile ? this.#limits.maxVolatileBytes : this.#limits.maxBytes;
    const waiting = this.#frames.queuedBytes;
    // A frame that nothing waits before is let in, however long it is: its own limit is another.
    if (this.#lostFrames === 0 && (waiting === 0 || waiting + frameBytes <= limit)) return "queued";
    if (isVolatile) {
      this.droppedVolatile++;
      return "dropped";
    }
    // Once something is lost, nothing is kept until the receiver has been told: it has to start anew anyway.
    this.#lostFrames += this.#loseQueued(1);
    return "lost";
  }

  /** Answers how many frames that is, with `more` that were not queued; what was volatile counts as dropped. */
  #loseQueued(more: number): number {
    const volatileFrames = this.#frames.queuedVolatileFrames;
    this.passedBytes += this.#frames.queuedBytes;
    const frames = this.#frames.clear() - volatileFrames + more;
    this.droppedVolatile += volatileFrames;
    this.lostTotal += frames;
    return frames;
  }

  /** The receiver is being told of its loss, by a frame that the caller pushes next; answers how many frames. */
  tellLoss(): number {
    const frames = this.#lostFrames;
    this.#lostFrames = 0;
    return frames;
  }

  /** Takes about `maxBytes` to be written, what is urgent first. */
  take(maxBytes: number): Buffer[] {
    const blocks: Buffer[] = [];
    const urgentBytes = this.#urgent.queuedBytes > 0 ? this.#urgent.take(maxBytes, blocks) : 0;
    if (urgentBytes < maxBytes && this.#frames.queuedBytes > 0) {
      this.passedBytes += this.#frames.take(maxBytes - urgentBytes, blocks);
    }
    return blocks;
  }

  /** Takes what is urgent only. */
  takeUrgent(maxBytes: number): Buffer[] {
    const blocks: Buffer[] = [];
    if (this.#urgent.queuedBytes > 0) this.#urgent.take(maxBytes, blocks);
    return blocks;
  }

  /** Gives back what has been written. */
  release(blocks: readonly Buffer[]): void {
    for (const block of blocks) this.#frames.release(block);
  }

  clearUrgent(): void {
    this.#urgent.clear();
  }

  /** Gives everything up; answers how many frames, told or not, will not be delivered. */
  abandon(): number {
    this.#urgent.clear();
    const lost = this.#loseQueued(0) + this.#lostFrames;
    this.#lostFrames = 0;
    return lost;
  }
}
