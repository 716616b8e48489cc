/**
 * The four messages with which two regions find out who is at the other end of a link. Pure.
 *
 * The dialler says who it is, the acceptor answers with who it is, each with a nonce; then the dialler proves that it knows the
 * secret, and after that the acceptor does. Proofs are HMAC-SHA-256 (RFC 2104) over a label for the role and both messages.
 */

import { ByteReader } from "./byte-reader.js";
import { ByteWriter } from "./byte-writer.js";
import { FrameError, frameHeadBytes, lengthBytes } from "./frame.js";

export const nonceBytes = 32;
export const proofBytes = 32;
/** Whoever has not proven anything sends no more than that in one message. */
export const maxHandshakeBytes = 1_024;

const kinds = { hello: 80, challenge: 81, proof: 82, welcome: 83 } as const;

/** Version that a hello names, and those that are accepted. */
export const linkVersion = 1;
export const acceptedLinkVersions: readonly number[] = [linkVersion];

export const linkRoles = {
  dialler: "signalbox link, dialler",
  acceptor: "signalbox link, acceptor",
} as const;
export type LinkRole = keyof typeof linkRoles;

export interface LinkIdentity {
  readonly region: string;
  readonly hostKey: string;
  readonly incarnation: string;
}

export type LinkHandshakeMessage =
  | (LinkIdentity & { readonly type: "hello"; readonly version: number; readonly nonce: Buffer })
  | (LinkIdentity & { readonly type: "challenge"; readonly version: number; readonly nonce: Buffer })
  | { readonly type: "proof"; readonly mac: Buffer }
  | { readonly type: "welcome"; readonly mac: Buffer };

export function encodeLinkHandshake(message: LinkHandshakeMessage): Buffer {
  const writer = new ByteWriter(kinds[message.type]);
  if (message.type === "proof" || message.type === "welcome") return writer.raw(message.mac).finish();
  // The version first, and nothing before it: it has to be readable in all versions.
  return writer
    .u16(message.version)
    .text(message.region)
    .text(message.hostKey)
    .text(message.incarnation)
    .raw(message.nonce)
    .finish();
}

/**
 * Version of a hello, whatever follows it; undefined for what is none.
 * @throws FrameError for bytes that are no message
 */
export function readHelloVersion(bytes: Buffer): number | undefined {
  return readKind(bytes) === kinds.hello ? new ByteReader(bytes, frameHeadBytes, bytes.length).u16() : undefined;
}

/** @throws FrameError for everything that is none of these messages, in this version */
export function decodeLinkHandshake(bytes: Buffer): LinkHandshakeMessage {
  const kind = readKind(bytes);
  const reader = new ByteReader(bytes, frameHeadBytes, bytes.length);
  switch (kind) {
    case kinds.hello:
      return { type: "hello", ...readIntroduction(reader) };
    case kinds.challenge:
      return { type: "challenge", ...readIntroduction(reader) };
    case kinds.proof:
      return { type: "proof", mac: readExactly(reader, proofBytes) };
    case kinds.welcome:
      return { type: "welcome", mac: readExactly(reader, proofBytes) };
    default:
      throw new FrameError("unknown-kind", "no message of a handshake");
  }
}

function readKind(bytes: Buffer): number | undefined {
  if (bytes.length > maxHandshakeBytes) throw new FrameError("too-long", `${bytes.length} bytes in a handshake`);
  if (bytes.length < frameHeadBytes || bytes.readUInt32BE(0) + lengthBytes !== bytes.length) {
    throw new FrameError("truncated", "a message of a handshake that is not as long as it says");
  }
  return bytes[lengthBytes];
}

function readIntroduction(reader: ByteReader): LinkIdentity & { readonly version: number; readonly nonce: Buffer } {
  const version = reader.u16();
  const region = readLike(reader, /^[a-z0-9][a-z0-9-]{0,31}$/, "a region");
  const hostKey = readLike(reader, /^[\w-]{4}$/, "a host key");
  const incarnation = readLike(reader, /^[\w.-]{1,64}$/, "an incarnation");
  return { version, region, hostKey, incarnation, nonce: readExactly(reader, nonceBytes) };
}

function readLike(reader: ByteReader, pattern: RegExp, what: string): string {
  const text = reader.text();
  if (!pattern.test(text)) throw new FrameError("bad-value", `a text that is not ${what}`);
  return text;
}

function readExactly(reader: ByteReader, count: number): Buffer {
  if (reader.left !== count) throw new FrameError("truncated", `${reader.left} bytes where there are to be ${count}`);
  return Buffer.from(reader.rest());
}
