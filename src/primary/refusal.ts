/** Writes the few answers that the primary gives itself, and closes. */

import type { Socket } from "node:net";

const statusText = {
  400: "Bad Request",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
} as const;

export type RefusalStatus = keyof typeof statusText;

/** Time for the client to take the answer and close; then the socket is destroyed. */
const lingerMs = 1_000;

/** Sends the answer, then closes; what the client still sends is read and thrown away, so that it sees the answer. */
export function answerAndClose(socket: Socket, status: RefusalStatus, body: string): void {
  if (socket.destroyed) return;
  const isJson = body.startsWith("{");
  const retry = status === 503 ? "Retry-After: 1\r\n" : "";
  socket.on("error", () => socket.destroy());
  socket.resume();
  socket.end(
    `HTTP/1.1 ${status} ${statusText[status]}\r\nConnection: close\r\n${retry}` +
      `Content-Type: ${isJson ? "application/json" : "text/plain"}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  const linger = setTimeout(() => socket.destroy(), lingerMs);
  socket.once("close", () => clearTimeout(linger));
}
