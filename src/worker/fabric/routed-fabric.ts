/** The routed fabric of one worker process: its session with the router, and the adapters that use it. */

import { randomBytes } from "node:crypto";
import type { EventEmitter } from "node:events";
import { addressLength, createAddress, randomBytesPerAddress } from "../../address/address.js";
import { maxFrameBytes, maxNamespaceBytes, maxRoomsPerFrame } from "../../protocol/frame.js";
import { type FabricCounts, noFabricCounts } from "../../protocol/worker-messages.js";
import { flushBeforeClientWrites, stopFlushingBeforeClientWrites } from "./client-writes.js";
import type { SessionEndpoint } from "./endpoint-table.js";
import { HostSession } from "./host-session.js";
import { RouterChannel, type RouterChannelEvents } from "./router-channel.js";
import type { SessionNote } from "./session-effects.js";

/** Where the router is, and which place this worker has there. */
export interface FabricPlace {
  readonly socketPath: string;
  /** Host key and slot, encoded. */
  readonly place: string;
}

export interface RoutedFabricOptions {
  /** Bytes that may wait for the router. */
  readonly maxOutboxBytes: number;
  /** Rooms beyond which this worker gets everything instead of announcing them. */
  readonly maxRooms: number;
  readonly log: FabricLog;
  /** Clients of these servers have missed messages: close their connections, so that they come back and start anew. */
  readonly resynchronise: (servers: ReadonlySet<object>) => void;
}

/** An adapter, as the fabric sees it. */
export interface FabricEndpoint extends SessionEndpoint {
  /** The Socket.IO server that it belongs to. */
  readonly server: object;
}

export interface FabricLog {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
}

/** Rooms empty and fill within seconds in many applications; a message too many costs less than an announcement. */
const leaveCooldownMs = 1_000;
/** The router answers within a millisecond or so; a join must not wait for one that is gone. */
const joinLimitMs = 1_000;

/** When this much waits, what is volatile is stale. */
const mostVolatileBytes = 8 * 1024 * 1024;

const addressCharacters = /^[A-Za-z0-9_-]+$/;

/** What adapters add up: the part of `FabricCounts` that is theirs. */
type AdapterCounters = {
  -readonly [Key in
    | "broadcastsReceived"
    | "broadcastsFiltered"
    | "packetsDecoded"
    | "packetsReencoded"
    | "messagesRefused"
    | "messagesUnreadable"]: FabricCounts[Key];
};

export class RoutedFabric {
  readonly session: HostSession;
  readonly counters: AdapterCounters = {
    broadcastsReceived: 0,
    broadcastsFiltered: 0,
    packetsDecoded: 0,
    packetsReencoded: 0,
    messagesRefused: 0,
    messagesUnreadable: 0,
  };
  readonly #options: RoutedFabricOptions;
  readonly #endpoints = new Set<FabricEndpoint>();
  /** Engines whose writes are watched, by server. */
  readonly #watched = new Map<object, EventEmitter>();
  readonly #whenPlaced: (() => void)[] = [];
  #place: string | undefined;
  #isAlone = false;
  #hasRefused = false;
  #hasNotedUnreadable = false;
  #channel: RouterChannel | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #lostSinceMs: number | undefined;
  #resolveWelcome: (() => void) | undefined;
  /** Resolves when the router has said welcome for the first time. */
  readonly welcomed: Promise<void>;

  constructor(options: RoutedFabricOptions) {
    this.#options = options;
    this.welcomed = new Promise((resolve) => {
      this.#resolveWelcome = resolve;
    });
    const { maxOutboxBytes, maxRooms } = options;
    this.session = new HostSession(
      {
        workerId: randomBytes(15).toString("base64url"),
        outbox: {
          maxBytes: maxOutboxBytes,
          maxVolatileBytes: Math.min(Math.ceil(maxOutboxBytes / 4), mostVolatileBytes),
        },
        leaveCooldownMs,
        maxRooms,
        joinLimitMs,
      },
      {
        wake: () => this.#channel?.wake(),
        schedule: (dueMs) => this.#schedule(dueMs),
        raise: (error) => {
          process.nextTick(() => {
            throw error;
          });
        },
        refused: (code, reason, shouldReconnectNow) => {
          options.log.warn(`the router refused this worker (code ${code}): ${reason}`);
          this.#channel?.refuse(shouldReconnectNow);
        },
        note: (note) => this.#note(note),
      },
    );
  }

