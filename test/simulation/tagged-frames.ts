/**
 * Routed frames as the simulated workers write them. The last excepted room of each is the number of the message: nobody is
 * in it, the router does not look at it, and every kind of frame has place for it.
 */

import { responses } from "../../src/protocol/exchange-frames.js";
import { frameFlags, frameKinds, lengthBytes } from "../../src/protocol/frame.js";
import { encodeRoom, type RoomName } from "../../src/protocol/room-key.js";
import { measureRoutedFrame, type RoutedView, writeRoutedHeader } from "../../src/protocol/routed-frame.js";
import type { Selection } from "./records.js";

/** No room of the simulation is named so. */
const firstTag = 1_000_000;

const routedKinds: readonly number[] = [frameKinds.broadcast, frameKinds.command, frameKinds.request];

export interface FrameTarget {
  reserve(bytes: number, isVolatile: boolean): "queued" | "dropped" | "lost";
  readonly target: Buffer;
  readonly at: number;
}

export function encodeRooms(rooms: Iterable<RoomName>): Buffer[] {
  const encoded: Buffer[] = [];
  for (const room of rooms) {
    const bytes = encodeRoom(room);
    if (bytes !== undefined) encoded.push(bytes);
  }
  return encoded;
}

/** Undefined when nobody elsewhere can be meant, because none of the rooms can be encoded. */
export function sendTagged(
  session: FrameTarget,
  kind: number,
  message: Selection & { readonly id: number; readonly namespace: string; readonly isVolatile: boolean },
  body: Uint8Array,
): "queued" | "dropped" | "lost" | undefined {
  const rooms = encodeRooms(message.rooms);
  if (rooms.length === 0 && message.rooms.size > 0) return undefined;
  const except = encodeRooms([...message.except, firstTag + message.id]);
  const namespace = Buffer.from(message.namespace);
  const bytes = measureRoutedFrame(namespace, rooms, except, body.length);
  const result = session.reserve(bytes, message.isVolatile);
  if (result !== "queued") return result;
  const flags = message.isVolatile ? frameFlags.volatile : 0;
  const { target, at } = session;
  target.set(body, writeRoutedHeader(target, at, { kind, flags, namespace, rooms, except, bytes }));
  return result;
}

/** Number of the message that a frame carries, or that it answers; 0 for frames that are neither. */
export function readTag(bytes: Uint8Array, start: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start);
  const kind = view.getUint8(lengthBytes);
  if (routedKinds.includes(kind)) return view.getFloat64(view.getUint32(bodyAtAt) - 8) - firstTag;
  return kind === frameKinds.response ? view.getFloat64(responseValueAt) : 0;
}

const bodyAtAt = 12;
const responseValueAt = 51;

/** Rooms and excepted rooms of a frame without the number, and the number. */
export function readTagged(view: RoutedView): { id: number; selection: Selection } {
  const { rooms, except } = view.readRooms();
  const id = readTag(view.bytes, view.start);
  except.delete(firstTag + id);
  return { id, selection: { rooms, except } };
}

/** What an adapter answers: the number of the request, who it is, and the ids of the sockets that it means. */
export function encodeAnswer(id: number, uid: string, socketIds: readonly string[]): Buffer {
  const text = JSON.stringify({ uid, socketIds });
  const bytes = Buffer.alloc(8 + Buffer.byteLength(text));
  bytes.writeDoubleBE(id);
  bytes.write(text, 8);
  return bytes;
}

export function decodeAnswer(value: Buffer): { id: number; uid: string; socketIds: string[] } {
  const { uid, socketIds } = JSON.parse(value.toString("utf8", 8)) as { uid: string; socketIds: string[] };
  return { id: value.readDoubleBE(), uid, socketIds };
}

export function isLastWord(type: number): boolean {
  return type !== responses.ack;
}

/** Calls `take` with each frame of blocks that hold whole frames. */
export function walkFrames(
  blocks: readonly Buffer[],
  take: (kind: number, bytes: Buffer, start: number) => void,
): void {
  for (const block of blocks) {
    let at = 0;
    while (at < block.length) {
      take(block[at + lengthBytes] as number, block, at);
      at += block.readUInt32BE(at) + lengthBytes;
    }
  }
}
