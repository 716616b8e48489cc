/**
 * Stands before a worker's HTTP server: every request and upgrade passes it first, and goes to Engine.IO and the
 * application, on to a sibling, or back with a refusal. It also knows all open connections, which draining needs.
 */

import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { parsePeer, unnamedPeer } from "../protocol/peer.js";
import type { Sibling, WorkerCounts } from "../protocol/worker-messages.js";
import { applyPeer, decodePeer, removeHeader, takePeerHeader } from "./client-address.js";
import { chooseForward, type ForwardChoice, isHandshake } from "./forward-choice.js";
import { loadHeader, SiblingForwarder } from "./sibling-forwarder.js";
import { SiblingLoads } from "./sibling-loads.js";

/** What the gate asks the rest of the worker. */
export interface GateSurroundings {
  readonly hostKey: string;
  readonly workerSlot: number;
  readonly readEnginePath: () => string;
  readonly countSessions: () => number;
}

interface ConnectionState {
  readonly isFromSibling: boolean;
  requests: number;
}

/** Seconds after which a client that was refused during a drain may try again: by then another host or worker serves. */
const retryAfterSeconds = 1;

export class RequestGate {
  readonly counts: { -readonly [Key in keyof WorkerCounts]: number } = {
    unknownSessions: 0,
    forwardedRequests: 0,
    forwardedHandshakes: 0,
    receivedRequests: 0,
    forwardFailures: 0,
  };
  readonly openConnections = new Set<Socket>();
  readonly #surroundings: GateSurroundings;
  readonly #forwarder = new SiblingForwarder(() => this.counts.forwardFailures++);
  readonly #siblingLoads = new SiblingLoads();
  readonly #handedOff = new WeakSet<object>();
  /** Connections through a proxy that does not say for whom, and does not read HTTP: the client has written the headers. */
  readonly #unnamed = new WeakSet<object>();
  readonly #stateBySocket = new WeakMap<object, ConnectionState>();
  #siblings: ReadonlyMap<number, Sibling> = new Map();
  #takesSessions = true;
  #isDraining = false;

  constructor(surroundings: GateSurroundings) {
    this.#surroundings = surroundings;
    // Before the listener of `@socket.io/sticky`, so that a handed-off socket is known when it becomes a connection.
    process.prependListener("message", (message: unknown, handle: unknown) => {
      if (!(handle instanceof Socket)) return;
      this.#handedOff.add(handle);
      const said = (message as { client?: unknown } | null)?.client;
      if (said === unnamedPeer) this.#unnamed.add(handle);
      const client = parsePeer(said);
      if (client !== undefined) applyPeer(handle, client);
    });
  }

  /** @param takesSessions whether new sessions may begin here; else they go to siblings, or are refused when no sibling takes any */
  setSiblings(siblings: readonly Sibling[], takesSessions: boolean): void {
    this.#takesSessions = takesSessions;
    this.#siblings = new Map(siblings.map((sibling) => [sibling.slot, sibling]));
    this.#siblingLoads.noteNews(performance.now());
  }

  /** New handshakes go to siblings from now on, or are refused when they drain too. */
  startDraining(): void {
    this.#isDraining = true;
  }

  /**
   * Puts the gate before `server`. `emit` is the one place that all connections, requests and upgrades pass whoever
   * listens, and whenever the listener was added.
   */
  guard(server: HttpServer): void {
    const emit = server.emit.bind(server) as (event: string, ...values: unknown[]) => boolean;
    const guarded = (event: string, ...values: unknown[]): boolean => {
      switch (event) {
        case "connection":
          this.#noteConnection(values[0] as Socket);
          break;
        case "request":
        case "checkContinue":
          if (
            this.#takeRequest(values[0] as IncomingMessage, values[1] as ServerResponse, () => emit(event, ...values))
          )
            return true;
          break;
        case "upgrade":
          if (this.#takeUpgrade(values[0] as IncomingMessage, values[1] as Duplex, values[2] as Buffer)) return true;
          break;
      }
      return emit(event, ...values);
    };
    server.emit = guarded as typeof server.emit;
  }

  close(): void {
    this.#forwarder.close();
  }

  #noteConnection(socket: Socket): void {
    this.openConnections.add(socket);
    socket.once("close", () => this.openConnections.delete(socket));
    this.#stateBySocket.set(socket, { isFromSibling: !this.#handedOff.has(socket), requests: 0 });
  }

