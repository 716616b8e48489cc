/**
 * Joins one Socket.IO server to Signalbox: adapter, addressed ids, the gate before its HTTP server, and the worker half
 * of sticky sessions. It does not load the application and does not talk about readiness: the composition root does.
 */

import type { Server as HttpServer } from "node:http";
import { Server as TlsServer } from "node:tls";
import { setupWorker } from "@socket.io/sticky";
import type { Server } from "socket.io";
import { TrustedProxies } from "../address/trusted-proxies.js";
import { AppStartError } from "../errors.js";
import type { Logger } from "../logging.js";
import type { WorkerInit } from "../protocol/worker-messages.js";
import { addressSessions, createIdGenerator, withAddressedSockets } from "./addressed-ids.js";
import type { SignalboxContext } from "./app-contract.js";
import { warnAboutUnsupportedOptions } from "./fabric/unsupported-options.js";
import type { AdapterFactory } from "./fabric-contract.js";
import type { HeldListen } from "./listen-interception.js";
import { nameClients } from "./name-clients.js";
import { RequestGate } from "./request-gate.js";
import type { RunOnceJobs } from "./run-once.js";
import type { WorkerRuntimeApi } from "./runtime-registry.js";
import { createScopedEmitter } from "./scoped-emitters.js";
import type { SessionReports } from "./session-reports.js";

/** Engine.IO's code for a session id it does not know (engine.io 6.6, `Server.errors.UNKNOWN_SID`). */
const unknownSidCode = 1;

/** The part of an Engine.IO session that answering its poll needs (engine.io 6.6, `socket.js`, `transport.js`). */
interface PolledSession {
  readonly transport: {
    readonly name: string;
    /** A poll is open. */
    readonly writable: boolean;
    send(packets: readonly { readonly type: "noop" }[]): void;
  };
}

/** Another HTTP server of the application (metrics, a second port) waits this long for an `attach` that explains it. */
const strangerGraceMs = 1_000;

export class WorkerRuntime implements WorkerRuntimeApi {
  readonly gate: RequestGate;
  readonly #init: WorkerInit;
  readonly #log: Logger;
  readonly #jobs: RunOnceJobs;
  readonly #reports: SessionReports;
  readonly createAdapter: AdapterFactory;
  readonly #generateId: () => string;
  readonly #drainHooks: (() => void | Promise<void>)[] = [];
  readonly #held = new Set<HeldListen>();
  readonly #bound: Promise<void>;
  #settleBound: { resolve: () => void; reject: (error: AppStartError) => void } | undefined;
  #io: Server | undefined;
  #boundListen: HeldListen | undefined;
  #extraSockets = 0;

