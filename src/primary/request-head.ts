/** Reads the head of the first request on a connection, as far as routing needs it. Pure: bytes in, verdict out. */

import { readQueryParameter } from "../protocol/request-target.js";

/** What the bytes received so far amount to. */
export type HeadVerdict =
  | { readonly kind: "incomplete" }
  | { readonly kind: "complete"; readonly sid: string | undefined; readonly isHandshake: boolean }
  /** Answer with this status and close; `reason` is for the counter and the answer's body. */
  | { readonly kind: "refuse"; readonly status: 400 | 431; readonly reason: HeadFault };

export type HeadFault = "tls" | "http2" | "garbage" | "head-too-large";

/** RFC 9110 §5.6.2: characters of a token, of which a method is one. */
const isTokenByte = new Uint8Array(256);
for (const character of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  isTokenByte[character.charCodeAt(0)] = 1;
}

/** First byte of a TLS record that carries a handshake (RFC 8446 §5.1). */
const tlsHandshakeByte = 0x16;
/** No registered method is longer than UPDATEREDIRECTREF (17). */
const maxMethodLength = 24;
const space = 0x20;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const headEnd = Buffer.from("\r\n\r\n");
const http2Preface = "PRI * HTTP/2.0\r\n";

/**
 * Looks at all bytes received so far. The head is complete at its empty line; before that only a hopeless beginning is
 * told apart, so that garbage is answered at once instead of at the time limit.
 *
 * @param searchFrom where the bytes that are new begin, so that a head in many pieces is not searched again and again
 */
export function readRequestHead(received: Buffer, searchFrom: number, maxHeadBytes: number): HeadVerdict {
  // A piece may end inside the four bytes that end the head.
  const end = received.indexOf(headEnd, Math.max(0, searchFrom - (headEnd.length - 1)));
  const methodEnd = findMethodEnd(received);
  if (methodEnd === "bad") return refuseBeginning(received);
  if (hasBareLineFeed(received, searchFrom, end === -1 ? received.length : end)) return refuseBeginning(received);
  if (end === -1) {
    if (received.length > maxHeadBytes) return { kind: "refuse", status: 431, reason: "head-too-large" };
    const lineEnd = received.indexOf("\r\n");
    if (methodEnd !== "open" && lineEnd !== -1) {
      const line = parseRequestLine(received.toString("latin1", 0, lineEnd), methodEnd);
      if (line === undefined) return refuseBeginning(received);
    }
    return { kind: "incomplete" };
  }
  if (end + headEnd.length > maxHeadBytes) return { kind: "refuse", status: 431, reason: "head-too-large" };
  if (methodEnd === "open") return refuseBeginning(received);
  const line = parseRequestLine(received.toString("latin1", 0, received.indexOf("\r\n")), methodEnd);
  if (line === undefined) return refuseBeginning(received);
  // To Engine.IO an empty sid is none.
  const sid = readQueryParameter(line.target, "sid") || undefined;
  const isHandshake = sid === undefined && readQueryParameter(line.target, "EIO") !== undefined;
  return { kind: "complete", sid, isHandshake };
}

const linkRequest = Buffer.from("GET /signalbox/link ");

/** Whether a complete head is that of a link from another region. */
export function isLinkRequest(received: Buffer): boolean {
  return received.subarray(0, linkRequest.length).equals(linkRequest);
}

/** Index of the space after the method; "open" when more bytes may bring it, "bad" when they cannot. */
function findMethodEnd(received: Buffer): number | "open" | "bad" {
  const limit = Math.min(received.length, maxMethodLength + 1);
  for (let index = 0; index < limit; index++) {
    const byte = received[index] as number;
    if (byte === space) return index === 0 ? "bad" : index;
    if (isTokenByte[byte] !== 1) return "bad";
  }
  return received.length > maxMethodLength ? "bad" : "open";
}

/**
 * Lines that end in LF alone never make the empty line that ends a head, and Node's parser refuses them: they are told
 * apart here, or the sender would wait for the time limit.
 */
function hasBareLineFeed(received: Buffer, from: number, end: number): boolean {
  let at = received.indexOf(lineFeed, from);
  while (at !== -1 && at < end) {
    if (received[at - 1] !== carriageReturn) return true;
    at = received.indexOf(lineFeed, at + 1);
  }
  return false;
}

function refuseBeginning(received: Buffer): HeadVerdict {
  if (received[0] === tlsHandshakeByte) return { kind: "refuse", status: 400, reason: "tls" };
  if (received.toString("latin1", 0, http2Preface.length) === http2Preface) {
    return { kind: "refuse", status: 400, reason: "http2" };
  }
  return { kind: "refuse", status: 400, reason: "garbage" };
}

function parseRequestLine(line: string, methodEnd: number): { target: string } | undefined {
  const targetEnd = line.lastIndexOf(" ");
  if (targetEnd <= methodEnd) return undefined;
  const version = line.slice(targetEnd + 1);
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") return undefined;
  return { target: line.slice(methodEnd + 1, targetEnd) };
}
