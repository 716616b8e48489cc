/** Commands, requests and the answers to them, as workers exchange them through the router. Pure. */

import { ByteReader } from "./byte-reader.js";
import { ByteWriter } from "./byte-writer.js";
import { FrameError, frameHeadBytes, frameKinds, lengthBytes } from "./frame.js";
import { decodeRoom, type RoomName } from "./room-key.js";
import { placeLength, uidLength } from "./worker-port-frames.js";

export const commands = { socketsJoin: 1, socketsLeave: 2, disconnectSockets: 3, serverSideEmit: 4 } as const;
export const requests = { fetchSockets: 1, serverSideEmit: 2, broadcast: 3 } as const;
export type RequestType = (typeof requests)[keyof typeof requests];

/** `ack` may come many times before `settled`; each of the others is a member's last word. `failed` says why. */
export const responses = { answer: 1, ack: 2, settled: 3, failed: 4 } as const;

/** Body of a command that names rooms: `u8 command, u16 rooms`, the rooms. The router reads it of `socketsJoin`. */
export function encodeRoomsCommand(command: number, rooms: readonly Uint8Array[]): Buffer {
  let bytes = 3;
  for (const room of rooms) bytes += 2 + room.length;
  const body = Buffer.allocUnsafe(bytes);
  body[0] = command;
  body.writeUInt16BE(rooms.length, 1);
  let at = 3;
  for (const room of rooms) {
    body.writeUInt16BE(room.length, at);
    body.set(room, at + 2);
    at += 2 + room.length;
  }
  return body;
}

/** Calls `take` with where each room of such a body is. @throws FrameError when it is none */
export function walkCommandRooms(
  bytes: Buffer,
  start: number,
  end: number,
  take: (roomStart: number, roomEnd: number) => void,
): void {
  const reader = new ByteReader(bytes, start + 1, end);
  for (let left = reader.u16(); left > 0; left--) {
    const roomBytes = reader.u16();
    const at = reader.skip(roomBytes);
    take(at, at + roomBytes);
  }
  reader.finish();
}

export function readCommandRooms(bytes: Buffer, start: number, end: number): RoomName[] {
  const rooms: RoomName[] = [];
  walkCommandRooms(bytes, start, end, (roomStart, roomEnd) => rooms.push(decodeRoom(bytes, roomStart, roomEnd)));
  return rooms;
}

/** Bytes before the value in a request's body: who asks, the number of the request, what is asked. */
export const requestHeadBytes = uidLength + 5;

export function writeRequestHead(target: Buffer, at: number, uid: string, requestId: number, type: RequestType): void {
  target.write(uid, at, uidLength, "latin1");
  target.writeUInt32BE(requestId, at + uidLength);
  target[at + uidLength + 4] = type;
}

export interface RequestHead {
  readonly uid: string;
  readonly requestId: number;
  readonly type: number;
}

/** @throws FrameError when the body is too short */
export function readRequestHead(bytes: Buffer, start: number, end: number): RequestHead {
  const reader = new ByteReader(bytes, start, end);
  return { uid: reader.ascii(uidLength), requestId: reader.u32(), type: reader.u8() };
}

const responseHeadBytes = frameHeadBytes + 2 * uidLength + 5;

/** @param toUid whose request it answers  @param fromUid the member that answers */
export function encodeResponse(
  toUid: string,
  fromUid: string,
  requestId: number,
  type: number,
  value: Uint8Array,
): Buffer {
  return new ByteWriter(frameKinds.response, 0, responseHeadBytes + value.length)
    .ascii(toUid)
    .ascii(fromUid)
    .u32(requestId)
    .u8(type)
    .raw(value)
    .finish();
}

export interface ResponseFrame {
  readonly toUid: string;
  readonly fromUid: string;
  readonly requestId: number;
  readonly type: number;
  /** A view into the frame. */
  readonly value: Buffer;
}

/** @throws FrameError when the frame is too short */
export function decodeResponse(bytes: Buffer, start: number, end: number): ResponseFrame {
  const reader = new ByteReader(bytes, start + frameHeadBytes, end);
  return {
    toUid: reader.ascii(uidLength),
    fromUid: reader.ascii(uidLength),
    requestId: reader.u32(),
    type: reader.u8(),
    value: reader.rest(),
  };
}

/**
 * Place that a response goes to, or the news of who is asked elsewhere: all that the router reads of them.
 * @throws FrameError when the frame is too short
 */
export function readResponsePlace(bytes: Buffer, start: number, end: number): string {
  const isResponse = bytes[start + lengthBytes] === frameKinds.response;
  if (end - start < (isResponse ? responseHeadBytes : frameHeadBytes + uidLength))
    throw new FrameError("too-short", "a response ends in its header");
  return bytes.toString("latin1", start + frameHeadBytes, start + frameHeadBytes + placeLength);
}

/** Kind byte and body offset of commands are read in the core; this names the command of a body. */
export function readCommand(bytes: Buffer, start: number, end: number): number {
  if (start >= end) throw new FrameError("too-short", "a command without its name");
  return bytes[start] as number;
}