  /** Where the router is becomes known, once. */
  settle({ socketPath, place }: FabricPlace): void {
    if (this.#channel !== undefined) return;
    this.#place = place;
    for (const endpoint of this.#endpoints) this.#nameEndpoint(endpoint, place);
    const events: RouterChannelEvents = {
      onLost: () => this.#noteLost(),
      onUnreachable: (path, error) => this.#noteUnreachable(path, error),
    };
    this.#channel = new RouterChannel(this.session, place, socketPath, events);
    if (this.#endpoints.size > 0) this.#channel.open();
    for (const callback of this.#whenPlaced.splice(0)) callback();
  }

  /** There are no other workers, and there will be none. To be said before there is an adapter. */
  stayAlone(): void {
    this.#isAlone = true;
  }

  get isAlone(): boolean {
    return this.#isAlone;
  }

  /** Calls back when this worker has its place: at once, if it has, or will have none. */
  whenPlaced(callback: () => void): void {
    if (this.#place === undefined && !this.#isAlone) this.#whenPlaced.push(callback);
    else callback();
  }

  attach(endpoint: FabricEndpoint): void {
    if (this.#isAlone) return;
    if (this.#place !== undefined) this.#nameEndpoint(endpoint, this.#place);
    if (this.#endpoints.size === 0) flushBeforeClientWrites(this.flush);
    this.#endpoints.add(endpoint);
    this.session.add(endpoint);
    this.#channel?.open();
  }

  #nameEndpoint(endpoint: FabricEndpoint, place: string): void {
    if (endpoint.uid !== "") return;
    endpoint.uid = createAddress(place, randomBytes(randomBytesPerAddress).toString("base64url"));
  }

  /** Whether an id says that it lives on this worker: the router sends there what is for it, announced or not. */
  isOwnAddress(id: string): boolean {
    if (this.#place === undefined) return false;
    // Engine.IO 3 clients have `namespace#session` in namespaces of their own.
    const at = id.length - addressLength;
    if (at !== 0 && id[at - 1] !== "#") return false;
    return id.startsWith(this.#place, at) && addressCharacters.test(id.slice(at));
  }

  readCounts(): FabricCounts {
    const { counters, lateJoins } = this.session;
    return {
      ...noFabricCounts,
      ...this.counters,
      volatileDropped: counters.droppedVolatile,
      framesUnsent: counters.unsentFrames,
      framesMissed: counters.missedFrames,
      lateJoins,
    };
  }

  /** False when it is too long. */
  sendFrame(frame: Buffer): boolean {
    if (frame.length > maxFrameBytes) {
      this.refuseMessage(frame.length);
      return false;
    }
    this.session.send(frame);
    return true;
  }

  /** A message that cannot be sent to other workers. */
  refuseMessage(bytes: number): void {
    this.counters.messagesRefused++;
    if (this.#hasRefused) return;
    this.#hasRefused = true;
    this.#options.log.warn(
      `a message of ${bytes} bytes was not sent to other workers: the limits are ${maxFrameBytes} bytes, ` +
        `${maxRoomsPerFrame} rooms and names of ${maxNamespaceBytes} bytes (said once; counted)`,
    );
  }

  noteUnreadable(what: string): void {
    this.counters.messagesUnreadable++;
    if (this.#hasNotedUnreadable) return;
    this.#hasNotedUnreadable = true;
    this.#options.log.warn(`another worker sent what cannot be read: ${what}; not delivered (said once; counted)`);
  }

  /** With the last adapter goes the connection: nothing is left that would keep a process. */
  detach(endpoint: FabricEndpoint): void {
    if (!this.#endpoints.delete(endpoint)) return;
    this.session.remove(endpoint);
    if (![...this.#endpoints].some(({ server }) => server === endpoint.server)) this.#unwatch(endpoint.server);
    if (this.#endpoints.size > 0) return;
    stopFlushingBeforeClientWrites(this.flush);
    this.#channel?.close();
    this.session.release();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
  }

  /** Writes what waits for the router now instead of at the end of the turn. */
  readonly flush = (): void => {
    this.#channel?.flush();
  };

  /**
   * Before Engine.IO writes to a client, what was said to the router in this turn leaves: a client that gets an
   * acknowledgement and tells others of it finds the rooms joined and the commands on their way. Called when a server has
   * a client, so that it has its engine.
   */
  watch(server: object): void {
    if (this.#watched.has(server)) return;
    const { engine } = server as { readonly engine?: EventEmitter };
    if (engine === undefined) return;
    this.#watched.set(server, engine);
    engine.on("flush", this.flush);
  }

  #unwatch(server: object): void {
    this.#watched.get(server)?.off("flush", this.flush);
    this.#watched.delete(server);
  }

  #schedule(dueMs: number): void {
    if (dueMs >= this.#timerDueMs) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    this.#timer = setTimeout(this.#tick, Math.max(1, dueMs - performance.now()));
    this.#timer.unref();
  }

  readonly #tick = (): void => {
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    this.session.tick(performance.now());
    const dueMs = this.session.nextDueMs();
    if (dueMs < Number.POSITIVE_INFINITY) this.#schedule(dueMs);
  };

  #resynchronise(): void {
    this.#options.resynchronise(new Set([...this.#endpoints].map((endpoint) => endpoint.server)));
  }

  #noteLost(): void {
    this.#lostSinceMs = performance.now();
    this.#options.log.warn(
      "the connection to the router is gone: clients of this worker are served, messages to other workers wait",
    );
  }

  #noteUnreachable(path: string, error: Error): void {
    this.#options.log.warn(
      `the router cannot be reached at ${path} (${error.message}): clients of this worker are served, messages to other ` +
        "workers wait, up to maxOutboxBytes. It is tried on and on",
    );
  }

  #note(note: SessionNote): void {
    const { log } = this.#options;
    switch (note.type) {
      case "welcome":
        this.#resolveWelcome?.();
        if (this.#lostSinceMs === undefined) break;
        log.info(`connected to the router again after ${Math.round(performance.now() - this.#lostSinceMs)} ms`);
        this.#lostSinceMs = undefined;
        break;
      case "router-restarted":
        log.warn("a new router: an unknown number of messages between workers went with the former one");
        break;
      case "reconnected":
        log.warn(
          "the connection to the router was interrupted: messages may be missing, clients are told to come back",
        );
        this.#resynchronise();
        break;
      case "overflowed":
        log.warn(
          "what waits for the router exceeds maxOutboxBytes: it is given up, and counted; the clients of other workers are told to come back",
        );
        break;
      case "unreadable":
        this.noteUnreadable(note.reason);
        break;
      case "missed":
        log.warn(
          note.frames === 0
            ? "messages were given up, and for whom is not known: the clients of this worker are told to come back"
            : `${note.frames} messages for this worker were given up while it did not read: its clients are told to come back`,
        );
        this.#resynchronise();
        break;
    }
  }
}
