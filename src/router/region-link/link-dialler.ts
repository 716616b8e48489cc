/** Keeps a link to one other region: dials, holds the handshake, and dials again when the link is gone, with a jittered backoff. */

import { randomBytes } from "node:crypto";
import { WebSocket } from "ws";
import { findLinkClosure, linkClosures } from "../../protocol/link-closures.js";
import { type LinkIdentity, nonceBytes } from "../../protocol/link-handshake.js";
import { chooseRetryDelayMs } from "../../redis/retry-delay.js";
import { explainDialAnswer } from "./explain-failure.js";
import { DiallerHandshake, type LinkProver } from "./handshake.js";
import { type LinkFault, LinkSocket } from "./link-socket.js";

export interface LinkDiallerSettings {
  readonly region: string;
  readonly url: string;
  readonly self: LinkIdentity;
  /** Of the secrets as they are now. */
  readonly findProver: () => LinkProver;
  readonly maxMessageBytes: number;
  readonly isCompressed: boolean;
  readonly unreachableAfterMs: number;
  /** Contents of PEM files. */
  readonly tls: {
    readonly ca: string | undefined;
    readonly cert: string | undefined;
    readonly key: string | undefined;
  };
  readonly random: () => number;
}

export interface LinkDiallerEvents {
  readonly onLinked: (socket: LinkSocket, peer: LinkIdentity) => void;
  readonly onMessage: (payload: Buffer) => void;
  readonly onDrain: () => void;
  /** Of a link that was there. */
  readonly onFault: (fault: LinkFault) => void;
  /** A link that was there is gone. */
  readonly onLost: (reason: string) => void;
  /** None could be made; it is tried again. */
  readonly onFailed: (reason: string) => void;
}

const handshakeTimeoutMs = 5_000;
/** A link that has lasted for so long was good: after its end the next is made at once. One that ends as soon as it is made is not. */
const goodAfterMs = 5_000;

export class LinkDialler {
  readonly #settings: LinkDiallerSettings;
  readonly #events: LinkDiallerEvents;
  #socket: LinkSocket | undefined;
  #webSocket: WebSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #isClosed = false;

  constructor(settings: LinkDiallerSettings, events: LinkDiallerEvents) {
    this.#settings = settings;
    this.#events = events;
  }

  open(): void {
    this.#dial();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    if (this.#socket === undefined) this.#webSocket?.terminate();
    else this.#socket.close("leaving", "this host ends");
  }

  #dial(): void {
    const { url, self, region, findProver, maxMessageBytes, isCompressed, unreachableAfterMs, tls } = this.#settings;
    let webSocket: WebSocket;
    try {
      webSocket = new WebSocket(url, {
        handshakeTimeout: handshakeTimeoutMs,
        maxPayload: maxMessageBytes,
        perMessageDeflate: isCompressed,
        ...(isSealed(url) && { generateMask: leaveUnmasked }),
        ...(tls.ca !== undefined && { ca: tls.ca }),
        ...(tls.cert !== undefined && { cert: tls.cert }),
        ...(tls.key !== undefined && { key: tls.key }),
      });
    } catch (thrown) {
      // A certificate that is none, for one.
      this.#retry(thrown instanceof Error ? thrown.message : String(thrown), true);
      return;
    }
    this.#webSocket = webSocket;
    const handshake = new DiallerHandshake(self, region, randomBytes(nonceBytes), findProver());
    let linkedMs: number | undefined;
    let timer: NodeJS.Timeout | undefined;
    const socket = new LinkSocket(webSocket, unreachableAfterMs, {
      onMessage: (payload) => {
        if (linkedMs !== undefined) {
          this.#events.onMessage(payload);
          return;
        }
        const step = handshake.take(payload);
        if (step.type === "refuse") {
          socket.close(step.closure, step.reason);
          return;
        }
        if (step.bytes !== undefined) socket.send(step.bytes);
        if (step.type !== "linked") return;
        linkedMs = performance.now();
        clearTimeout(timer);
        this.#socket = socket;
        socket.startHeartbeat();
        this.#events.onLinked(socket, step.peer);
      },
      onDrain: () => this.#events.onDrain(),
      onFault: (fault) => {
        if (linkedMs !== undefined) this.#events.onFault(fault);
      },
      onClose: (code, text) => {
        clearTimeout(timer);
        this.#socket = undefined;
        const closure = findLinkClosure(code);
        const isRefused = closure !== undefined && linkClosures[closure].reconnect === "later";
        const reason = text === "" ? `the connection was closed (${code})` : text;
        if (linkedMs !== undefined) {
          if (performance.now() - linkedMs >= goodAfterMs) this.#attempts = 0;
          this.#events.onLost(reason);
        }
        this.#retry(reason, isRefused, linkedMs !== undefined);
      },
    });
    webSocket.once("unexpected-response", (_request, { statusCode = 0, statusMessage = "" }) => {
      socket.abandon(explainDialAnswer(statusCode, statusMessage));
    });
    webSocket.once("open", () => {
      timer = setTimeout(
        () => socket.close("handshakeTimeout", "it did not say who it is in time"),
        handshakeTimeoutMs,
      );
      socket.send(handshake.begin());
    });
  }

  #retry(reason: string, isRefused: boolean, wasLinked = false): void {
    if (this.#isClosed) return;
    if (!wasLinked) this.#events.onFailed(reason);
    this.#attempts++;
    const delayMs = chooseRetryDelayMs(this.#attempts, isRefused, this.#settings.random);
    this.#timer = setTimeout(() => this.#dial(), delayMs);
  }
}

/** Whether nobody on the way reads what is sent. */
function isSealed(url: string): boolean {
  return /^(wss|ws\+unix):/i.test(url);
}

/**
 * A mask of zeros, which ws does not apply. Masks keep what clients write from looking like requests to proxies that watch a
 * plain connection (RFC 6455, 10.3); where none can, they would cost a third of the link's time.
 */
function leaveUnmasked(mask: Buffer): void {
  mask.fill(0);
}
