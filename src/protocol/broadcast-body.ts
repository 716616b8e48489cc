/**
 * Body of a broadcast: the Socket.IO packet as it goes to the clients. `u32 parser, u16 parts`, and for each part
 * `u8 type, u32 length, bytes`. Pure.
 *
 * A text part is a whole WebSocket frame (RFC 6455 §5.2: unmasked, final, text) around the Engine.IO message ("4" and the
 * packet): a receiving worker writes it to its WebSocket clients as it is, and cuts the text out for the others.
 */

import { decodeUtf8 } from "./byte-reader.js";
import { FrameError } from "./frame.js";

export const partTypes = { webSocketText: 0, bytes: 1 } as const;

/** Most parts of a packet: text and attachments. */
export const maxBroadcastParts = 65_535;

/** The packet as a value (`v8.serialize`), for fleets whose workers have different parsers. */
export const valueParserId = 0xff_ff_ff_ff;

const bodyHeadBytes = 6;
const partHeadBytes = 5;
/** Engine.IO's packet type "message". */
const messageType = 0x34; // "4"
const finalText = 0x81;

export interface BroadcastPart {
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** A WebSocket text frame around the Engine.IO message that carries `text`. */
export function encodeWebSocketText(text: string): Buffer {
  const textBytes = Buffer.byteLength(text);
  const payloadBytes = textBytes + 1;
  const headBytes = measureHead(payloadBytes);
  const frame = Buffer.allocUnsafe(headBytes + payloadBytes);
  frame[0] = finalText;
  if (headBytes === 2) {
    frame[1] = payloadBytes;
  } else if (headBytes === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(payloadBytes, 2);
  } else {
    frame[1] = 127;
    // A payload is shorter than 2^32: the frame limit is far below.
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(payloadBytes, 6);
  }
  frame[headBytes] = messageType;
  frame.write(text, headBytes + 1, textBytes, "utf8");
  return frame;
}

/** RFC 6455 wants the shortest form of a length; browsers close a connection on any other. */
function measureHead(payloadBytes: number): number {
  if (payloadBytes < 126) return 2;
  return payloadBytes < 65_536 ? 4 : 10;
}

/** The packet's text in a frame that `encodeWebSocketText` made. @throws FrameError when it is not such a frame */
export function decodeWebSocketText(frame: Buffer): string {
  const at = findText(frame);
  return decodeUtf8(frame, at, frame.length);
}

/**
 * Where the text begins. Clients get the frame as it is, so its head is held to every bit.
 * @throws FrameError when the head is not the one of a text frame of this length
 */
export function findText(frame: Buffer): number {
  const short = frame[1];
  const headBytes = short === undefined || short < 126 ? 2 : short === 126 ? 4 : 10;
  if (frame.length <= headBytes || frame[0] !== finalText || short === undefined || frame[headBytes] !== messageType) {
    throw new FrameError("bad-text", "a text part is not a WebSocket frame of an Engine.IO message");
  }
  const payloadBytes = readPayloadBytes(frame, short);
  if (payloadBytes !== frame.length - headBytes || measureHead(payloadBytes) !== headBytes) {
    throw new FrameError("bad-text", "a text part has another length");
  }
  return headBytes + 1;
}

/** Undefined for a frame that says it is masked. */
function readPayloadBytes(frame: Buffer, short: number): number | undefined {
  if (short < 126) return short;
  if (short === 126) return frame.readUInt16BE(2);
  return short === 127 ? Number(frame.readBigUInt64BE(2)) : undefined;
}

export function measureBroadcastBody(parts: readonly BroadcastPart[]): number {
  let bytes = bodyHeadBytes;
  for (const part of parts) bytes += partHeadBytes + part.bytes.length;
  return bytes;
}

export function writeBroadcastBody(
  target: Buffer,
  at: number,
  parserId: number,
  parts: readonly BroadcastPart[],
): void {
  target.writeUInt32BE(parserId, at);
  target.writeUInt16BE(parts.length, at + 4);
  let next = at + bodyHeadBytes;
  for (const part of parts) {
    target[next] = part.type;
    target.writeUInt32BE(part.bytes.length, next + 1);
    target.set(part.bytes, next + partHeadBytes);
    next += partHeadBytes + part.bytes.length;
  }
}

/**
 * Reads a body that ends at `end`. Each part is a copy of its own: the frame's bytes are used again, and a
 * slow client must not keep a whole chunk for a short message.
 * @throws FrameError when it is none
 */
export function readBroadcastBody(
  bytes: Buffer,
  start: number,
  end: number,
): { parserId: number; parts: { type: number; bytes: Buffer }[] } {
  if (end - start < bodyHeadBytes) throw new FrameError("truncated", "a body ends in its header");
  const parserId = bytes.readUInt32BE(start);
  const count = bytes.readUInt16BE(start + 4);
  const parts: { type: number; bytes: Buffer }[] = [];
  let at = start + bodyHeadBytes;
  for (let left = count; left > 0; left--) {
    if (end - at < partHeadBytes) throw new FrameError("truncated", "a part ends in its header");
    const type = bytes[at] as number;
    const length = bytes.readUInt32BE(at + 1);
    const partStart = at + partHeadBytes;
    if (length > end - partStart) throw new FrameError("truncated", "a part does not fit");
    if (type !== partTypes.webSocketText && type !== partTypes.bytes) {
      throw new FrameError("bad-value", `a part of type ${type}`);
    }
    at = partStart + length;
    const part = Buffer.from(bytes.subarray(partStart, at));
    // Before any client gets a byte of it: half a frame would spoil all that comes after it on that connection.
    if (type === partTypes.webSocketText) findText(part);
    parts.push({ type, bytes: part });
  }
  if (at !== end) throw new FrameError("trailing-bytes", "after the last part");
  if (count === 0) throw new FrameError("bad-value", "a packet without parts");
  return { parserId, parts };
}
