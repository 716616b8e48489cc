/**
 * What a link session sends at once: who to whom, acknowledgement, and whole frames or a piece of a long one. A carrier may
 * lose, double and reorder datagrams, never change them. Pure.
 *
 * `u8 version`, `u8 flags`, `text from`, `text to` (incarnations), `u48 packet`, `u48 acked`, `u32 ackedBytes`, `u48 highest
 * packet seen`, `u48 lost`, `u48 base`, `u48 first`, then `u8 isVolatile, frame` again and again, or, of a fragment, `u32
 * offset`, `u32 frame length` and bytes. Integers are big-endian.
 */

import { ByteReader } from "./byte-reader.js";
import { FrameError, frameHeadBytes, lengthBytes, maxFrameBytes } from "./frame.js";

export const datagramVersion = 1;
const maxIncarnationBytes = 64;
const flagGap = 1;
const flagFragment = 2;
const flagAsksAck = 4;
/** Everything but the incarnations and the content. */
const headBytes = 2 + 2 + 2 + 6 + 6 + 4 + 6 + 6 + 6 + 6;

/** What a receiver says of the frames it gets. */
export interface Acknowledgement {
  /** All frames up to this sequence have been taken, or are known to be lost. */
  readonly acked: number;
  /** Bytes taken of the frame that follows. */
  readonly ackedBytes: number;
  /** Something came that does not follow on what has been taken. */
  readonly hasGap: boolean;
  readonly highestPacket: number;
  /** Frames that the sender gave up before they had come. */
  readonly lostTotal: number;
}

export interface DatagramFrame {
  readonly isVolatile: boolean;
  readonly frame: Buffer;
}

export interface Fragment {
  readonly offset: number;
  readonly frameBytes: number;
  readonly bytes: Buffer;
}

/** What a sender says of the frames it has. */
export interface Batch {
  /** Lowest sequence that the sender still has: what is below was acknowledged or given up. */
  readonly base: number;
  /** Sequence of the first frame here that has one; the others follow on it. */
  readonly first: number;
  readonly frames: readonly DatagramFrame[];
  /** A piece of the frame with sequence `first`; `frames` is empty then. */
  readonly fragment: Fragment | undefined;
  /** An acknowledgement is wanted although nothing else here would need one. */
  readonly asksAck: boolean;
}

export interface Datagram extends Acknowledgement, Batch {
  readonly from: string;
  readonly to: string;
  /** Ascending: tells a datagram that comes twice, or late. */
  readonly packet: number;
}

export function encodeDatagram(datagram: Datagram): Buffer {
  const { from, to, packet, fragment, frames } = datagram;
  const contentBytes =
    fragment === undefined ? frames.reduce((sum, { frame }) => sum + 1 + frame.length, 0) : 8 + fragment.bytes.length;
  const bytes = Buffer.allocUnsafe(headBytes + Buffer.byteLength(from) + Buffer.byteLength(to) + contentBytes);
  bytes[0] = datagramVersion;
  bytes[1] =
    (datagram.hasGap ? flagGap : 0) |
    (fragment === undefined ? 0 : flagFragment) |
    (datagram.asksAck ? flagAsksAck : 0);
  let at = writeText(bytes, 2, from);
  at = writeText(bytes, at, to);
  at = bytes.writeUIntBE(packet, at, 6);
  at = bytes.writeUIntBE(datagram.acked, at, 6);
  at = bytes.writeUInt32BE(datagram.ackedBytes, at);
  at = bytes.writeUIntBE(datagram.highestPacket, at, 6);
  at = bytes.writeUIntBE(datagram.lostTotal, at, 6);
  at = bytes.writeUIntBE(datagram.base, at, 6);
  at = bytes.writeUIntBE(datagram.first, at, 6);
  if (fragment !== undefined) {
    at = bytes.writeUInt32BE(fragment.offset, at);
    at = bytes.writeUInt32BE(fragment.frameBytes, at);
    fragment.bytes.copy(bytes, at);
    return bytes;
  }
  for (const { isVolatile, frame } of frames) {
    bytes[at] = isVolatile ? 1 : 0;
    at += 1 + frame.copy(bytes, at + 1);
  }
  return bytes;
}

function writeText(bytes: Buffer, at: number, text: string): number {
  const count = bytes.write(text, at + 2, "utf8");
  bytes.writeUInt16BE(count, at);
  return at + 2 + count;
}

/** The frames are views of `bytes`. @throws FrameError for everything else than a datagram of this version */
export function decodeDatagram(bytes: Buffer): Datagram {
  const reader = new ByteReader(bytes, 0, bytes.length);
  const version = reader.u8();
  if (version !== datagramVersion) throw new FrameError("bad-version", `a datagram of version ${version}`);
  const flags = reader.u8();
  if ((flags & ~(flagGap | flagFragment | flagAsksAck)) !== 0)
    throw new FrameError("bad-value", `unknown flags ${flags}`);
  const from = readIncarnation(reader);
  const to = readIncarnation(reader);
  const packet = reader.u48();
  const acked = reader.u48();
  const ackedBytes = reader.u32();
  const highestPacket = reader.u48();
  const lostTotal = reader.u48();
  const base = reader.u48();
  const first = reader.u48();
  if (packet === 0 || base === 0 || first < base) {
    throw new FrameError("bad-value", `a datagram with packet ${packet}, base ${base} and first ${first}`);
  }
  const isFragment = (flags & flagFragment) !== 0;
  return {
    from,
    to,
    packet,
    acked,
    ackedBytes,
    hasGap: (flags & flagGap) !== 0,
    highestPacket,
    lostTotal,
    base,
    first,
    asksAck: (flags & flagAsksAck) !== 0,
    fragment: isFragment ? readFragment(reader) : undefined,
    frames: isFragment ? [] : readFrames(reader),
  };
}

function readIncarnation(reader: ByteReader): string {
  const text = reader.text();
  if (text.length === 0 || text.length > maxIncarnationBytes) {
    throw new FrameError("bad-value", `an incarnation of ${text.length} characters`);
  }
  return text;
}

function readFragment(reader: ByteReader): Fragment {
  const offset = reader.u32();
  const frameBytes = reader.u32();
  const bytes = reader.rest();
  if (
    frameBytes < frameHeadBytes ||
    frameBytes > maxFrameBytes ||
    bytes.length === 0 ||
    offset + bytes.length > frameBytes
  ) {
    throw new FrameError("bad-value", `bytes ${offset} to ${offset + bytes.length} of a frame of ${frameBytes}`);
  }
  return { offset, frameBytes, bytes };
}

function readFrames(reader: ByteReader): DatagramFrame[] {
  const frames: DatagramFrame[] = [];
  while (reader.left > 0) {
    const isVolatile = reader.u8();
    if (isVolatile > 1) throw new FrameError("bad-value", `a frame that is volatile: ${isVolatile}`);
    const start = reader.at;
    const length = reader.u32() + lengthBytes;
    if (length < frameHeadBytes || length > maxFrameBytes)
      throw new FrameError("bad-value", `a frame of ${length} bytes`);
    reader.skip(length - lengthBytes);
    frames.push({ isVolatile: isVolatile === 1, frame: reader.bytes.subarray(start, reader.at) });
  }
  return frames;
}
