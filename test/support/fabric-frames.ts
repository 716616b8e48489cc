/** Frames of the fabric as tests want to write and read them: rooms by name, bodies as text. */

import {
  encodeRoomsCommand,
  type RequestType,
  requestHeadBytes,
  requests,
  writeRequestHead,
} from "../../src/protocol/exchange-frames.js";
import { frameKinds } from "../../src/protocol/frame.js";
import { FrameSplitter } from "../../src/protocol/frame-splitter.js";
import { InterestFrameWriter, readInterestFrame } from "../../src/protocol/interest-frame.js";
import { decodeRoom, encodeRoom, type RoomName } from "../../src/protocol/room-key.js";
import { measureRoutedFrame, writeRoutedHeader } from "../../src/protocol/routed-frame.js";

export interface RoutedParts {
  readonly flags?: number;
  readonly namespace?: string;
  readonly rooms?: readonly RoomName[];
  readonly except?: readonly RoomName[];
  readonly body?: string | Uint8Array;
}

export function mustEncodeRoom(room: RoomName): Buffer {
  const bytes = encodeRoom(room);
  if (bytes === undefined) throw new Error(`the room ${JSON.stringify(room)} cannot be encoded`);
  return bytes;
}

export function encodeRouted(kind: number, parts: RoutedParts): Buffer {
  const { flags = 0, body = "" } = parts;
  const namespace = Buffer.from(parts.namespace ?? "/");
  const rooms = (parts.rooms ?? []).map(mustEncodeRoom);
  const except = (parts.except ?? []).map(mustEncodeRoom);
  const bodyBytes = typeof body === "string" ? Buffer.from(body) : body;
  const bytes = measureRoutedFrame(namespace, rooms, except, bodyBytes.length);
  const frame = Buffer.alloc(bytes);
  const bodyAt = writeRoutedHeader(frame, 0, { kind, flags, namespace, rooms, except, bytes });
  frame.set(bodyBytes, bodyAt);
  return frame;
}

export function encodeBroadcast(parts: RoutedParts): Buffer {
  return encodeRouted(frameKinds.broadcast, parts);
}

/** A command that names rooms: `socketsJoin` and its like. */
export function encodeCommand(command: number, names: readonly RoomName[], parts: RoutedParts = {}): Buffer {
  return encodeRouted(frameKinds.command, { ...parts, body: encodeRoomsCommand(command, names.map(mustEncodeRoom)) });
}

export function encodeRequest(
  uid: string,
  requestId: number,
  parts: RoutedParts & { readonly type?: RequestType } = {},
): Buffer {
  const body = Buffer.alloc(requestHeadBytes);
  writeRequestHead(body, 0, uid, requestId, parts.type ?? requests.fetchSockets);
  return encodeRouted(frameKinds.request, { ...parts, body });
}

export function encodeInterest(
  sequence: number,
  namespace: string,
  rooms: { readonly joined?: readonly RoomName[]; readonly left?: readonly RoomName[] },
): Buffer {
  const writer = new InterestFrameWriter(sequence, namespace);
  for (const room of rooms.joined ?? []) writer.add({ room: mustEncodeRoom(room), isJoined: true });
  for (const room of rooms.left ?? []) writer.add({ room: mustEncodeRoom(room), isJoined: false });
  return writer.finish();
}

/** Rooms by name, in the order in which the frame has them. */
export function readInterest(frame: Buffer): {
  sequence: number;
  namespace: string;
  changes: { room: RoomName; isJoined: boolean }[];
} {
  let namespace = "";
  const changes: { room: RoomName; isJoined: boolean }[] = [];
  const sequence = readInterestFrame(
    frame,
    0,
    frame.length,
    (key) => {
      namespace = Buffer.from(key, "latin1").toString();
    },
    (_, isJoined, start, end) => changes.push({ room: decodeRoom(frame, start, end), isJoined }),
  );
  return { sequence, namespace, changes };
}

/** The frames of a stream, each with bytes of its own. */
export function splitFrames(stream: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  const splitter = new FrameSplitter((bytes, start, end) => frames.push(Buffer.from(bytes.subarray(start, end))));
  splitter.push(stream);
  if (splitter.heldBytes > 0) throw new Error(`the stream ends ${splitter.heldBytes} bytes into a frame`);
  return frames;
}
