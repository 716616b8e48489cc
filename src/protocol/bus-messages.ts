/**
 * What hosts of a region say over the bus besides datagrams: who they are, that they live, that they leave, and what they
 * announce of their members and rooms. Pure.
 */

import { ByteReader } from "./byte-reader.js";
import { ByteWriter } from "./byte-writer.js";
import { FrameError, frameHeadBytes, lengthBytes } from "./frame.js";

export const busMessageKinds = {
  hello: 64,
  heartbeat: 65,
  bye: 66,
  announcement: 67,
  wantSnapshot: 68,
  snapshotPart: 69,
  taken: 70,
} as const;

/** What every message of a host begins with. */
interface FromHost {
  readonly hostKey: string;
  /** Random, of this run of the host: it outlives its router. Two of them under one key are a clash. */
  readonly instance: string;
  /** Random, of this router process. */
  readonly incarnation: string;
}

export interface Hello extends FromHost {
  readonly type: "hello";
  readonly version: number;
  /** Machine and address, for people. */
  readonly name: string;
  /** It has joined: a newcomer with the same key gives way. */
  readonly isServing: boolean;
  /** Whoever hears this is to say hello as well. */
  readonly asksHello: boolean;
  /** Sequence of its last announcement: whoever has heard less has missed some. */
  readonly head: number;
}

export interface Heartbeat extends FromHost {
  readonly type: "heartbeat";
  readonly head: number;
  /** It has not heard that all have taken what it has announced: each is to say it again. */
  readonly asksTaken: boolean;
}

/** It has said everything, and takes nothing more. */
export interface Bye extends FromHost {
  readonly type: "bye";
}

/** News of its members and rooms, for everybody; the frames are those in which its workers announce. */
export interface Announcement extends FromHost {
  readonly type: "announcement";
  /** Ascending by one. */
  readonly sequence: number;
  readonly frames: Buffer;
}

/** To one host: say everything anew, a few parts from this one on. */
export interface WantSnapshot extends FromHost {
  readonly type: "want-snapshot";
  /** Incarnation of the router that is asked. */
  readonly to: string;
  readonly snapshotId: number;
  readonly part: number;
}

export interface SnapshotPart extends FromHost {
  readonly type: "snapshot-part";
  /** Incarnation of the router that asked. */
  readonly to: string;
  readonly snapshotId: number;
  readonly part: number;
  readonly isLast: boolean;
  /** Announcements up to this one are in what this part says. */
  readonly sequence: number;
  readonly frames: Buffer;
}

/** To one host: nothing that it has announced up to this sequence will be missed here. */
export interface Taken extends FromHost {
  readonly type: "taken";
  readonly to: string;
  readonly sequence: number;
}

export type BusMessage = Hello | Heartbeat | Bye | Announcement | WantSnapshot | SnapshotPart | Taken;

const maxNameBytes = 256;
const maxIncarnationCharacters = 64;
const flagServing = 1;
const flagAsksHello = 2;

const kindByType = {
  hello: busMessageKinds.hello,
  heartbeat: busMessageKinds.heartbeat,
  bye: busMessageKinds.bye,
  announcement: busMessageKinds.announcement,
  "want-snapshot": busMessageKinds.wantSnapshot,
  "snapshot-part": busMessageKinds.snapshotPart,
  taken: busMessageKinds.taken,
} as const satisfies Record<BusMessage["type"], number>;

export function encodeBusMessage(message: BusMessage): Buffer {
  const contentBytes = "frames" in message ? message.frames.length : 0;
  const writer = new ByteWriter(kindByType[message.type], 0, contentBytes + 128);
  writer.text(message.hostKey).text(message.instance).text(message.incarnation);
  switch (message.type) {
    case "hello": {
      const flags = (message.isServing ? flagServing : 0) | (message.asksHello ? flagAsksHello : 0);
      writer.u16(message.version).u8(flags).text(message.name).u48(message.head);
      break;
    }
    case "heartbeat":
      writer.u48(message.head).u8(message.asksTaken ? 1 : 0);
      break;
    case "bye":
      break;
    case "announcement":
      writer.u48(message.sequence).raw(message.frames);
      break;
    case "want-snapshot":
      writer.text(message.to).u32(message.snapshotId).u32(message.part);
      break;
    case "snapshot-part":
      writer.text(message.to).u32(message.snapshotId).u32(message.part);
      writer
        .u8(message.isLast ? 1 : 0)
        .u48(message.sequence)
        .raw(message.frames);
      break;
    case "taken":
      writer.text(message.to).u48(message.sequence);
  }
  return writer.finish();
}

