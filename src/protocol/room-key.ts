/** Rooms as they travel: typed values, since `join(1)` is not `join("1")`. Pure. */

import { decodeUtf8 } from "./byte-reader.js";
import { FrameError, maxRoomBytes } from "./frame.js";

/** What may name a room across workers. Socket.IO takes anything; what is neither matches nobody elsewhere. */
export type RoomName = string | number;

const textType = 0x73; // "s"
const numberType = 0x6e; // "n"
const notANumber = Uint8Array.of(0x7f, 0xf8, 0, 0, 0, 0, 0, 0);

/**
 * The bytes of a room: its type, then UTF-8 or a 64-bit float. Undefined for what cannot be encoded: other types, text
 * with half a surrogate pair (two such rooms would become one), text that is too long.
 */
export function encodeRoom(room: unknown): Buffer | undefined {
  if (typeof room === "string") {
    if (!room.isWellFormed()) return undefined;
    const count = Buffer.byteLength(room);
    if (count > maxRoomBytes) return undefined;
    const bytes = Buffer.allocUnsafe(1 + count);
    bytes[0] = textType;
    bytes.write(room, 1, count, "utf8");
    return bytes;
  }
  if (typeof room === "number") {
    const bytes = Buffer.allocUnsafe(9);
    bytes[0] = numberType;
    // Sets and Maps hold 0 and -0 to be the same, and so do rooms.
    bytes.writeDoubleBE(room === 0 ? 0 : room, 1);
    // And so with every NaN, whose bits differ: 0/0 has the sign set where the constant has not.
    if (Number.isNaN(room)) bytes.set(notANumber, 1);
    return bytes;
  }
  return undefined;
}

/** @throws FrameError when the bytes are no room */
export function decodeRoom(bytes: Buffer, start: number, end: number): RoomName {
  switch (bytes[start]) {
    case textType:
      if (start < end) return decodeUtf8(bytes, start + 1, end);
      break;
    case numberType:
      if (end - start === 9) return bytes.readDoubleBE(start + 1);
      break;
    default:
  }
  throw new FrameError("bad-room", "a room is neither text nor number");
}

/**
 * A room as a Map key that costs no decoding: one character per byte. Equal keys are equal rooms.
 */
export function readRoomKey(bytes: Buffer, start: number, end: number): string {
  return bytes.toString("latin1", start, end);
}

/** Encodes rooms and remembers what it encoded lately: an application emits to the same rooms again and again. */
export class RoomEncoder {
  readonly #known = new Map<unknown, Buffer | undefined>();
  readonly #maxKnown: number;

  constructor(maxKnown = 4_096) {
    this.#maxKnown = maxKnown;
  }

  encode(room: unknown): Buffer | undefined {
    const known = this.#known.get(room);
    if (known !== undefined) return known;
    const bytes = encodeRoom(room);
    // A long name is encoded anew rather than kept.
    if (bytes !== undefined && bytes.length <= 64) {
      if (this.#known.size >= this.#maxKnown) this.#known.clear();
      this.#known.set(room, bytes);
    }
    return bytes;
  }
}
