/** Takes in the connection of an upgrade that reached a worker which is not to have it: it is handed over once more. */

import type { Socket } from "node:net";
import { parseReturnedConnection } from "../protocol/returned-connection.js";
import { stopReading } from "../socket-reading.js";
import type { IncomingConnection } from "./listener.js";
import { readRequestHead } from "./request-head.js";

/** Undefined, and closed, when it is none: an application may send whatever it likes. @param raw what a worker has sent with the socket */
export function takeReturnedConnection(raw: unknown, socket: Socket): IncomingConnection | undefined {
  socket.on("error", () => socket.destroy());
  const returned = parseReturnedConnection(raw);
  if (returned === undefined) {
    socket.destroy();
    return undefined;
  }
  // Node has begun to read already.
  stopReading(socket);
  const { received, client } = returned;
  // The worker's own limit is the one that holds for it.
  const verdict = readRequestHead(received, 0, Number.POSITIVE_INFINITY);
  if (verdict.kind !== "complete") {
    socket.destroy();
    return undefined;
  }
  return { socket, received, sid: verdict.sid, isHandshake: verdict.isHandshake, client, isReturned: true };
}