/**
 * Whether what came on a host's own channel is one of these messages, and not a datagram: they are shorter than 16 MiB, so
 * that their first byte is zero, and a datagram begins with its version.
 */
export function isBusMessage(payload: Buffer): boolean {
  return payload[0] === 0;
}

/** Views of `bytes` where there are frames. Undefined for a kind that is not known here. @throws FrameError for bytes that are none */
export function decodeBusMessage(bytes: Buffer): BusMessage | undefined {
  if (bytes.length < frameHeadBytes || bytes.readUInt32BE(0) + lengthBytes !== bytes.length) {
    throw new FrameError("truncated", "a message of the bus that is not as long as it says");
  }
  const kind = bytes[lengthBytes];
  const reader = new ByteReader(bytes, frameHeadBytes, bytes.length);
  switch (kind) {
    case busMessageKinds.hello:
      // Later versions may say more.
      return readHello(reader);
    case busMessageKinds.heartbeat:
      return { type: "heartbeat", ...readFrom(reader), head: reader.u48(), asksTaken: reader.u8() === 1 };
    case busMessageKinds.bye:
      return { type: "bye", ...readFrom(reader) };
    case busMessageKinds.announcement:
      return { type: "announcement", ...readFrom(reader), sequence: reader.u48(), frames: reader.rest() };
    case busMessageKinds.wantSnapshot:
      return { type: "want-snapshot", ...readFrom(reader), ...readPlaceInSnapshot(reader) };
    case busMessageKinds.snapshotPart:
      return {
        type: "snapshot-part",
        ...readFrom(reader),
        ...readPlaceInSnapshot(reader),
        isLast: reader.u8() === 1,
        sequence: reader.u48(),
        frames: reader.rest(),
      };
    case busMessageKinds.taken:
      return { type: "taken", ...readFrom(reader), to: readIncarnation(reader), sequence: reader.u48() };
    default:
      return undefined;
  }
}

function readHello(reader: ByteReader): Hello {
  const from = readFrom(reader);
  const version = reader.u16();
  const flags = reader.u8();
  const name = readShort(reader, maxNameBytes);
  return {
    type: "hello",
    ...from,
    version,
    name,
    isServing: (flags & flagServing) !== 0,
    asksHello: (flags & flagAsksHello) !== 0,
    head: reader.u48(),
  };
}

function readPlaceInSnapshot(reader: ByteReader): { to: string; snapshotId: number; part: number } {
  return { to: readIncarnation(reader), snapshotId: reader.u32(), part: reader.u32() };
}

function readFrom(reader: ByteReader): FromHost {
  const hostKey = readShort(reader, 4);
  if (!/^[\w-]{4}$/.test(hostKey)) throw new FrameError("bad-value", "a host key is 4 characters");
  return { hostKey, instance: readIncarnation(reader), incarnation: readIncarnation(reader) };
}

function readIncarnation(reader: ByteReader): string {
  return readShort(reader, maxIncarnationCharacters);
}

function readShort(reader: ByteReader, maxCharacters: number): string {
  const text = reader.text();
  if (text.length === 0 || text.length > maxCharacters) {
    throw new FrameError("bad-value", `a text of ${text.length} characters where there may be 1 to ${maxCharacters}`);
  }
  return text;
}

/** Calls `take` with where each of the frames, one behind the other, is. @throws FrameError when they do not fit */
export function walkFrames(frames: Buffer, take: (bytes: Buffer, start: number, end: number) => void): void {
  let at = 0;
  while (at < frames.length) {
    if (at + frameHeadBytes > frames.length) throw new FrameError("truncated", "a frame ends in its head");
    const end = at + lengthBytes + frames.readUInt32BE(at);
    if (end > frames.length || end < at + frameHeadBytes) throw new FrameError("truncated", "a frame does not fit");
    take(frames, at, end);
    at = end;
  }
}
