/** The sockets around the router's core: accepts the workers, reads, and writes what the core gives. It decides nothing. */

import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { RouterCore, type RouterSettings, type RouterWays } from "./core.js";
import { ReadTurns } from "./read-turns.js";
import type { RouterEffects, RouterNote } from "./router-effects.js";

/** Pings, and verdicts on who did not answer them. */
const tickIntervalMs = 500;
/** A refused worker has this long to take the reason. */
const farewellTimeoutMs = 1_000;

interface Connection {
  readonly id: number;
  readonly socket: Socket;
  isWriting: boolean;
  /** It closes when there is nothing more to write. */
  isEnding: boolean;
  farewellTimer: NodeJS.Timeout | undefined;
}

export class WorkerPorts {
  readonly core: RouterCore;
  readonly #server: Server;
  readonly #connections = new Map<number, Connection>();
  readonly #readTurns = new ReadTurns();
  readonly #onServerError: (error: Error) => void;
  #lastId = 0;
  /** Connections that have something to write at the end of this turn. */
  #awake: Connection[] = [];
  #isTurnPlanned = false;
  #tickTimer: NodeJS.Timeout | undefined;
  #onEmpty: (() => void) | undefined;

  /** @param ways to other hosts and regions */
  constructor(
    settings: RouterSettings,
    ways: RouterWays,
    events: {
      readonly onNote: (note: RouterNote) => void;
      /** A connection could not be accepted, for want of descriptors for one; the worker tries again. */
      readonly onServerError: (error: Error) => void;
    },
  ) {
    const effects: RouterEffects = {
      wake: (id) => this.#wake(this.#connections.get(id)),
      closeAfterWrite: (id) => this.#closeAfterWrite(this.#connections.get(id)),
      note: events.onNote,
    };
    this.core = new RouterCore(settings, effects, ways);
    this.#onServerError = events.onServerError;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Listens on a Unix socket that only this user can open. @throws what the system says against it */
  async listen(path: string): Promise<void> {
    // Left by a router that was killed; the primary runs one at a time.
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ path }, resolve);
    });
    this.#server.removeAllListeners("error");
    this.#server.on("error", this.#onServerError);
    chmodSync(path, 0o600);
    this.#tickTimer = setInterval(() => this.core.tick(performance.now()), tickIntervalMs);
  }

  /** Resolves when no worker is connected, or after `limitMs`: what ended workers have written may still have to be read. */
  async waitUntilEmpty(limitMs: number): Promise<void> {
    if (this.#connections.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      timer = setTimeout(resolve, limitMs);
    });
    clearTimeout(timer);
  }

  /** Closes everything, and takes the socket's file away. */
  close(): void {
    clearInterval(this.#tickTimer);
    this.#server.close();
    for (const { socket } of this.#connections.values()) socket.destroy();
  }

  #accept(socket: Socket): void {
    const id = ++this.#lastId;
    const connection: Connection = { id, socket, isWriting: false, isEnding: false, farewellTimer: undefined };
    this.#connections.set(id, connection);
    this.core.opened(id, performance.now());
    socket.on("data", (chunk) => {
      this.#readTurns.begin();
      this.core.received(id, chunk, performance.now());
      this.#readTurns.end(socket);
      if (this.core.hasHeld) this.#planTurn();
    });
    // The worker has ended, or was killed: what matters is that it is gone, and `close` follows.
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(connection.farewellTimer);
      this.#connections.delete(id);
      this.core.closed(id, performance.now());
      if (this.#connections.size === 0) this.#onEmpty?.();
    });
  }

  /** All that is said in one turn of the event loop leaves in one write per worker: a system call costs more than a frame. */
  #wake(connection: Connection | undefined): void {
    if (connection === undefined) return;
    this.#awake.push(connection);
    this.#planTurn();
  }

  #planTurn(): void {
    if (this.#isTurnPlanned) return;
    this.#isTurnPlanned = true;
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.core.endTurn(performance.now());
    const awake = this.#awake;
    this.#awake = [];
    for (const connection of awake) this.#write(connection);
    this.#isTurnPlanned = false;
    if (this.core.hasHeld || this.#awake.length > 0) this.#planTurn();
  };

  /** One write at a time: what waits longer stays in the core's outbox, whose bound is the bound. */
  #write(connection: Connection): void {
    const { id, socket } = connection;
    if (connection.isWriting || socket.destroyed) return;
    const blocks = this.core.takeWrites(id);
    const [first] = blocks;
    if (first === undefined) {
      if (connection.isEnding) socket.end();
      return;
    }
    connection.isWriting = true;
    const onWritten = (error?: Error | null): void => {
      connection.isWriting = false;
      this.core.written(id, blocks);
      // `close` follows an error.
      if (!error && (connection.isEnding || this.core.hasWrites(id))) this.#wake(connection);
    };
    if (blocks.length === 1) {
      socket.write(first, onWritten);
      return;
    }
    socket.cork();
    for (let index = 0; index < blocks.length - 1; index++) socket.write(blocks[index] as Buffer);
    socket.write(blocks[blocks.length - 1] as Buffer, onWritten);
    socket.uncork();
  }

  #closeAfterWrite(connection: Connection | undefined): void {
    if (connection === undefined || connection.isEnding) return;
    connection.isEnding = true;
    connection.farewellTimer = setTimeout(() => connection.socket.destroy(), farewellTimeoutMs);
    this.#wake(connection);
  }
}
