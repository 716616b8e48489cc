/** Connects to the server, and again after a break, and tells how that goes; knows nothing of the chat. */

import { io } from "/socket.io/socket.io.esm.min.js";

const firstDelayMs = 1_000;
const maxDelayMs = 10_000;

/**
 * Socket.IO can reconnect by itself. Here the page keeps the timer, because it shows how long is left and offers to
 * skip the wait; the delays grow and vary in the same way, so that a crowd does not come back at the same moment.
 */
export class Connection {
  socket = io({ reconnection: false, autoConnect: false });
  #failures = 0;
  #retryAtMs = 0;
  #ticker;
  #onState;

  /** `onState({ state, secondsLeft, sessionId, transport })` runs on each change, and each second of a wait. */
  constructor(onState) {
    this.#onState = onState;
    this.socket.on("connect", () => this.#connected());
    this.socket.on("disconnect", () => this.#retryLater());
    this.socket.on("connect_error", () => this.#retryLater());
    this.socket.io.on("open", () => this.#watchUpgrade(this.socket.io.engine));
    addEventListener("online", () => this.connectNow());
  }

  connectNow() {
    if (this.socket.connected) return;
    clearInterval(this.#ticker);
    this.#onState({ state: this.#failures === 0 ? "connecting" : "reconnecting", secondsLeft: 0 });
    this.socket.connect();
  }

  #connected() {
    clearInterval(this.#ticker);
    this.#failures = 0;
    this.#showConnected();
  }

  #watchUpgrade(engine) {
    engine.on("upgrade", () => {
      if (this.socket.connected) this.#showConnected();
    });
  }

  #showConnected() {
    const { engine } = this.socket.io;
    this.#onState({ state: "connected", secondsLeft: 0, sessionId: engine.id, transport: engine.transport.name });
  }

  #retryLater() {
    const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** this.#failures) * (0.5 + Math.random());
    this.#failures += 1;
    this.#retryAtMs = performance.now() + delayMs;
    clearInterval(this.#ticker);
    this.#ticker = setInterval(() => this.#tick(), 200);
    this.#tick();
  }

  #tick() {
    const leftMs = this.#retryAtMs - performance.now();
    if (leftMs <= 0) this.connectNow();
    else this.#onState({ state: "reconnecting", secondsLeft: Math.ceil(leftMs / 1000) });
  }
}
