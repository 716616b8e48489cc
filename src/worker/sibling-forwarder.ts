/** Sends a request on to a sibling's private Unix socket, and its answer back. */

import {
  Agent,
  type AgentOptions,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
  request as startRequest,
} from "node:http";
import { unknownSessionBody } from "../protocol/unknown-session.js";
import { encodePeer, peerHeader } from "./client-address.js";

/** Header of the answer to a forwarded handshake: the sessions of the sibling with this one; taken off again. */
export const loadHeader = "x-signalbox-load";

/** Header of a forwarded request: the slot of the worker that forwards it; never honoured from a client. */
export const siblingHeader = "x-signalbox-sibling";

/** Headers that belong to one connection, not to the message (RFC 9110 §7.6.1); each side makes its own. */
const connectionHeaders: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  peerHeader,
  siblingHeader,
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
  readonly #ownSlot: number;
  readonly #isLeaving: () => boolean;
  readonly #onFailure: () => void;

  /**
   * @param isLeaving whether this worker is about to end: clients are told to come on other connections
   * @param onFailure called for each request that could not reach the sibling
   */
  constructor(ownSlot: number, isLeaving: () => boolean, onFailure: () => void) {
    this.#ownSlot = ownSlot;
    this.#isLeaving = isLeaving;
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
      headers: [...copyHeaders(request.rawHeaders), peerHeader, peer, siblingHeader, String(this.#ownSlot)],
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
      if (this.#isLeaving()) headers.push("Connection", "close");
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
