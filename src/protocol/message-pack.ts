/**
 * Says whether bytes are one value in MessagePack whose lengths are true, before a decoder makes room for what they claim.
 * https://github.com/msgpack/msgpack/blob/master/spec.md. Pure.
 */

import { FrameError } from "./frame.js";

/** Deeper than any application's data; a decoder calls itself for each level. */
const maxDepth = 500;

/** Bytes of the length, and bytes that follow it beside the content, of the types that name a length. */
const lengthBytesByType: ReadonlyMap<number, readonly [lengthBytes: number, extraBytes: number]> = new Map([
  [0xc4, [1, 0]],
  [0xc5, [2, 0]],
  [0xc6, [4, 0]],
  [0xc7, [1, 1]],
  [0xc8, [2, 1]],
  [0xc9, [4, 1]],
  [0xd9, [1, 0]],
  [0xda, [2, 0]],
  [0xdb, [4, 0]],
]);

/** Numbers, and extensions of a fixed length with their type. */
const contentBytesByType: ReadonlyMap<number, number> = new Map([
  [0xc0, 0],
  [0xc2, 0],
  [0xc3, 0],
  [0xca, 4],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xcf, 8],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
  [0xd3, 8],
  [0xd4, 2],
  [0xd5, 3],
  [0xd6, 5],
  [0xd7, 9],
  [0xd8, 17],
]);

/** Lists and maps: bytes of the count, and values per entry. */
const countBytesByType: ReadonlyMap<number, readonly [countBytes: number, valuesPerEntry: number]> = new Map([
  [0xdc, [2, 1]],
  [0xdd, [4, 1]],
  [0xde, [2, 2]],
  [0xdf, [4, 2]],
]);

/** @throws FrameError when they are not, or are too deep */
export function checkMessagePack(bytes: Buffer): void {
  /** Values that have to follow, of each list or map that is open. */
  const open = [1];
  let missing = 1;
  let at = 0;
  while (open.length > 0) {
    const depth = open.length - 1;
    const left = open[depth] as number;
    if (left === 0) {
      open.pop();
      continue;
    }
    open[depth] = left - 1;
    missing--;
    const type = readBytes(bytes, at, 1);
    const [end, values] = readExtent(bytes, at + 1, type);
    at = end;
    missing += values;
    // Each value takes up a byte at least: what a decoder makes room for is never more than the bytes there are.
    if (at + missing > bytes.length) throw new FrameError("bad-value", "MessagePack that ends too soon");
    if (values === 0) continue;
    if (open.length > maxDepth) throw new FrameError("bad-value", `MessagePack deeper than ${maxDepth} levels`);
    open.push(values);
  }
  if (at !== bytes.length) throw new FrameError("bad-value", "MessagePack with more behind it");
}

/** Where the value's own bytes end, and how many values follow that belong to it. */
function readExtent(bytes: Buffer, at: number, type: number): readonly [end: number, values: number] {
  if (type <= 0x7f || type >= 0xe0) return [at, 0];
  if (type <= 0x8f) return [at, 2 * (type & 0x0f)];
  if (type <= 0x9f) return [at, type & 0x0f];
  if (type <= 0xbf) return [at + (type & 0x1f), 0];
  const content = contentBytesByType.get(type);
  if (content !== undefined) return [at + content, 0];
  const counted = countBytesByType.get(type);
  if (counted !== undefined) return [at + counted[0], readBytes(bytes, at, counted[0]) * counted[1]];
  const long = lengthBytesByType.get(type);
  if (long !== undefined) return [at + long[0] + readBytes(bytes, at, long[0]) + long[1], 0];
  throw new FrameError("bad-value", `MessagePack of a type ${type}`);
}

function readBytes(bytes: Buffer, at: number, count: number): number {
  if (at + count > bytes.length) throw new FrameError("bad-value", "MessagePack that ends too soon");
  return bytes.readUIntBE(at, count);
}
