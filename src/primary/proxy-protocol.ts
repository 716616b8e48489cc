/**
 * Reads the header with which a proxy begins a connection to say whose it is: the PROXY protocol, versions 1 and 2
 * (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt). Pure: bytes in, verdict out.
 */

import { isIPv4, isIPv6, SocketAddress } from "node:net";
import { type Peer, type UnnamedPeer, unnamedPeer } from "../protocol/peer.js";

/** What the bytes received so far amount to. */
export type ProxyVerdict =
  | { readonly kind: "incomplete" }
  /** `client` is undefined where the connection is the proxy's own, and unnamed where it is of a kind without addresses. */
  | { readonly kind: "complete"; readonly length: number; readonly client: Peer | UnnamedPeer | undefined }
  | { readonly kind: "refuse"; readonly reason: ProxyFault };

export type ProxyFault = "proxy-header-missing" | "proxy-header-malformed";

const textBeginning = Buffer.from("PROXY ");
/** §2.1: the longest line, its end included. */
const maxTextLength = 107;

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const binaryHeadLength = 16;
/** The address and what is added to it; the field could say 65,535, and nobody sends half of this. */
const maxBinaryLength = 4_096;

const incomplete: ProxyVerdict = { kind: "incomplete" };
const missing: ProxyVerdict = { kind: "refuse", reason: "proxy-header-missing" };
const malformed: ProxyVerdict = { kind: "refuse", reason: "proxy-header-malformed" };

/** Looks at all bytes received so far; what is no header is told apart at the first byte that shows it. */
export function readProxyHeader(received: Buffer): ProxyVerdict {
  if (beginsLike(received, textBeginning))
    return received.length < textBeginning.length ? incomplete : readText(received);
  if (beginsLike(received, signature)) return readBinary(received);
  return missing;
}

/** As far as both go. */
function beginsLike(received: Buffer, beginning: Buffer): boolean {
  const length = Math.min(received.length, beginning.length);
  return received.compare(beginning, 0, length, 0, length) === 0;
}

function readText(received: Buffer): ProxyVerdict {
  const lineFeed = received.subarray(0, maxTextLength).indexOf("\n");
  if (lineFeed === -1) return received.length < maxTextLength ? incomplete : malformed;
  if (received[lineFeed - 1] !== 0x0d) return malformed;
  const length = lineFeed + 1;
  const words = received.toString("latin1", textBeginning.length, lineFeed - 1).split(" ");
  if (words[0] === "UNKNOWN") return { kind: "complete", length, client: unnamedPeer };
  const [protocol, source = "", destination = "", sourcePort = "", destinationPort = "", ...more] = words;
  const isAddress = protocol === "TCP4" ? isIPv4 : protocol === "TCP6" ? isPlainIPv6 : undefined;
  if (isAddress === undefined || !isAddress(source) || !isAddress(destination) || more.length > 0) return malformed;
  if (!isPort(sourcePort) || !isPort(destinationPort)) return malformed;
  return { kind: "complete", length, client: { address: shorten(source), port: Number(sourcePort) } };
}

/** Without the zone that Node allows. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes("%");
}

function isPort(text: string): boolean {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

/** IPv6 as the system writes it, so that a client has one name. */
function shorten(address: string): string {
  return isIPv4(address) ? address : new SocketAddress({ address, family: "ipv6" }).address;
}

/** Bytes of the two addresses and ports of each family (§2.2); of AF_UNSPEC nothing is expected. */
const addressLengthByFamily: ReadonlyMap<number, number> = new Map([
  [0x0, 0],
  [0x1, 12],
  [0x2, 36],
  [0x3, 216],
]);

const localCommand = 0x20;
const proxyCommand = 0x21;
const tcpOverIPv4 = 0x11;
const tcpOverIPv6 = 0x21;
/** UNSPEC, STREAM, DGRAM */
const lastTransport = 0x2;

function readBinary(received: Buffer): ProxyVerdict {
  const command = received[12];
  if (command !== undefined && command !== localCommand && command !== proxyCommand) return malformed;
  if (received.length < binaryHeadLength) return incomplete;
  const length = binaryHeadLength + received.readUInt16BE(14);
  if (length > maxBinaryLength) return malformed;
  const kind = received.readUInt8(13);
  if (command === proxyCommand) {
    const addressLength = addressLengthByFamily.get(kind >> 4);
    if (addressLength === undefined || (kind & 0xf) > lastTransport) return malformed;
    if (length < binaryHeadLength + addressLength) return malformed;
  }
  if (received.length < length) return incomplete;
  const client = command === proxyCommand ? readBinaryClient(received, kind) : undefined;
  return { kind: "complete", length, client };
}

/** Of the combinations that are no TCP connection the receiver may take the address or leave it (§2.2). */
function readBinaryClient(received: Buffer, kind: number): Peer | UnnamedPeer {
  const at = binaryHeadLength;
  if (kind === tcpOverIPv4) {
    return { address: received.subarray(at, at + 4).join("."), port: received.readUInt16BE(at + 8) };
  }
  if (kind !== tcpOverIPv6) return unnamedPeer;
  const groups = Array.from({ length: 8 }, (_, index) => received.readUInt16BE(at + 2 * index).toString(16));
  return { address: shorten(groups.join(":")), port: received.readUInt16BE(at + 32) };
}