  #choose(request: IncomingMessage): ForwardChoice {
    const state = this.#stateBySocket.get(request.socket) ?? { isFromSibling: false, requests: 0 };
    state.requests++;
    if (state.isFromSibling) {
      this.counts.receivedRequests++;
      const peer = decodePeer(takePeerHeader(request) ?? "");
      // A private connection carries requests of one client connection only, so once per connection is enough.
      if (peer !== undefined && state.requests === 1) applyPeer(request.socket, peer);
    }
    if (this.#unnamed.has(request.socket)) removeHeader(request, "x-forwarded-for");
    const nowMs = performance.now();
    const choice = chooseForward({
      target: request.url ?? "/",
      enginePath: this.#surroundings.readEnginePath(),
      hostKey: this.#surroundings.hostKey,
      ownSlot: this.#surroundings.workerSlot,
      ownLoad: this.#surroundings.countSessions(),
      isDraining: this.#isDraining || !this.#takesSessions,
      siblings: this.#siblings,
      estimateLoad: ({ slot, load }) => this.#siblingLoads.estimate(slot, load, nowMs),
      isChosenByPrimary: state.requests === 1,
      isFromSibling: state.isFromSibling,
    });
    if (choice.kind === "forward-session") this.counts.forwardedRequests++;
    if (choice.kind === "forward-handshake") {
      this.counts.forwardedHandshakes++;
      this.#siblingLoads.noteForward(choice.sibling.slot, nowMs);
    }
    return choice;
  }

  /** Whether the request was dealt with here. */
  #takeRequest(request: IncomingMessage, response: ServerResponse, serveHere: () => void): boolean {
    const choice = this.#choose(request);
    switch (choice.kind) {
      case "serve":
        this.#tellLoad(request, response);
        // Whoever comes late is not to hold the drain, by a connection kept or by a body that does not end.
        if (this.#isDraining) response.setHeader("Connection", "close");
        return false;
      case "refuse-draining":
        response.writeHead(503, { "Retry-After": String(retryAfterSeconds), Connection: "close", "Content-Length": 0 });
        response.end();
        return true;
      case "forward-session":
        this.#forwarder.forwardRequest(request, response, choice.sibling.socketPath);
        return true;
      case "forward-handshake":
        // A sibling that has just ended: the session may as well begin here.
        this.#forwarder.forwardRequest(request, response, choice.sibling.socketPath, {
          answerUnreachable: serveHere,
          noteLoad: (load) => this.#siblingLoads.noteAnswer(choice.sibling.slot, load, performance.now()),
        });
        return true;
    }
  }

  /** A sibling that has sent a handshake here learns with the answer how many sessions that makes. */
  #tellLoad(request: IncomingMessage, response: ServerResponse): void {
    if (this.#stateBySocket.get(request.socket)?.isFromSibling !== true) return;
    if (!isHandshake(request.url ?? "/", this.#surroundings.readEnginePath())) return;
    response.setHeader(loadHeader, this.#surroundings.countSessions() + 1);
  }

  #takeUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const choice = this.#choose(request);
    switch (choice.kind) {
      case "serve":
        return false;
      case "refuse-draining":
        // Node has taken its own listener off: a client that is gone must not end this worker.
        socket.on("error", () => {});
        socket.end(
          `HTTP/1.1 503 Service Unavailable\r\nRetry-After: ${retryAfterSeconds}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
        );
        // A client that keeps its side open must not keep this worker.
        (socket as Socket).destroySoon();
        return true;
      case "forward-session":
      case "forward-handshake":
        this.#forwarder.forwardUpgrade(request, socket, head, choice.sibling.socketPath);
        return true;
    }
  }
}
