/**
 * A message of `@socket.io/redis-emitter` on its way from the router to its workers: a routed frame whose body is
 * `u8 is request` and the message as it was published. Pure.
 */

import { frameKinds, maxFrameBytes } from "./frame.js";
import { encodeRoom } from "./room-key.js";
import { measureRoutedFrame, writeRoutedHeader } from "./routed-frame.js";

const nobody: readonly Buffer[] = [];

/** Undefined when the message, or a name in it, is too long to be passed on. */
export function encodeEmitterFrame(
  address: { readonly isRequest: boolean; readonly namespace: string; readonly room: string | undefined },
  payload: Buffer,
): Buffer | undefined {
  const namespace = Buffer.from(address.namespace);
  const rooms = address.room === undefined ? nobody : encodeReadings(address.room);
  if (namespace.length > 0xffff || (address.room !== undefined && rooms.length === 0)) return undefined;
  const bytes = measureRoutedFrame(namespace, rooms, nobody, 1 + payload.length);
  if (bytes > maxFrameBytes) return undefined;
  const frame = Buffer.allocUnsafe(bytes);
  const bodyAt = writeRoutedHeader(frame, 0, {
    kind: frameKinds.emitter,
    flags: 0,
    namespace,
    rooms,
    except: nobody,
    bytes,
  });
  frame[bodyAt] = address.isRequest ? 1 : 0;
  payload.copy(frame, bodyAt + 1);
  return frame;
}

/** The name of a channel is text, whatever the type of the room: `to(1)` and `to("1")` have the same. */
function encodeReadings(room: string): Buffer[] {
  const readings = [encodeRoom(room)];
  if (room.trim() !== "" && String(Number(room)) === room) readings.push(encodeRoom(Number(room)));
  return readings.filter((bytes) => bytes !== undefined);
}

export function isEmitterRequest(bytes: Buffer, bodyStart: number): boolean {
  return bytes[bodyStart] === 1;
}
