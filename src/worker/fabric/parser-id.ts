/** A number that two servers share exactly when they read what the other's parser writes, as far as code can tell. */

import { createHash } from "node:crypto";
import { valueParserId } from "../../protocol/broadcast-body.js";

/** What Socket.IO asks of a parser. */
export interface SocketIoParser {
  readonly Encoder: new (...args: never[]) => PacketEncoder;
  readonly Decoder: new (options: { readonly maxAttachments: number }) => PacketDecoder;
}

export interface PacketEncoder {
  encode(packet: unknown): EncodedPart[];
}

/** Text, or what the application gave as binary: a Buffer, another view, or an ArrayBuffer. */
export type EncodedPart = string | ArrayBufferView | ArrayBuffer;

export interface PacketDecoder {
  on(event: "decoded", listener: (packet: unknown) => void): unknown;
  add(part: unknown): void;
}

/** From the code of encoder and decoder: another parser, or another version of the same, gets another number. */
export function computeParserId({ Encoder, Decoder }: SocketIoParser): number {
  const digest = createHash("sha256").update(String(Encoder)).update("\0").update(String(Decoder)).digest();
  const id = digest.readUInt32BE(0);
  return id === valueParserId ? 0 : id;
}
