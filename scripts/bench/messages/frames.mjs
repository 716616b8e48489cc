// WebSocket frames that the load sends: encoded and masked once, then only a sequence number is written into a copy; pure.

const MASK = [0x37, 0xfa, 0x21, 0x3d]; // fixed; the server has to unmask all the same

/** Every message carries its sequence number as ten digits, so that it is found and read at a fixed place. */
export const SEQUENCE_DIGITS = 10;
export const SEQUENCE_BASE = 1_000_000_000;
export const SEQUENCE_PLACEHOLDER = String(SEQUENCE_BASE);

/** A masked text frame from a client. */
export function encodeTextFrame(text) {
  const payload = Buffer.from(text);
  const headSize = payload.length < 126 ? 2 : 4;
  const frame = Buffer.alloc(headSize + MASK.length + payload.length);
  frame[0] = 0x81;
  if (headSize === 2) {
    frame[1] = 0x80 | payload.length;
  } else {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(payload.length, 2);
  }
  frame.set(MASK, headSize);
  for (let i = 0; i < payload.length; i++) {
    frame[headSize + MASK.length + i] = payload[i] ^ MASK[i & 3];
  }
  return frame;
}

export class FrameTemplate {
  #frame;
  #sequenceStart;
  #sequenceMask;

  /** `text` contains the placeholder once. */
  constructor(text) {
    const placeholderStart = Buffer.from(text).indexOf(SEQUENCE_PLACEHOLDER);
    if (placeholderStart === -1) {
      throw new Error("a frame without a place for its sequence number");
    }
    this.#frame = encodeTextFrame(text);
    this.#sequenceStart = this.#frame.length - Buffer.byteLength(text) + placeholderStart;
    this.#sequenceMask = Array.from({ length: SEQUENCE_DIGITS }, (_, i) => MASK[(placeholderStart + i) & 3]);
  }

  get size() {
    return this.#frame.length;
  }

  /** Writes the frame of this sequence number (0, 1, 2 …) into `target` and answers where it ends. */
  write(target, start, sequence) {
    target.set(this.#frame, start);
    let rest = SEQUENCE_BASE + sequence;
    for (let i = SEQUENCE_DIGITS - 1; i >= 0; i--) {
      const next = Math.floor(rest / 10);
      target[start + this.#sequenceStart + i] = (48 + rest - next * 10) ^ this.#sequenceMask[i];
      rest = next;
    }
    return start + this.#frame.length;
  }
}

/** The sequence number in a payload that the server sent. */
export function readSequence(bytes, start) {
  let value = 0;
  for (let i = start; i < start + SEQUENCE_DIGITS; i++) {
    value = value * 10 + bytes[i] - 48;
  }
  return value - SEQUENCE_BASE;
}
