/**
 * Header of the frames that the router forwards by namespace and rooms: broadcast, command, request. Pure.
 *
 * After the frame's head: `u16 namespace bytes, u16 rooms, u16 excepted rooms, u32 where the body begins` (counted from the
 * frame's first byte), the namespace, the rooms, the excepted rooms (each `u16 length` and its bytes), the body.
 * The router reads up to the rooms and passes the same bytes on; excepted rooms and body are the receivers' business.
 */

import { decodeUtf8 } from "./byte-reader.js";
import { FrameError, frameHeadBytes, lengthBytes } from "./frame.js";
import { decodeRoom, type RoomName } from "./room-key.js";

/** Fixed part: head, three counts, where the body begins. */
export const routedHeadBytes = frameHeadBytes + 10;
const roomCountAt = frameHeadBytes + 2;
const exceptCountAt = frameHeadBytes + 4;
const bodyAtAt = frameHeadBytes + 6;

/** Length of a frame with this header and a body of `bodyBytes`. */
export function measureRoutedFrame(
  namespace: Uint8Array,
  rooms: readonly Uint8Array[],
  except: readonly Uint8Array[],
  bodyBytes: number,
): number {
  let bytes = routedHeadBytes + namespace.length + bodyBytes;
  for (const room of rooms) bytes += 2 + room.length;
  for (const room of except) bytes += 2 + room.length;
  return bytes;
}

/**
 * Writes head and header at `at`; answers where the body is to be written. The caller has measured, and has kept
 * counts and lengths within their limits.
 */
export function writeRoutedHeader(
  target: Buffer,
  at: number,
  frame: {
    readonly kind: number;
    readonly flags: number;
    readonly namespace: Uint8Array;
    readonly rooms: readonly Uint8Array[];
    readonly except: readonly Uint8Array[];
    /** Of the whole frame, as measured. */
    readonly bytes: number;
  },
): number {
  const { namespace, rooms, except } = frame;
  target.writeUInt32BE(frame.bytes - lengthBytes, at);
  target[at + lengthBytes] = frame.kind;
  target[at + lengthBytes + 1] = frame.flags;
  target.writeUInt16BE(namespace.length, at + frameHeadBytes);
  target.writeUInt16BE(rooms.length, at + roomCountAt);
  target.writeUInt16BE(except.length, at + exceptCountAt);
  target.set(namespace, at + routedHeadBytes);
  let next = at + routedHeadBytes + namespace.length;
  for (const room of rooms) next = writeRoom(target, next, room);
  for (const room of except) next = writeRoom(target, next, room);
  target.writeUInt32BE(next - at, at + bodyAtAt);
  return next;
}

function writeRoom(target: Buffer, at: number, room: Uint8Array): number {
  target.writeUInt16BE(room.length, at);
  target.set(room, at + 2);
  return at + 2 + room.length;
}

/** Where the parts of a routed frame are. One object is used again and again: it is valid until the next `read`. */
export class RoutedView {
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;
  kind = 0;
  flags = 0;
  namespaceStart = 0;
  namespaceEnd = 0;
  roomCount = 0;
  exceptCount = 0;
  roomsStart = 0;
  bodyStart = 0;

  /** @throws FrameError when lengths and counts cannot be */
  read(bytes: Buffer, start: number, end: number): void {
    if (end - start < routedHeadBytes) throw new FrameError("too-short", "a routed frame ends in its header");
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.kind = bytes[start + lengthBytes] as number;
    this.flags = bytes[start + lengthBytes + 1] as number;
    this.namespaceStart = start + routedHeadBytes;
    this.namespaceEnd = this.namespaceStart + bytes.readUInt16BE(start + frameHeadBytes);
    this.roomCount = bytes.readUInt16BE(start + roomCountAt);
    this.exceptCount = bytes.readUInt16BE(start + exceptCountAt);
    this.roomsStart = this.namespaceEnd;
    this.bodyStart = start + bytes.readUInt32BE(start + bodyAtAt);
    if (this.bodyStart > end) throw new FrameError("truncated", "the body begins beyond the frame");
    if (this.namespaceEnd > this.bodyStart) throw new FrameError("truncated", "the namespace does not fit");
  }

  /** Namespace as a Map key: one character per byte. */
  readNamespaceKey(): string {
    const { bytes, namespaceStart, namespaceEnd } = this;
    // "/", nearly always: asked for each frame, and faster so.
    if (namespaceEnd - namespaceStart === 1) return String.fromCharCode(bytes[namespaceStart] as number);
    return bytes.toString("latin1", namespaceStart, namespaceEnd);
  }

  /** Where the bytes of the room that begins at `at` end. @throws FrameError when it does not fit */
  endOfRoom(at: number): number {
    if (at + 2 > this.bodyStart) throw new FrameError("truncated", "a room does not fit");
    const end = at + 2 + this.bytes.readUInt16BE(at);
    if (end > this.bodyStart) throw new FrameError("truncated", "a room does not fit");
    return end;
  }

  /** @throws FrameError when the rooms, excepted ones left out, do not fit */
  checkRooms(): void {
    let at = this.roomsStart;
    for (let left = this.roomCount; left > 0; left--) at = this.endOfRoom(at);
  }

  /** Rooms and excepted rooms, decoded. @throws FrameError when one is none, or the counts are wrong */
  readRooms(): { rooms: Set<RoomName>; except: Set<RoomName> } {
    const rooms = new Set<RoomName>();
    const except = new Set<RoomName>();
    let at = this.roomsStart;
    for (let left = this.roomCount; left > 0; left--) at = this.#readRoomInto(rooms, at);
    for (let left = this.exceptCount; left > 0; left--) at = this.#readRoomInto(except, at);
    if (at !== this.bodyStart) throw new FrameError("trailing-bytes", "between rooms and body");
    return { rooms, except };
  }

  #readRoomInto(rooms: Set<RoomName>, at: number): number {
    const end = this.endOfRoom(at);
    rooms.add(decodeRoom(this.bytes, at + 2, end));
    return end;
  }

  readNamespace(): string {
    return decodeUtf8(this.bytes, this.namespaceStart, this.namespaceEnd);
  }
}
