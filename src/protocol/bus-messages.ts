/** What hosts of a region say to all of each other over the bus: who they are, that they live, that they leave. Pure. */

import { ByteReader } from "./byte-reader.js";
import { ByteWriter } from "./byte-writer.js";
import { FrameError, frameHeadBytes, lengthBytes } from "./frame.js";

export const busMessageKinds = { hello: 64, heartbeat: 65, bye: 66 } as const;

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
}

export interface Heartbeat extends FromHost {
  readonly type: "heartbeat";
}

/** It has said everything, and takes nothing more. */
export interface Bye extends FromHost {
  readonly type: "bye";
}

export type BusMessage = Hello | Heartbeat | Bye;

const maxNameBytes = 256;
const flagServing = 1;
const flagAsksHello = 2;

export function encodeBusMessage(message: BusMessage): Buffer {
  const writer = new ByteWriter(busMessageKinds[message.type]);
  writer.text(message.hostKey).text(message.instance).text(message.incarnation);
  if (message.type === "hello") {
    const flags = (message.isServing ? flagServing : 0) | (message.asksHello ? flagAsksHello : 0);
    writer.u16(message.version).u8(flags).text(message.name);
  }
  return writer.finish();
}

/** Undefined for a kind that is not known here. @throws FrameError for bytes that are none */
export function decodeBusMessage(bytes: Buffer): BusMessage | undefined {
  if (bytes.length < frameHeadBytes || bytes.readUInt32BE(0) + lengthBytes !== bytes.length) {
    throw new FrameError("truncated", "a message of the bus that is not as long as it says");
  }
  const kind = bytes[lengthBytes];
  const reader = new ByteReader(bytes, frameHeadBytes, bytes.length);
  switch (kind) {
    case busMessageKinds.hello: {
      const from = readFrom(reader);
      const version = reader.u16();
      const flags = reader.u8();
      const name = readShort(reader, maxNameBytes);
      // Later versions may say more.
      return {
        type: "hello",
        ...from,
        version,
        name,
        isServing: (flags & flagServing) !== 0,
        asksHello: (flags & flagAsksHello) !== 0,
      };
    }
    case busMessageKinds.heartbeat:
      return { type: "heartbeat", ...readFrom(reader) };
    case busMessageKinds.bye:
      return { type: "bye", ...readFrom(reader) };
    default:
      return undefined;
  }
}

function readFrom(reader: ByteReader): FromHost {
  const hostKey = readShort(reader, 4);
  if (!/^[\w-]{4}$/.test(hostKey)) throw new FrameError("bad-value", "a host key is 4 characters");
  return { hostKey, instance: readShort(reader, 64), incarnation: readShort(reader, 64) };
}

function readShort(reader: ByteReader, maxCharacters: number): string {
  const text = reader.text();
  if (text.length === 0 || text.length > maxCharacters) {
    throw new FrameError("bad-value", `a text of ${text.length} characters where there may be 1 to ${maxCharacters}`);
  }
  return text;
}