  constructor(
    init: WorkerInit,
    log: Logger,
    jobs: RunOnceJobs,
    reports: SessionReports,
    createAdapter: AdapterFactory,
  ) {
    this.#init = init;
    this.#log = log;
    this.#jobs = jobs;
    this.#reports = reports;
    this.#generateId = createIdGenerator(init.hostKey, init.slot);
    this.createAdapter = withAddressedSockets(createAdapter, this.#generateId);
    this.#bound = new Promise((resolve, reject) => {
      this.#settleBound = { resolve, reject };
    });
    this.gate = new RequestGate({
      hostKey: init.hostKey,
      workerSlot: init.slot,
      readEnginePath: () => `${this.#io?.path() ?? "/socket.io"}/`,
      countSessions: () => this.#io?.engine?.clientsCount ?? 0,
      releasePoll: (sid) => this.#releasePoll(sid),
    });
  }

  /** As Engine.IO itself does while a session is upgraded. */
  #releasePoll(sid: string): void {
    const { clients = {} } = (this.#io?.engine ?? {}) as { clients?: Record<string, PolledSession> };
    const transport = clients[sid]?.transport;
    if (transport?.name === "polling" && transport.writable) transport.send([{ type: "noop" }]);
  }

  /** The adopted server, once there is one. */
  get io(): Server | undefined {
    return this.#io;
  }

  /** Resolves when the adopted server listens on the private socket; rejects when it cannot. */
  get bound(): Promise<void> {
    return this.#bound;
  }

  get drainHooks(): readonly (() => void | Promise<void>)[] {
    return this.#drainHooks;
  }

  async adopt(io: Server): Promise<SignalboxContext> {
    if (this.#io !== undefined && this.#io !== io) {
      throw new AppStartError(
        "SIGNALBOX_APP_UNSUPPORTED",
        "attach() was called with a second Socket.IO server; one worker serves one. Use namespaces instead.",
      );
    }
    if (this.#io === io) return this.#createContext(io);
    refuseUnsupported(io);
    this.#io = io;
    refuseWebTransport(io);
    warnAboutUnsupportedOptions(io, (message) => this.#log.warn(message));
    io.adapter(this.createAdapter as Parameters<Server["adapter"]>[0]);
    this.#decideHeld();
    return this.#createContext(io);
  }

  /** Takes a `listen()` call of the application; whose server it is may become clear only later. */
  takeListen(held: HeldListen): void {
    this.#held.add(held);
    // `new Server(3000)` listens inside its constructor: who it is can be known one turn later at the earliest.
    setImmediate(() => this.#decideHeld());
    setTimeout(() => this.#decideHeld(), strangerGraceMs + 1).unref();
  }

  /** Whether the application called `listen()` on a server that nobody has attached yet. */
  get hasUndecidedListen(): boolean {
    return this.#held.size > 0;
  }

  #decideHeld(): void {
    for (const held of this.#held) {
      const decision = this.#decide(held);
      if (decision === "wait") continue;
      this.#held.delete(held);
      switch (decision) {
        case "bind":
          this.#bind(held);
          break;
        case "hide":
          held.listenPrivately(this.#nextExtraSocketPath());
          break;
        case "listen":
          held.listenForReal();
          break;
      }
    }
  }

  #decide(held: HeldListen): "wait" | "bind" | "hide" | "listen" {
    const httpServer: unknown = this.#io?.httpServer;
    if (httpServer !== undefined && httpServer === held.server) return "bind";
    const ownPort = this.#boundListen?.requested.port;
    // Frameworks listen on ::1 beside 127.0.0.1 with further servers: the same port is the same public address.
    if (ownPort !== undefined && ownPort === held.requested.port && ownPort !== 0) return "hide";
    if (httpServer !== undefined) return "listen";
    const hasWaited = performance.now() - held.heldSinceMs > strangerGraceMs;
    // A server that takes upgrades is probably the one that attach() will name: only the start timeout ends that wait.
    return hasWaited && held.server.listenerCount("upgrade") === 0 ? "listen" : "wait";
  }

  #nextExtraSocketPath(): string {
    this.#extraSockets++;
    return this.#init.socketPath.replace(/\.sock$/, `-${this.#extraSockets}.sock`);
  }

  #bind(held: HeldListen): void {
    const io = this.#io;
    if (io === undefined) throw new Error("bind without an adopted server");
    if (this.#boundListen !== undefined) {
      // Closed and listening again: all of the below is on the server already.
      held.listenPrivately(this.#init.socketPath);
      return;
    }
    this.#boundListen = held;
    addressSessions(io, this.#generateId);
    nameClients(io, new TrustedProxies(this.#init.trustProxy, this.#init.hasUnixPeers));
    setupStickyWorker(held.server);
    this.#reports.watch(io);
    this.gate.guard(held.server);
    Object.assign(held.server, {
      // Applies from the next `listening` on, so it is set before.
      connectionsCheckingInterval: Math.min(1_000, this.#init.headTimeoutMs),
      // Applies to each new connection: a head that the primary took must not be too long here.
      maxHeaderSize: this.#init.maxHeadBytes,
    });
    applyTimeouts(held.server, this.#init);
    io.engine.on("connection_error", (error: { code?: unknown }) => {
      if (error.code === unknownSidCode) this.gate.counts.unknownSessions++;
    });
    held.server.once("listening", () => this.#settleBound?.resolve());
    held.server.once("error", (cause) => {
      const message = `the private socket ${this.#init.socketPath} cannot be listened on: ${cause.message}`;
      this.#settleBound?.reject(new AppStartError("SIGNALBOX_LISTEN_FAILED", message, { cause }));
    });
    held.listenPrivately(this.#init.socketPath);
  }

  #createContext(io: Server): SignalboxContext {
    return {
      // A getter: `attach(io)` may come before io has its HTTP server.
      get httpServer(): HttpServer {
        return io.httpServer as HttpServer;
      },
      log: this.#log,
      workerSlot: this.#init.slot,
      hostKey: this.#init.hostKey,
      region: this.#init.region,
      onHost: (of = io) => createScopedEmitter(of, "host"),
      onRegion: (of = io) => createScopedEmitter(of, "region"),
      onDrain: (fn) => {
        this.#drainHooks.push(fn);
      },
      runOnce: (name, fn) => this.#jobs.claim(name, fn),
    };
  }
}

/** @throws AppStartError for servers whose connections cannot be handed over. */
function refuseUnsupported(io: Server): void {
  if ((io.httpServer as unknown) instanceof TlsServer) {
    throw new AppStartError(
      "SIGNALBOX_APP_UNSUPPORTED",
      "the application makes an https server. Workers get connections whose first request the primary has read, which " +
        "TLS makes impossible: use an http server here and terminate TLS in nginx in front of Signalbox.",
    );
  }
  const engine: unknown = io.engine;
  if (typeof engine === "object" && engine !== null && engine.constructor.name === "uServer") {
    throw new AppStartError(
      "SIGNALBOX_APP_UNSUPPORTED",
      "the application uses uWebSockets.js, which accepts its own connections: attach Socket.IO to a node:http server.",
    );
  }
}

/** @throws AppStartError: here it would be served by nobody */
function refuseWebTransport(io: Server): void {
  const { opts } = io as unknown as { opts?: { transports?: unknown } };
  if (!Array.isArray(opts?.transports) || !opts.transports.includes("webtransport")) return;
  throw new AppStartError(
    "SIGNALBOX_APP_UNSUPPORTED",
    'the option transports contains "webtransport": WebTransport runs over HTTP/3, which cannot be handed to workers. ' +
      'Use ["polling", "websocket"].',
  );
}

/** Node's own defaults (`http.createServer`): a server that has them was not told otherwise by its application. */
const nodeDefaults = { keepAliveTimeoutMs: 5_000, requestTimeoutMs: 300_000 };

/** The host's settings, where the application has not set its own. */
function applyTimeouts(server: HttpServer, init: WorkerInit): void {
  if (server.headersTimeout === 0 || server.headersTimeout > init.headTimeoutMs)
    server.headersTimeout = init.headTimeoutMs;
  if (server.requestTimeout === nodeDefaults.requestTimeoutMs) server.requestTimeout = init.requestTimeoutMs;
  if (server.keepAliveTimeout === nodeDefaults.keepAliveTimeoutMs) server.keepAliveTimeout = init.keepAliveTimeoutMs;
}

/**
 * The package's worker half: it takes handed-off sockets from the IPC channel and makes them connections of the server.
 * It sees the server through a small face, because two other things it does are done better here: it closes the
 * connection after every response, since its own primary cannot tell the sessions of one connection apart (the gate can);
 * and it reports each session with a message of its own (`SessionReports` gathers them).
 */
function setupStickyWorker(server: HttpServer): void {
  const face = {
    httpServer: {
      emit: (event: string, socket: unknown) => server.emit(event, socket),
      prependListener: () => face.httpServer,
    },
    engine: { on: () => face.engine },
  };
  setupWorker(face as unknown as Server);
}
