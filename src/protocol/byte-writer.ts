/** Builds one frame: grows as needed, and fills in the length at the end. Pure. */

import { frameHeadBytes, lengthBytes } from "./frame.js";

export class ByteWriter {
  #bytes: Buffer;
  #at = frameHeadBytes;

  /** @param expectedBytes how long the frame will probably be */
  constructor(kind: number, flags = 0, expectedBytes = 64) {
    this.#bytes = Buffer.allocUnsafe(Math.max(expectedBytes, frameHeadBytes));
    this.#bytes[lengthBytes] = kind;
    this.#bytes[lengthBytes + 1] = flags;
  }

  get length(): number {
    return this.#at;
  }

  #reserve(count: number): number {
    const at = this.#at;
    const needed = at + count;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    this.#at = needed;
    return at;
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    // The place first: making room may replace the bytes.
    const at = this.#reserve(2);
    this.#bytes.writeUInt16BE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#bytes.writeUInt32BE(value, at);
    return this;
  }

  /** Counts that go on for the life of a process: 48 bits do not run out. */
  u48(value: number): this {
    const at = this.#reserve(6);
    this.#bytes.writeUIntBE(value, at, 6);
    return this;
  }

  raw(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** ASCII whose length the reader knows. */
  ascii(text: string): this {
    const at = this.#reserve(text.length);
    this.#bytes.write(text, at, text.length, "latin1");
    return this;
  }

  /** UTF-8 with a length of 16 bits before it. */
  text(text: string): this {
    const count = Buffer.byteLength(text);
    this.u16(count);
    const at = this.#reserve(count);
    this.#bytes.write(text, at, count, "utf8");
    return this;
  }

  /** Sets a 32-bit value written before. */
  patchU32(at: number, value: number): this {
    this.#bytes.writeUInt32BE(value, at);
    return this;
  }

  /** The frame, its length filled in. */
  finish(): Buffer {
    this.#bytes.writeUInt32BE(this.#at - lengthBytes, 0);
    return this.#bytes.subarray(0, this.#at);
  }
}
