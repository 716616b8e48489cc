/** Reads integers, texts and bytes of a frame one after the other, and never beyond its end. Pure. */

import { FrameError } from "./frame.js";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class ByteReader {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;

  /** @param end where the frame ends in `bytes` */
  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  /** Moves past `count` bytes and answers where they begin. */
  skip(count: number): number {
    const at = this.at;
    if (count > this.end - at) throw new FrameError("truncated", `${count} bytes wanted, ${this.end - at} left`);
    this.at = at + count;
    return at;
  }

  u8(): number {
    const at = this.skip(1);
    return this.bytes[at] as number;
  }

  u16(): number {
    return this.bytes.readUInt16BE(this.skip(2));
  }

  u32(): number {
    return this.bytes.readUInt32BE(this.skip(4));
  }

  /** Counts that go on for the life of a process: 48 bits do not run out. */
  u48(): number {
    return this.bytes.readUIntBE(this.skip(6), 6);
  }

  /** ASCII of known length: uids. */
  ascii(count: number): string {
    const at = this.skip(count);
    return this.bytes.toString("latin1", at, at + count);
  }

  /** UTF-8 with a length of 16 bits before it. */
  text(): string {
    const count = this.u16();
    const at = this.skip(count);
    return decodeUtf8(this.bytes, at, at + count);
  }

  /** The rest, as a view. */
  rest(): Buffer {
    const view = this.bytes.subarray(this.at, this.end);
    this.at = this.end;
    return view;
  }

  /** @throws FrameError when something is left */
  finish(): void {
    if (this.at !== this.end) throw new FrameError("trailing-bytes", `${this.end - this.at} bytes too many`);
  }
}

/** Up to this length it is worth looking whether a text is ASCII, which costs a fifth of the checked decoding. */
const shortBytes = 64;

/** @throws FrameError when the bytes are not UTF-8 */
export function decodeUtf8(bytes: Buffer, start: number, end: number): string {
  if (end - start <= shortBytes && isAscii(bytes, start, end)) return bytes.toString("latin1", start, end);
  try {
    return utf8.decode(bytes.subarray(start, end));
  } catch {
    throw new FrameError("bad-text", "a text is not UTF-8");
  }
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if ((bytes[at] as number) > 0x7f) return false;
  }
  return true;
}
