/**
 * A frame on its way through regions: the frame of a worker with the router it began at, and its number there, before it.
 * Whoever has seen that number of that router drops what comes again. Pure.
 *
 * After the frame's head (its flag `volatile` is that of the frame within): `u48 sequence` (0: outside the sequence, never
 * sent twice), `text incarnation`, the frame.
 */

import { ByteReader } from "./byte-reader.js";
import { FrameError, frameFlags, frameHeadBytes, frameKinds, lengthBytes, maxFrameBytes } from "./frame.js";

const incarnationAt = frameHeadBytes + 6;
const maxIncarnationBytes = 64;

/** Only a broadcast may be dropped for being volatile: workers count commands, and who asks waits for all who were asked. */
export function isVolatileFrame(bytes: Uint8Array, start: number): boolean {
  const kind = bytes[start + lengthBytes];
  if (kind !== frameKinds.broadcast && kind !== frameKinds.regional) return false;
  return ((bytes[start + lengthBytes + 1] as number) & frameFlags.volatile) !== 0;
}

/** Workers drop such a frame when it comes again; those that are volatile are never sent again. */
export function isRegionalFrame(frame: Uint8Array): boolean {
  return frame[lengthBytes] === frameKinds.regional;
}

/** Copies a frame. Undefined when it would be too long. @param incarnation of this router, as UTF-8 */
export function encodeRegionalFrame(
  incarnation: Uint8Array,
  sequence: number,
  bytes: Buffer,
  start: number,
  end: number,
): Buffer | undefined {
  const innerAt = incarnationAt + 2 + incarnation.length;
  const frameBytes = innerAt + end - start;
  if (frameBytes > maxFrameBytes) return undefined;
  const frame = Buffer.allocUnsafe(frameBytes);
  frame.writeUInt32BE(frameBytes - lengthBytes, 0);
  frame[lengthBytes] = frameKinds.regional;
  frame[lengthBytes + 1] = isVolatileFrame(bytes, start) ? frameFlags.volatile : 0;
  frame.writeUIntBE(sequence, frameHeadBytes, 6);
  frame.writeUInt16BE(incarnation.length, incarnationAt);
  frame.set(incarnation, incarnationAt + 2);
  bytes.copy(frame, innerAt, start, end);
  return frame;
}

export interface RegionalHead {
  readonly sequence: number;
  readonly incarnation: string;
  /** Where the frame within begins; it ends where this one does. */
  readonly innerStart: number;
}

/** @throws FrameError when it is none, or what is within is no frame of a worker */
export function readRegionalHead(bytes: Buffer, start: number, end: number): RegionalHead {
  const reader = new ByteReader(bytes, start + frameHeadBytes, end);
  const sequence = reader.u48();
  const incarnation = reader.text();
  if (incarnation.length === 0 || incarnation.length > maxIncarnationBytes) {
    throw new FrameError("bad-value", `an incarnation of ${incarnation.length} characters`);
  }
  return { sequence, incarnation, innerStart: checkInner(reader) };
}

/**
 * Where the frame within begins, of a frame of the router with this incarnation (as UTF-8): a text would cost more than all
 * else here. @throws FrameError as `readRegionalHead`, and for a frame of another router
 */
export function findInnerOf(incarnation: Uint8Array, bytes: Buffer, start: number, end: number): number {
  const reader = new ByteReader(bytes, start + frameHeadBytes + 6, end);
  const count = reader.u16();
  const at = reader.skip(count);
  let isSame = count === incarnation.length;
  for (let index = 0; isSame && index < count; index++) isSame = bytes[at + index] === incarnation[index];
  if (!isSame) throw new FrameError("bad-value", "a frame of another router than the one that has linked");
  return checkInner(reader);
}

/** The reader is where the frame within begins. */
function checkInner(reader: ByteReader): number {
  const { bytes, at: innerStart, end } = reader;
  const innerBytes = reader.u32() + lengthBytes;
  if (innerBytes !== end - innerStart || innerBytes < frameHeadBytes) {
    throw new FrameError("truncated", "a frame within a frame is not as long as it says");
  }
  if (bytes[innerStart + lengthBytes] === frameKinds.regional) {
    throw new FrameError("bad-value", "a regional frame within a regional frame");
  }
  return innerStart;
}

/** Where the frame of a worker begins: after the head of a regional frame, or at once. @throws FrameError like the above */
export function findInnerStart(bytes: Buffer, start: number, end: number): number {
  return bytes[start + lengthBytes] === frameKinds.regional ? readRegionalHead(bytes, start, end).innerStart : start;
}
