/** Gives the connection of an upgrade back to the primary, which hands it to the worker that is to have it. */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { ReturnedConnection } from "../protocol/returned-connection.js";
import { stopReading } from "../socket-reading.js";
import { peerHeader } from "./client-address.js";

/**
 * Before the answer to its upgrade a client sends nothing more (RFC 6455 §4.1), and what came with the request is in `head`: so
 * nothing is lost when the connection changes hands. No answer to an earlier request may be under way on it.
 * @param client as the primary had said when it handed the connection over
 * @param onFailure called when there is no primary to give it to; the connection is closed then
 */
export function returnConnection(
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  client: ReturnedConnection["client"],
  onFailure: () => void,
): void {
  stopReading(socket);
  socket.setTimeout(0);
  const received = Buffer.concat([Buffer.from(renderHead(request), "latin1"), head]);
  const message: ReturnedConnection = { type: "signalbox:connection", received, client };
  // Node would otherwise make this server ask the primary for connections that it has not been given by it.
  Object.assign(socket, { server: null });
  process.send?.(message, socket, {}, (error) => {
    if (error !== null) onFailure();
    // Its handle is the primary's by now.
    socket.destroy();
  });
}

function renderHead(request: IncomingMessage): string {
  const lines = [`${request.method ?? "GET"} ${request.url ?? "/"} HTTP/1.1`];
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index] ?? "";
    if (name.toLowerCase() !== peerHeader) lines.push(`${name}: ${request.rawHeaders[index + 1] ?? ""}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}
