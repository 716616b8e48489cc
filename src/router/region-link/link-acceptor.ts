/** Takes links of other regions: listens, holds the handshake with each, and gives what has proven itself to the carrier. */

import { randomBytes } from "node:crypto";
import { chmodSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { LinkClosure } from "../../protocol/link-closures.js";
import { type LinkIdentity, nonceBytes } from "../../protocol/link-handshake.js";
import { removeStaleSocket } from "../../unix-sockets.js";
import { AcceptorHandshake, type LinkProver } from "./handshake.js";
import { LinkEntrance } from "./link-entrance.js";
import { type LinkFault, LinkSocket } from "./link-socket.js";

export interface LinkAcceptorSettings {
  readonly self: LinkIdentity;
  /** Of the secrets as they are now. */
  readonly findProver: () => LinkProver;
  readonly maxMessageBytes: number;
  readonly isCompressed: boolean;
  readonly unreachableAfterMs: number;
}

/** What becomes of what comes on a link. */
export interface LinkedHandlers {
  readonly onMessage: (payload: Buffer) => void;
  readonly onDrain: () => void;
  readonly onFault: (fault: LinkFault) => void;
  readonly onClose: (reason: string) => void;
}

export interface LinkAcceptorEvents {
  /** False: nobody is let in yet. */
  readonly canAccept: () => boolean;
  readonly onLinked: (socket: LinkSocket, peer: LinkIdentity) => LinkedHandlers;
  readonly onRefused: (closure: LinkClosure, reason: string) => void;
}

const handshakeTimeoutMs = 5_000;

export class LinkAcceptor {
  readonly #settings: LinkAcceptorSettings;
  readonly #events: LinkAcceptorEvents;
  readonly #entrance = new LinkEntrance();
  readonly #server: Server;
  readonly #sockets: WebSocketServer;

  constructor(settings: LinkAcceptorSettings, events: LinkAcceptorEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: settings.maxMessageBytes,
      perMessageDeflate: settings.isCompressed,
    });
    this.#server = createServer(
      { headersTimeout: handshakeTimeoutMs, connectionsCheckingInterval: 1_000 },
      (_request, response) => {
        response.writeHead(426, { connection: "close" }).end("Links between regions of Signalbox are WebSockets.\n");
      },
    );
    this.#server.maxHeadersCount = 64;
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket as Socket, head));
    // A head that is none: Node closes the connection.
    this.#server.on("clientError", (_error, socket) => {
      this.#refuse("badMessage", "a request that is none");
      socket.destroy();
    });
  }

  /** @throws what the system says against it */
  async listen(place: { readonly path: string } | { readonly host: string; readonly port: number }): Promise<void> {
    if ("path" in place) await clearPath(place.path);
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(place, resolve);
    });
    this.#server.removeAllListeners("error");
    // Out of descriptors: whoever was not let in tries again.
    this.#server.on("error", (error) => this.#refuse("tooMany", error.message));
    // For a proxy in the same group, as the public socket.
    if ("path" in place) chmodSync(place.path, 0o660);
  }

  /** Takes a connection that somebody else has accepted, with what was read of it. */
  take(socket: Socket, head: Buffer): void {
    if (head.length > 0) socket.unshift(head);
    this.#server.emit("connection", socket);
    socket.resume();
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #refuse(closure: LinkClosure, reason: string): void {
    this.#events.onRefused(closure, reason);
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    // The other end may go in the middle of it.
    socket.on("error", () => {});
    if (!this.#events.canAccept()) {
      answerAndClose(socket, "503 Service Unavailable");
      return;
    }
    const address = readAddress(request);
    if (!this.#entrance.enter(address, performance.now())) {
      this.#refuse("tooMany", `too many handshakes from ${address}, or in all`);
      answerAndClose(socket, "429 Too Many Requests");
      return;
    }
    let isUpgraded = false;
    socket.once("close", () => {
      if (!isUpgraded) this.#entrance.leave(address, false, performance.now());
    });
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      isUpgraded = true;
      this.#hold(webSocket, address);
    });
  }

  /** Holds the handshake; whoever has gone through it is the carrier's. */
  #hold(webSocket: WebSocket, address: string): void {
    const { self, findProver, unreachableAfterMs } = this.#settings;
    const handshake = new AcceptorHandshake(self, randomBytes(nonceBytes), findProver());
    let linked: LinkedHandlers | undefined;
    let hasLeft = false;
    const leave = (isProven: boolean): void => {
      if (hasLeft) return;
      hasLeft = true;
      clearTimeout(timer);
      this.#entrance.leave(address, isProven, performance.now());
    };
    const refuse = (closure: LinkClosure, reason: string): void => {
      if (hasLeft) return;
      leave(false);
      this.#refuse(closure, reason);
      socket.close(closure, reason);
    };
    const socket = new LinkSocket(webSocket, unreachableAfterMs, {
      onMessage: (payload) => {
        if (linked !== undefined) {
          linked.onMessage(payload);
          return;
        }
        const step = handshake.take(payload);
        if (step.type === "refuse") {
          refuse(step.closure, step.reason);
          return;
        }
        if (step.bytes !== undefined) socket.send(step.bytes);
        if (step.type !== "linked") return;
        leave(true);
        socket.startHeartbeat();
        linked = this.#events.onLinked(socket, step.peer);
      },
      onDrain: () => linked?.onDrain(),
      onFault: (fault, reason) => {
        if (linked !== undefined) linked.onFault(fault);
        else if (!hasLeft) this.#refuse("badMessage", reason);
      },
      onClose: (_code, reason) => {
        leave(false);
        linked?.onClose(reason === "" ? "the connection was closed" : reason);
      },
    });
    const timer = setTimeout(() => refuse("handshakeTimeout", "it did not say who it is in time"), handshakeTimeoutMs);
  }
}

/** What a router left that was killed is removed, and nothing else. */
async function clearPath(path: string): Promise<void> {
  const obstacle = await removeStaleSocket(path);
  if (obstacle === "no-socket") throw new Error(`${path} exists and is not a socket`);
  if (obstacle === "in-use") throw new Error(`another process listens on ${path}`);
}

/** The server of Node leaves its own end open, and after an upgrade no time limit of it holds: whoever did not close would stay. */
function answerAndClose(socket: Socket, status: string): void {
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** Behind a proxy all have its address: it says whose it was last in the list that it adds to. */
function readAddress({ socket, headers }: IncomingMessage): string {
  const peer = socket.remoteAddress ?? "a Unix socket";
  const isBehindProxy = socket.remoteAddress === undefined || /^(::ffff:)?127\.|^::1$/.test(peer);
  const forwarded = isBehindProxy
    ? String(headers["x-forwarded-for"] ?? "")
        .split(",")
        .at(-1)
        ?.trim()
    : undefined;
  return forwarded === undefined || forwarded === "" ? peer : forwarded;
}
