/**
 * Stands before a worker's HTTP server: every request and upgrade passes it first, and goes to Engine.IO and the
 * application, on to a sibling, back to the primary, or back with a refusal. It also knows all open connections, which draining needs.
 */

import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Peer, parsePeer, type UnnamedPeer, unnamedPeer } from "../protocol/peer.js";
import { readQueryParameter } from "../protocol/request-target.js";
import type { Sibling, WorkerCounts } from "../protocol/worker-messages.js";
import { applyPeer, decodePeer, peerHeader, removeHeader, takeHeader } from "./client-address.js";
import { chooseForward, type ForwardChoice, isHandshake } from "./forward-choice.js";
import { RelayedPolls } from "./relayed-polls.js";
import { returnConnection } from "./return-connection.js";
import { loadHeader, SiblingForwarder, siblingHeader } from "./sibling-forwarder.js";
import { SiblingLoads } from "./sibling-loads.js";

/** What the gate asks the rest of the worker. */
export interface GateSurroundings {
  readonly hostKey: string;
  readonly workerSlot: number;
  readonly readEnginePath: () => string;
  readonly countSessions: () => number;
  /** Answers the poll that a session has open, if it has one, with nothing. */
  readonly releasePoll: (sid: string) => void;
}

/** What the primary has said with a connection. */
interface HandedOff {
  readonly client: Peer | UnnamedPeer | undefined;
  /** It has come back from a worker: it is not sent on again. */
  readonly isReturned: boolean;
}

interface ConnectionState {
  /** undefined: it comes from a sibling */
  readonly handedOff: HandedOff | undefined;
  requests: number;
  /** Requests that have not been answered to the end. */
  unanswered: number;
  /** Called when there is none any more. */
  onAnswered: (() => void) | undefined;
}

