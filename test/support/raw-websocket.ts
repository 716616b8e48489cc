/** WebSocket frames by hand, for upgrades over a connection that the test already uses. */

import { randomBytes } from "node:crypto";
import type { RawConnection } from "./raw-http.js";

const textOpcode = 0x1;
const closeOpcode = 0x8;

/** A whole text message as one masked frame, as clients must send it (RFC 6455 §5). */
export function renderTextFrame(text: string): Buffer {
  return renderFrame(textOpcode, Buffer.from(text));
}

export function renderCloseFrame(): Buffer {
  return renderFrame(closeOpcode, Buffer.alloc(0));
}

function renderFrame(opcode: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const masked = Buffer.from(payload);
  for (let index = 0; index < masked.length; index++) masked[index] = (masked[index] ?? 0) ^ (mask[index & 3] ?? 0);
  return Buffer.concat([renderFrameHead(opcode, payload.length), mask, masked]);
}

function renderFrameHead(opcode: number, length: number): Buffer {
  const first = 0x80 | opcode;
  if (length < 126) return Buffer.from([first, 0x80 | length]);
  if (length < 65_536) return Buffer.from([first, 0x80 | 126, length >> 8, length & 255]);
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/** The next text message; servers send unmasked, and Engine.IO unfragmented frames. */
export async function readTextFrame(connection: RawConnection): Promise<string> {
  const [first = 0, second = 0] = await connection.readBytes(2);
  if ((first & 0x8f) !== (0x80 | textOpcode)) throw new Error(`not a whole text message: 0x${first.toString(16)}`);
  let length = second;
  if (second === 126) length = (await connection.readBytes(2)).readUInt16BE();
  if (second === 127) length = Number((await connection.readBytes(8)).readBigUInt64BE());
  return (await connection.readBytes(length)).toString();
}
