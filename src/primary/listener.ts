/**
 * Accepts connections, reads the head of the first request, and gives both to `onConnection`. Answers what is hopeless
 * itself. It must not read a byte past the first chunk that completes the head: those bytes would be lost in the hand-off.
 */

import { chmodSync } from "node:fs";
import { createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { TrustedProxies, type TrustedProxySetting } from "../address/trusted-proxies.js";
import { ListenError, readErrorCode } from "../errors.js";
import type { HostMetrics, RefusalReason } from "../metrics/host-metrics.js";
import type { Peer, UnnamedPeer } from "../protocol/peer.js";
import { stopReading } from "../socket-reading.js";
import { removeStaleSocket } from "../unix-sockets.js";
import { readPassedAddress } from "./passed-socket.js";
import { readProxyHeader } from "./proxy-protocol.js";
import { answerAndClose } from "./refusal.js";
import { readRequestHead } from "./request-head.js";
import { maxSocketPathBytes } from "./runtime-paths.js";

/** A connection whose first request is known, not reading any more. */
export interface IncomingConnection {
  readonly socket: Socket;
  /** Everything read: the whole head, and what came with it. */
  readonly received: Buffer;
  readonly sid: string | undefined;
  readonly isHandshake: boolean;
  /** Whose connection it is, where a proxy has said so by the PROXY protocol, or has said that it cannot tell. */
  readonly client: Peer | UnnamedPeer | undefined;
  /** A worker that was not to have it has given it back. */
  readonly isReturned: boolean;
}

export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string; readonly mode: number };

/** A socket that systemd made and passed as this descriptor: it outlives the host, and connections wait in it. */
export type ListenTarget = ListenAddress | { readonly kind: "passed"; readonly fd: number };

export interface ListenerSettings {
  readonly address: ListenTarget;
  readonly headTimeoutMs: number;
  readonly maxHeadBytes: number;
  readonly maxPendingConnections: number;
  readonly trustProxy: TrustedProxySetting;
  /** The address is a Unix socket's. */
  readonly hasUnixPeers: boolean;
  readonly proxyProtocol: boolean;
}

/** Longest queue of connections the kernel keeps for us; it applies its own limit (net.core.somaxconn) too. */
const backlog = 4_096;
const sweepsPerTimeout = 10;

interface PendingHead {
  readonly sinceMs: number;
  received: Buffer | undefined;
  /** The peer is a proxy whose header has not come in full. */
  isProxyHeaderAwaited: boolean;
  client: IncomingConnection["client"];
}

export class Listener {
  readonly #settings: ListenerSettings;
  readonly #metrics: HostMetrics;
  readonly #onConnection: (connection: IncomingConnection) => void;
  /** In order of arrival: the first is the oldest. */
  readonly #pending = new Map<Socket, PendingHead>();
  readonly #server: Server;
  readonly #proxies: TrustedProxies;
  #sweep: NodeJS.Timeout | undefined;

  constructor(
    settings: ListenerSettings,
    metrics: HostMetrics,
    onConnection: (connection: IncomingConnection) => void,
  ) {
    this.#settings = settings;
    this.#metrics = metrics;
    this.#onConnection = onConnection;
    this.#proxies = new TrustedProxies(settings.trustProxy, settings.hasUnixPeers);
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  /**
   * Resolves with the address that is listened on (with the port the system chose, for port 0).
   * @throws ListenError that names the address and what to do.
   */
  async listen(): Promise<ListenAddress> {
    const { address } = this.#settings;
    if (address.kind === "unix") {
      refuseLongPath(address.path);
      await clearPath(address.path);
    }
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (cause) => reject(describeListenFailure(address, cause)));
      this.#server.listen({ ...chooseListenOptions(address), backlog }, resolve);
    });
    this.#server.removeAllListeners("error");
    // Out of file descriptors, for one: the connection waits in the backlog, the host goes on.
    this.#server.on("error", () => this.#metrics.acceptErrors.inc());
    this.#sweep = setInterval(
      () => this.#closeSlowHeads(),
      Math.max(20, this.#settings.headTimeoutMs / sweepsPerTimeout),
    );
    if (address.kind === "passed") return readPassedAddress(this.#server, address.fd);
    if (address.kind === "unix") {
      chmodSync(address.path, address.mode);
      return address;
    }
    const bound = this.#server.address();
    return typeof bound === "object" && bound !== null ? { ...address, port: bound.port } : address;
  }

  /** Stops accepting; connections whose head is not complete are refused. */
  close(): void {
    clearInterval(this.#sweep);
    this.#server.close();
    for (const socket of [...this.#pending.keys()]) this.#refuse(socket, 503, "draining");
  }

  #accept(socket: Socket): void {
    this.#metrics.connectionsAccepted.inc();
    this.#pending.set(socket, {
      sinceMs: performance.now(),
      received: undefined,
      isProxyHeaderAwaited: this.#settings.proxyProtocol && this.#proxies.trusts(socket.remoteAddress, 0),
      client: undefined,
    });
    socket.on("data", (chunk) => this.#read(socket, chunk));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#pending.delete(socket));
    if (this.#pending.size > this.#settings.maxPendingConnections) this.#dropOldest();
  }

  #read(socket: Socket, chunk: Buffer): void {
    const pending = this.#pending.get(socket);
    if (pending === undefined) return;
    const received = pending.received === undefined ? chunk : Buffer.concat([pending.received, chunk]);
    if (pending.isProxyHeaderAwaited) this.#readProxyHeader(socket, pending, received);
    else this.#readRequestHead(socket, pending, received, pending.received?.length ?? 0);
  }

  #readProxyHeader(socket: Socket, pending: PendingHead, received: Buffer): void {
    const verdict = readProxyHeader(received);
    switch (verdict.kind) {
      case "incomplete":
        pending.received = received;
        break;
      case "refuse":
        this.#refuse(socket, 400, verdict.reason);
        break;
      case "complete":
        pending.isProxyHeaderAwaited = false;
        pending.client = verdict.client;
        this.#readRequestHead(socket, pending, received.subarray(verdict.length), 0);
        break;
    }
  }

  #readRequestHead(socket: Socket, pending: PendingHead, received: Buffer, known: number): void {
    const verdict = readRequestHead(received, known, this.#settings.maxHeadBytes);
    switch (verdict.kind) {
      case "incomplete":
        pending.received = received;
        break;
      case "refuse":
        this.#refuse(socket, verdict.status, verdict.reason);
        break;
      case "complete":
        this.#pending.delete(socket);
        stopReading(socket);
        socket.removeAllListeners("data");
        socket.removeAllListeners("close");
        this.#onConnection({
          socket,
          received,
          sid: verdict.sid,
          isHandshake: verdict.isHandshake,
          client: pending.client,
          isReturned: false,
        });
        break;
    }
  }

  #closeSlowHeads(): void {
    const limitMs = performance.now() - this.#settings.headTimeoutMs;
    for (const [socket, pending] of this.#pending) {
      if (pending.sinceMs > limitMs) break;
      this.#refuse(socket, 408, "head-timeout");
    }
  }

  /** A flood of silent connections costs the oldest of them its place, not the newcomer that may have something to say. */
  #dropOldest(): void {
    for (const socket of this.#pending.keys()) {
      this.#refuse(socket, 503, "too-many-pending");
      break;
    }
  }

  #refuse(socket: Socket, status: 400 | 408 | 431 | 503, reason: RefusalReason): void {
    this.#pending.delete(socket);
    this.#metrics.connectionsRefused.inc({ reason });
    socket.removeAllListeners("data");
    // TLS and HTTP/2 clients cannot read an HTTP/1.1 answer, others can.
    answerAndClose(socket, status, reason);
  }
}

