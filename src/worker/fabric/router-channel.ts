/** Keeps the worker's connection to the router: connects, reads, writes once per event-loop turn, connects again. */

import { connect, type Socket } from "node:net";
import { FrameError } from "../../protocol/frame.js";
import type { HostSession } from "./host-session.js";

/** Read into one buffer again and again: what is kept of a frame is copied out of it. */
const readBufferBytes = 256 * 1024;
/** A router that died is back within some hundred milliseconds: until then it is tried often, then less so. */
const fastRetryMs = 25;
const fastRetries = 120;
const slowRetryMs = 500;
/** A router that dies is there again long before: when this has passed, something is wrong that somebody should know. */
const defaultUnreachableAfterMs = 5_000;

export interface RouterChannelEvents {
  /** The connection ended that had been welcome. */
  readonly onLost: () => void;
  /** No connection could be made for a while, and this is why; once until there is one again. */
  readonly onUnreachable: (socketPath: string, error: Error) => void;
}

export class RouterChannel {
  readonly #session: HostSession;
  readonly #place: string;
  readonly #socketPath: string;
  readonly #events: RouterChannelEvents;
  readonly #unreachableAfterMs: number;
  readonly #buffer = Buffer.allocUnsafeSlow(readBufferBytes);
  #socket: Socket | undefined;
  #isConnected = false;
  #isWriting = false;
  #isFlushPlanned = false;
  #retries = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #isSlow = false;
  #unreachableSinceMs: number | undefined;
  #hasToldUnreachable = false;

  constructor(
    session: HostSession,
    place: string,
    socketPath: string,
    events: RouterChannelEvents,
    unreachableAfterMs = defaultUnreachableAfterMs,
  ) {
    this.#session = session;
    this.#place = place;
    this.#socketPath = socketPath;
    this.#events = events;
    this.#unreachableAfterMs = unreachableAfterMs;
  }

  open(): void {
    this.#isClosed = false;
    if (this.#socket === undefined && this.#retryTimer === undefined) this.#connect();
  }

  /** Safe twice; `open` begins anew. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#unreachableSinceMs = undefined;
    this.#socket?.destroy();
  }

  /** Something is to be written: at the end of this turn, together with what else comes up in it. */
  wake(): void {
    if (this.#isFlushPlanned || this.#isWriting) return;
    this.#isFlushPlanned = true;
    setImmediate(this.#flush);
  }

  /** Writes what there is at once. While another write is under way, it follows that. */
  flush(): void {
    this.#flush();
  }

  /** The router does not want this connection. */
  refuse(shouldReconnectNow: boolean): void {
    this.#isSlow = !shouldReconnectNow;
    this.#socket?.destroy();
  }

  #connect(): void {
    this.#retryTimer = undefined;
    const socket = connect({
      path: this.#socketPath,
      onread: {
        buffer: this.#buffer,
        callback: (bytes: number) => {
          this.#read(socket, bytes);
          return true;
        },
      },
    });
    this.#socket = socket;
    // The worker lives as long as its application wants, not as long as the router does.
    socket.unref();
    socket.once("connect", () => {
      this.#isConnected = true;
      this.#unreachableSinceMs = undefined;
      this.#session.connected(this.#place);
      this.#flush();
    });
    // Always followed by `close`.
    socket.on("error", (error) => {
      if (!this.#isConnected && !this.#isClosed) this.#noteUnreachable(error);
    });
    socket.once("close", () => this.#noteClosed(socket));
  }

  #noteUnreachable(error: Error): void {
    const nowMs = performance.now();
    if (this.#unreachableSinceMs === undefined) {
      this.#unreachableSinceMs = nowMs;
      this.#hasToldUnreachable = false;
    }
    if (this.#hasToldUnreachable || nowMs - this.#unreachableSinceMs < this.#unreachableAfterMs) return;
    this.#hasToldUnreachable = true;
    this.#events.onUnreachable(this.#socketPath, error);
  }

  #read(socket: Socket, bytes: number): void {
    if (socket !== this.#socket || socket.destroyed) return;
    try {
      this.#session.received(this.#buffer.subarray(0, bytes));
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      socket.destroy();
    }
  }

  #noteClosed(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#isWriting = false;
    if (this.#isConnected) {
      const wasWelcome = this.#session.isWelcome;
      this.#isConnected = false;
      if (wasWelcome) this.#retries = 0;
      this.#session.closed();
      if (wasWelcome && !this.#isClosed) this.#events.onLost();
    }
    if (this.#isClosed) return;
    const isSlow = this.#isSlow || ++this.#retries > fastRetries;
    this.#isSlow = false;
    this.#retryTimer = setTimeout(() => this.#connect(), isSlow ? slowRetryMs : fastRetryMs);
    this.#retryTimer.unref();
  }

  readonly #flush = (): void => {
    this.#isFlushPlanned = false;
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed || !this.#isConnected || this.#isWriting) return;
    if (!this.#session.hasWrites) return;
    const blocks = this.#session.takeWrites();
    if (blocks.length === 0) return;
    // One at a time: what waits longer stays in the session's outbox, where its bound sees it.
    this.#isWriting = true;
    const noteWritten = (): void => {
      this.#session.written(blocks);
      // At the end of a connection its writes come back before `close` does: what waits is the next connection's.
      if (this.#socket !== socket || socket.destroyed) return;
      this.#isWriting = false;
      if (this.#session.hasWrites) this.#flush();
    };
    const last = blocks.length - 1;
    if (last === 0) {
      socket.write(blocks[0] as Buffer, noteWritten);
      return;
    }
    socket.cork();
    for (const [index, block] of blocks.entries()) {
      if (index === last) socket.write(block, noteWritten);
      else socket.write(block);
    }
    socket.uncork();
  };
}
