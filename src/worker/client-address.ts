/** Carries a client's address over a private socket, where the connection itself has none. */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Peer } from "../protocol/peer.js";

/** Header that a forwarding worker adds and the receiving worker takes off; never honoured from a client. */
export const peerHeader = "x-signalbox-peer";

/** `address|port`, empty for a connection over a Unix socket. */
export function encodePeer(socket: Socket): string {
  return socket.remoteAddress === undefined ? "" : `${socket.remoteAddress}|${socket.remotePort ?? 0}`;
}

/** Removes a header, named in lower case, from a request and returns its value; undefined when it was not there. */
export function takeHeader(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  removeHeader(request, name);
  return Array.isArray(value) ? value[0] : value;
}

/** Takes a header, named in lower case, off a request as if it had never been there. */
export function removeHeader(request: IncomingMessage, name: string): void {
  if (request.headers[name] === undefined) return;
  delete request.headers[name];
  for (let index = request.rawHeaders.length - 2; index >= 0; index -= 2) {
    if (request.rawHeaders[index]?.toLowerCase() === name) request.rawHeaders.splice(index, 2);
  }
}

/** Reads what `encodePeer` wrote; undefined for a Unix socket. */
export function decodePeer(text: string): Peer | undefined {
  const separator = text.lastIndexOf("|");
  return separator <= 0 ? undefined : { address: text.slice(0, separator), port: Number(text.slice(separator + 1)) };
}

/** Makes `socket.remoteAddress` say where the client's own connection comes from. */
export function applyPeer(socket: Socket, { address, port }: Peer): void {
  const properties = {
    remoteAddress: address,
    remotePort: port,
    remoteFamily: address.includes(":") ? "IPv6" : "IPv4",
  };
  for (const [name, value] of Object.entries(properties)) {
    Object.defineProperty(socket, name, { value, configurable: true, enumerable: true });
  }
}
