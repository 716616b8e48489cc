/** One WebSocket of a link: sends, says when it is full, and finds out by heartbeats whether anybody is at the other end. It decides nothing about what is said. */

import type { RawData, WebSocket } from "ws";
import { type LinkClosure, linkClosures } from "../../protocol/link-closures.js";
import { explainDialError, makePrintable } from "./explain-failure.js";

const heartbeatMs = 1_000;
/** Sent and not yet taken by the system: beyond it the rest waits in the session, whose bound is the bound. */
const fullBytes = 1024 * 1024;
/** Announcements are not held back when it is full: whoever has left so much unread is not waited for any longer. */
const unreadLimitBytes = 16 * 1024 * 1024;
/** An own heartbeat that is not answered for so long waits behind what the other end does not read. */
const unreadTicks = 15;
/** The other end has this long to answer that the link ends. */
const closeTimeoutMs = 2_000;
const unread = "it does not read what is sent to it";
/** RFC 6455, 5.5: a close frame holds 125 bytes, two of them the code. */
const maxReasonBytes = 123;

/** `silent`: it does not answer, or does not read. `invalid`: it sent what no WebSocket sends, or too much in one message. */
export type LinkFault = "silent" | "invalid";

export interface LinkSocketEvents {
  readonly onMessage: (payload: Buffer) => void;
  /** It takes more again. */
  readonly onDrain: () => void;
  /** This end closes for it; `onClose` follows. */
  readonly onFault: (fault: LinkFault, reason: string) => void;
  /** Once. @param code as the other end, or this one, has closed it */
  readonly onClose: (code: number, reason: string) => void;
}

export class LinkSocket {
  /** Of the last heartbeat that was answered. */
  roundTripMs: number | undefined;
  readonly #socket: WebSocket;
  readonly #events: LinkSocketEvents;
  /** Ticks without any sign of life, counted and not measured: a process that stood still accuses nobody. */
  readonly #silentTicks: number;
  #heartbeat: NodeJS.Timeout | undefined;
  #closeTimer: NodeJS.Timeout | undefined;
  #ticksSinceSign = 0;
  #ticksSincePong = 0;
  #pingSentMs: number | undefined;
  #isFull = false;
  #own: { readonly code: number; readonly reason: string } | undefined;

  /** @param unreachableAfterMs without a sign of life for so long the link ends */
  constructor(socket: WebSocket, unreachableAfterMs: number, events: LinkSocketEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#silentTicks = Math.max(2, Math.ceil(unreachableAfterMs / heartbeatMs));
    socket.on("message", (data) => this.#take(data));
    socket.on("ping", () => {
      this.#ticksSinceSign = 0;
    });
    socket.on("pong", () => this.#takePong());
    // `close` follows, and says what matters.
    socket.on("error", (error: Error & { readonly code?: unknown }) => {
      this.#own ??= { code: 1006, reason: explainDialError(error) };
      // Those that ws finds in what it reads; it closes by itself, with a code that says so (RFC 6455, 7.4.1).
      if (String(error.code).startsWith("WS_ERR_")) events.onFault("invalid", error.message);
    });
    socket.once("close", (code, reason) => this.#end(code, reason.toString("utf8")));
  }

  /** From now on the other end has to be heard. */
  startHeartbeat(): void {
    this.#heartbeat = setInterval(() => this.#tick(), heartbeatMs);
    this.#ping();
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  send(payload: Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(payload, { binary: true }, this.#onSent);
    this.#isFull = this.#socket.bufferedAmount >= fullBytes;
    if (this.#socket.bufferedAmount >= unreadLimitBytes) this.#cut(unread);
  }

  readonly #onSent = (): void => {
    if (!this.#isFull || this.#socket.bufferedAmount >= fullBytes / 2) return;
    this.#isFull = false;
    this.#events.onDrain();
  };

  /** Says why, and closes; `onClose` comes with the same reason. */
  close(closure: LinkClosure, reason: string): void {
    if (this.#own !== undefined) return;
    const { code } = linkClosures[closure];
    this.#own = { code, reason };
    this.#socket.close(code, cutText(reason));
    this.#closeTimer = setTimeout(() => this.#socket.terminate(), closeTimeoutMs);
  }

  /** There is nobody to tell; `onClose` comes with the reason. */
  abandon(reason: string): void {
    this.#own ??= { code: 1006, reason };
    this.#socket.terminate();
  }

  #take(data: RawData): void {
    this.#ticksSinceSign = 0;
    // `nodebuffer` is the default of ws: one buffer, whatever the number of its frames. Text is read as what it is not.
    if (this.#own === undefined && Buffer.isBuffer(data)) this.#events.onMessage(data);
  }

  #tick(): void {
    this.#ticksSinceSign++;
    this.#ticksSincePong++;
    if (this.#ticksSinceSign > this.#silentTicks) this.#cut("nothing was heard of it");
    else if (this.#ticksSincePong > unreadTicks) this.#cut(unread);
    else this.#ping();
  }

  /** One at a time: the next would say nothing more. */
  #ping(): void {
    if (this.#pingSentMs !== undefined || this.#socket.readyState !== this.#socket.OPEN) return;
    this.#pingSentMs = performance.now();
    this.#socket.ping();
  }

  #takePong(): void {
    this.#ticksSinceSign = 0;
    this.#ticksSincePong = 0;
    if (this.#pingSentMs === undefined) return;
    this.roundTripMs = performance.now() - this.#pingSentMs;
    this.#pingSentMs = undefined;
  }

  #cut(reason: string): void {
    if (this.#own !== undefined) return;
    this.#events.onFault("silent", reason);
    this.close("silent", reason);
    // Whoever does not read does not read that either.
    this.#socket.terminate();
  }

  #end(code: number, reason: string): void {
    clearInterval(this.#heartbeat);
    clearTimeout(this.#closeTimer);
    const own = this.#own;
    this.#events.onClose(own?.code ?? code, own?.reason ?? makePrintable(reason));
  }
}

function cutText(text: string): string {
  const bytes = Buffer.from(text);
  // A character that is cut in two would make the text none.
  return bytes.length <= maxReasonBytes
    ? text
    : bytes
        .subarray(0, maxReasonBytes)
        .toString("utf8")
        .replace(/\ufffd$/, "");
}