const unknownConnection: HandedOff = { client: undefined, isReturned: false };

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
  readonly #forwarder: SiblingForwarder;
  readonly #siblingLoads = new SiblingLoads();
  readonly #relayedPolls: RelayedPolls;
  readonly #handedOff = new WeakMap<object, HandedOff>();
  readonly #stateBySocket = new WeakMap<object, ConnectionState>();
  #siblings: ReadonlyMap<number, Sibling> = new Map();
  #takesSessions = true;
  #isDraining = false;

  constructor(surroundings: GateSurroundings) {
    this.#surroundings = surroundings;
    this.#forwarder = new SiblingForwarder(
      surroundings.workerSlot,
      () => this.#isLeaving,
      () => this.counts.forwardFailures++,
    );
    this.#relayedPolls = new RelayedPolls(
      (slot) => this.#siblings.get(slot)?.isDraining === true,
      (sid) => surroundings.releasePoll(sid),
    );
    // Before the listener of `@socket.io/sticky`, so that a handed-off socket is known when it becomes a connection.
    process.prependListener("message", (message: unknown, handle: unknown) => {
      if (!(handle instanceof Socket)) return;
      const said = message as { client?: unknown; isReturned?: unknown } | null;
      const client = said?.client === unnamedPeer ? unnamedPeer : parsePeer(said?.client);
      this.#handedOff.set(handle, { client, isReturned: said?.isReturned === true });
      if (client !== undefined && client !== unnamedPeer) applyPeer(handle, client);
    });
  }

  /** @param takesSessions whether new sessions may begin here; else they go to siblings, or are refused when no sibling takes any */
  setSiblings(siblings: readonly Sibling[], takesSessions: boolean): void {
    this.#takesSessions = takesSessions;
    this.#siblings = new Map(siblings.map((sibling) => [sibling.slot, sibling]));
    this.#siblingLoads.noteNews(performance.now());
    this.#relayedPolls.look();
  }

  /** New handshakes go to siblings from now on, or are refused when they drain too. */
  startDraining(): void {
    this.#isDraining = true;
  }

  /** It drains, or is about to: whoever has a connection here is to come on another. */
  get #isLeaving(): boolean {
    return this.#isDraining || !this.#takesSessions;
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
    const handedOff = this.#handedOff.get(socket);
    this.#stateBySocket.set(socket, { handedOff, requests: 0, unanswered: 0, onAnswered: undefined });
  }

  #choose(request: IncomingMessage): ForwardChoice {
    const state = this.#stateBySocket.get(request.socket);
    const handedOff = state === undefined ? unknownConnection : state.handedOff;
    if (state !== undefined) state.requests++;
    if (handedOff === undefined) {
      this.counts.receivedRequests++;
      const peer = decodePeer(takeHeader(request, peerHeader) ?? "");
      // A private connection carries requests of one client connection only, so once per connection is enough.
      if (peer !== undefined && state?.requests === 1) applyPeer(request.socket, peer);
    }
    // Through a proxy that does not say for whom, and does not read HTTP: the client has written the headers.
    if (handedOff?.client === unnamedPeer) removeHeader(request, "x-forwarded-for");
    const nowMs = performance.now();
    const choice = chooseForward({
      target: request.url ?? "/",
      enginePath: this.#surroundings.readEnginePath(),
      hostKey: this.#surroundings.hostKey,
      ownSlot: this.#surroundings.workerSlot,
      ownLoad: this.#surroundings.countSessions(),
      isDraining: this.#isLeaving,
      siblings: this.#siblings,
      estimateLoad: ({ slot, load }) => this.#siblingLoads.estimate(slot, load, nowMs),
      isChosenByPrimary: (state?.requests ?? 1) === 1,
      isSentOn: handedOff === undefined || handedOff.isReturned,
    });
    if (choice.kind === "forward-session") this.counts.forwardedRequests++;
    if (choice.kind === "forward-handshake") this.counts.forwardedHandshakes++;
    return choice;
  }

  /** Whether the request was dealt with here. */
  #takeRequest(request: IncomingMessage, response: ServerResponse, serveHere: () => void): boolean {
    this.#noteUnanswered(request, response);
    const choice = this.#choose(request);
    // Kept, it would bring what belongs to others; and whoever comes late is not to hold the drain, by a connection
    // that stays or by a body that does not end.
    if (this.#isLeaving) response.setHeader("Connection", "close");
    switch (choice.kind) {
      case "serve":
        this.#noteServed(request, response);
        return false;
      case "refuse-draining":
        response.writeHead(503, { "Retry-After": String(retryAfterSeconds), Connection: "close", "Content-Length": 0 });
        response.end();
        return true;
      case "forward-session":
        this.#forwarder.forwardRequest(request, response, choice.sibling.socketPath);
        return true;
      case "forward-handshake":
        this.#siblingLoads.noteForward(choice.sibling.slot, performance.now());
        // A sibling that has just ended: the session may as well begin here.
        this.#forwarder.forwardRequest(request, response, choice.sibling.socketPath, {
          answerUnreachable: serveHere,
          noteLoad: (load) => this.#siblingLoads.noteAnswer(choice.sibling.slot, load, performance.now()),
        });
        return true;
    }
  }

  #noteUnanswered(request: IncomingMessage, response: ServerResponse): void {
    const state = this.#stateBySocket.get(request.socket);
    if (state === undefined) return;
    state.unanswered++;
    response.once("close", () => {
      state.unanswered--;
      if (state.unanswered === 0) state.onAnswered?.();
    });
  }

  /** What comes from a sibling: a handshake, whose answer says how many sessions that makes here; or a poll, which may have to be brief. */
  #noteServed(request: IncomingMessage, response: ServerResponse): void {
    const state = this.#stateBySocket.get(request.socket);
    if (state === undefined || state.handedOff !== undefined) return;
    const target = request.url ?? "/";
    const enginePath = this.#surroundings.readEnginePath();
    const siblingSlot = Number(takeHeader(request, siblingHeader));
    if (isHandshake(target, enginePath)) {
      response.setHeader(loadHeader, this.#surroundings.countSessions() + 1);
    } else if (request.method === "GET" && target.startsWith(enginePath)) {
      const sid = readQueryParameter(target, "sid");
      if (sid !== undefined) response.once("close", this.#relayedPolls.note(sid, siblingSlot));
    }
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
        this.#returnUpgrade(request, socket as Socket, head);
        return true;
    }
  }

  #returnUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    // Node has taken its own listener off.
    socket.on("error", () => {});
    const state = this.#stateBySocket.get(socket);
    if (state !== undefined && state.unanswered > 0) {
      // It was sent before the answers to others, which are this worker's to give: nobody can answer it in its turn.
      this.counts.forwardFailures++;
      state.onAnswered = () => socket.destroySoon();
      return;
    }
    returnConnection(request, socket, head, this.#handedOff.get(socket)?.client, () => {
      this.counts.forwardFailures++;
    });
  }
}
