/** Cuts a byte stream into frames. Holds at most one incomplete frame, and no more than has arrived of it. Pure. */

import { FrameError, frameHeadBytes, lengthBytes, maxFrameBytes } from "./frame.js";

/** Called with each whole frame; the bytes are valid during the call only. */
export type TakeFrame = (bytes: Buffer, start: number, end: number) => void;

const smallestBuffer = 4_096;

export class FrameSplitter {
  readonly #take: TakeFrame;
  #maxFrameBytes: number;
  /** Beginning of a frame that has not arrived whole: the first `#heldBytes` of it. */
  #held: Buffer = Buffer.alloc(0);
  #heldBytes = 0;

  constructor(take: TakeFrame, limit = maxFrameBytes) {
    this.#take = take;
    this.#maxFrameBytes = limit;
  }

  /** Frames from the next on may be this long. */
  setLimit(limit: number): void {
    this.#maxFrameBytes = limit;
  }

  /** Bytes held of a frame that is not whole. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Takes what has arrived. After an error the stream is lost: where the next frame begins is not known.
   * @throws FrameError when a length is beyond the limits, and whatever `take` throws
   */
  push(chunk: Buffer): void {
    let at = 0;
    if (this.#heldBytes > 0) {
      at = this.#complete(chunk);
      if (this.#heldBytes > 0) return;
    }
    while (chunk.length - at >= lengthBytes) {
      const end = at + this.#readFrameBytes(chunk, at);
      if (end > chunk.length) break;
      this.#take(chunk, at, end);
      at = end;
    }
    if (at < chunk.length) this.#hold(chunk, at, chunk.length);
  }

  /** Adds to the held frame what belongs to it, and gives it on when it is whole. Answers where the rest begins. */
  #complete(chunk: Buffer): number {
    let at = 0;
    if (this.#heldBytes < lengthBytes) {
      at = Math.min(lengthBytes - this.#heldBytes, chunk.length);
      this.#hold(chunk, 0, at);
      if (this.#heldBytes < lengthBytes) return at;
    }
    const frameBytes = this.#readFrameBytes(this.#held, 0);
    const end = Math.min(at + frameBytes - this.#heldBytes, chunk.length);
    this.#hold(chunk, at, end);
    if (this.#heldBytes < frameBytes) return end;
    const held = this.#held;
    this.#heldBytes = 0;
    this.#held = Buffer.alloc(0);
    this.#take(held, 0, frameBytes);
    // One large frame must not make every later one hold as much.
    if (held.length <= smallestBuffer * 16 && this.#heldBytes === 0) this.#held = held;
    return end;
  }

  #readFrameBytes(bytes: Buffer, at: number): number {
    const frameBytes = bytes.readUInt32BE(at) + lengthBytes;
    if (frameBytes > this.#maxFrameBytes) {
      throw new FrameError("too-long", `a frame of ${frameBytes} bytes; the limit is ${this.#maxFrameBytes}`);
    }
    if (frameBytes < frameHeadBytes) throw new FrameError("too-short", `a frame of ${frameBytes} bytes`);
    return frameBytes;
  }

  /** Grows by what has arrived, not by what a length promises. */
  #hold(chunk: Buffer, start: number, end: number): void {
    const needed = this.#heldBytes + end - start;
    if (needed > this.#held.length) {
      const grown = Buffer.allocUnsafe(
        Math.max(needed, Math.min(this.#held.length * 2, this.#maxFrameBytes), smallestBuffer),
      );
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    chunk.copy(this.#held, this.#heldBytes, start, end);
    this.#heldBytes = needed;
  }
}
