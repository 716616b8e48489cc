/** Carries a client's address over a private socket, where the connection itself has none. */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";

/** Header that a forwarding worker adds and the receiving worker takes off; never honoured from a client. */
export const peerHeader = "x-signalbox-peer";

/** `address|port`, empty for a client that came over a Unix socket. */
export function encodePeer(socket: Socket): string {
  return socket.remoteAddress === undefined ? "" : `${socket.remoteAddress}|${socket.remotePort ?? 0}`;
}

/** Removes the header from a request and returns its value; undefined when it was not there. */
export function takePeerHeader(request: IncomingMessage): string | undefined {
  const value = request.headers[peerHeader];
  if (value === undefined) return undefined;
  delete request.headers[peerHeader];
  for (let index = request.rawHeaders.length - 2; index >= 0; index -= 2) {
    if (request.rawHeaders[index]?.toLowerCase() === peerHeader) request.rawHeaders.splice(index, 2);
  }
  return Array.isArray(value) ? value[0] : value;
}

/**
 * Makes `socket.remoteAddress` say what it says at the worker the client is connected to. A private connection carries
 * requests of one client connection only, so once per connection is enough.
 */
export function applyPeer(socket: Socket, peer: string): void {
  const separator = peer.lastIndexOf("|");
  if (separator <= 0) return;
  const address = peer.slice(0, separator);
  const properties = {
    remoteAddress: address,
    remotePort: Number(peer.slice(separator + 1)),
    remoteFamily: address.includes(":") ? "IPv6" : "IPv4",
  };
  for (const [name, value] of Object.entries(properties)) {
    Object.defineProperty(socket, name, { value, configurable: true, enumerable: true });
  }
}
