/** Sends a request or an upgrade on to a sibling's private Unix socket, and its answer back. */

import {
  Agent,
  type AgentOptions,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
  request as startRequest,
} from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { readErrorCode } from "../errors.js";
import { unknownSessionBody } from "../protocol/unknown-session.js";
import { encodePeer, peerHeader } from "./client-address.js";

/** Header of the answer to a forwarded handshake: the sessions of the sibling with this one; taken off again. */
export const loadHeader = "x-signalbox-load";

/** Headers that belong to one connection, not to the message (RFC 9110 §7.6.1); each side makes its own. */
const connectionHeaders: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  peerHeader,
  loadHeader,
]);

/** Idle private connections are closed by this side first: Node's HTTP server closes its own after 5 s by default. */
const idleConnectionTimeoutMs = 2_000;

interface HandshakeHooks {
  /** Answers when the sibling could not be reached at all. */
  readonly answerUnreachable: () => void;
  /** Hears how many sessions the sibling has, the new one included. */
  readonly noteLoad: (load: number) => void;
}

interface PeerOptions {
  readonly signalboxPeer?: string;
}

/** Keeps the private connections of different clients apart, because a connection takes on its client's address. */
class PeerAgent extends Agent {
  override getName(options?: AgentOptions & PeerOptions): string {
    return `${super.getName(options)}|${options?.signalboxPeer ?? ""}`;
  }
}

export class SiblingForwarder {
  readonly #agent = new PeerAgent({ keepAlive: true, timeout: idleConnectionTimeoutMs });
  readonly #onFailure: () => void;

  /** @param onFailure called for each request that could not reach the sibling */
  constructor(onFailure: () => void) {
    this.#onFailure = onFailure;
  }

  /**
   * Forwards a request with its body, both directions streamed with back-pressure.
   * @param hooks for a handshake; any other request of an unreachable sibling is of an unknown session
   */
  forwardRequest(request: IncomingMessage, response: ServerResponse, socketPath: string, hooks?: HandshakeHooks): void {
    const peer = encodePeer(request.socket);
    const options: RequestOptions & PeerOptions = {
      agent: this.#agent,
      socketPath,
      method: request.method ?? "GET",
      path: request.url ?? "/",
      headers: [...copyHeaders(request.rawHeaders), peerHeader, peer],
      setHost: false,
      signalboxPeer: peer,
    };
    const forwarded = startRequest(options);
    forwarded.on("response", (answer) => {
      const load = Number(answer.headers[loadHeader]);
      if (Number.isSafeInteger(load)) hooks?.noteLoad(load);
      response.sendDate = false;
      // How the body is framed is between this response and its client, who may speak HTTP/1.0.
      const headers = copyHeaders(answer.rawHeaders, "transfer-encoding");
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, headers);
      answer.pipe(response);
      // The sibling died in the middle of its answer: so does this connection, as it would have there.
      answer.on("error", () => request.socket.destroy());
    });
    forwarded.on("error", () => {
      if (response.destroyed) return;
      this.#onFailure();
      if (response.headersSent) request.socket.destroy();
      else if (hooks === undefined) answerUnknownSession(response);
      else hooks.answerUnreachable();
    });
    response.on("close", () => forwarded.destroy());
    request.pipe(forwarded);
  }

  /** Forwards an upgrade: the bytes as they came, then both ways until either side ends. */
  forwardUpgrade(request: IncomingMessage, client: Duplex, head: Buffer, socketPath: string): void {
    const clientSocket = client as Socket;
    const sibling = connect(socketPath);
    const lines = [`${request.method ?? "GET"} ${request.url ?? "/"} HTTP/1.1`];
    for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
      const name = request.rawHeaders[index] ?? "";
      if (name.toLowerCase() !== peerHeader) lines.push(`${name}: ${request.rawHeaders[index + 1] ?? ""}`);
    }
    lines.push(`${peerHeader}: ${encodePeer(clientSocket)}`, "", "");
    sibling.write(lines.join("\r\n"), "latin1");
    if (head.length > 0) sibling.write(head);
    // The HTTP server leaves its own limits on the socket; a session may be silent for longer.
    clientSocket.setTimeout(0);
    clientSocket.setNoDelay(true);
    sibling.pipe(client).pipe(sibling);
    sibling.on("error", (error) => {
      this.#onFailure();
      const hasConnected = readErrorCode(error) !== "ENOENT" && readErrorCode(error) !== "ECONNREFUSED";
      if (hasConnected) client.destroy();
      else client.end(renderUnknownSession());
    });
    client.on("error", () => sibling.destroy());
    sibling.on("close", () => clientSocket.destroySoon());
    client.on("close", () => sibling.destroy());
  }

  /** Closes idle private connections and those in use. */
  close(): void {
    this.#agent.destroy();
  }
}

function copyHeaders(rawHeaders: readonly string[], leftOut?: string): string[] {
  const copied: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    const lowerName = name.toLowerCase();
    if (lowerName !== leftOut && !connectionHeaders.has(lowerName)) copied.push(name, rawHeaders[index + 1] ?? "");
  }
  return copied;
}

function answerUnknownSession(response: ServerResponse): void {
  response.writeHead(400, { "Content-Type": "application/json", "Content-Length": unknownSessionBody.length });
  response.end(unknownSessionBody);
}

function renderUnknownSession(): string {
  return (
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\n" +
    `Content-Length: ${unknownSessionBody.length}\r\n\r\n${unknownSessionBody}`
  );
}