function chooseListenOptions(address: ListenTarget): ListenOptions & { fd?: number } {
  switch (address.kind) {
    case "tcp":
      return { host: address.host, port: address.port };
    case "unix":
      return { path: address.path };
    case "passed":
      return { fd: address.fd };
  }
}

/** Node cuts longer paths in silence and listens somewhere else. */
function refuseLongPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= maxSocketPathBytes) return;
  throw new ListenError(
    "SIGNALBOX_SOCKET_PATH_TOO_LONG",
    `cannot listen on ${path}: the path has ${bytes} bytes, and a Unix socket's may have ${maxSocketPathBytes}. Choose a shorter --listen (SIGNALBOX_LISTEN).`,
  );
}

async function clearPath(path: string): Promise<void> {
  let obstacle: Awaited<ReturnType<typeof removeStaleSocket>>;
  try {
    obstacle = await removeStaleSocket(path);
  } catch (cause) {
    throw new ListenError("SIGNALBOX_LISTEN_FAILED", `cannot look at ${path}: ${String(cause)}`, { cause });
  }
  if (obstacle === "no-socket") {
    throw new ListenError(
      "SIGNALBOX_LISTEN_FAILED",
      `cannot listen on ${path}: it exists and is not a socket. Remove it or choose another path.`,
    );
  }
  if (obstacle === "in-use") {
    throw new ListenError(
      "SIGNALBOX_ADDRESS_IN_USE",
      `cannot listen on ${path}: another process answers there. End it, or choose another path.`,
    );
  }
}

function describeListenFailure(address: ListenTarget, cause: Error): ListenError {
  if (address.kind === "passed") {
    return new ListenError(
      "SIGNALBOX_LISTEN_FAILED",
      `cannot listen on the socket that systemd passes (descriptor ${address.fd}): ${cause.message}. The socket unit has to have ` +
        "ListenStream= and Accept=no.",
      { cause },
    );
  }
  const where = address.kind === "tcp" ? `${address.host}:${address.port}` : address.path;
  switch (readErrorCode(cause)) {
    case "EADDRINUSE":
      return new ListenError(
        "SIGNALBOX_ADDRESS_IN_USE",
        `cannot listen on ${where}: the address is in use. End the other process, or choose another with ${address.kind === "unix" ? "--listen (SIGNALBOX_LISTEN)" : "--port (SIGNALBOX_PORT)"}.`,
        { cause },
      );
    case "EACCES":
      return new ListenError(
        "SIGNALBOX_LISTEN_FAILED",
        address.kind === "unix"
          ? `cannot listen on ${where}: not permitted, or its directory does not exist. Choose a directory that this user may write to.`
          : `cannot listen on ${where}: not permitted. Ports below 1024 need privileges: put nginx in front, or choose a higher port.`,
        { cause },
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new ListenError(
        "SIGNALBOX_LISTEN_FAILED",
        `cannot listen on ${where}: this machine has no such address. Check --host (SIGNALBOX_HOST).`,
        { cause },
      );
    default:
      return new ListenError("SIGNALBOX_LISTEN_FAILED", `cannot listen on ${where}: ${cause.message}`, { cause });
  }
}
