/** Tells the primary how many sessions began and ended here, gathered over a moment: a message for each would cost more than the rest of its bookkeeping. */

import type { Server } from "socket.io";
import type { PrimaryChannel } from "./primary-channel.js";

/** The primary counts a handshake when it hands it over, so a report may be this late. */
const gatherMs = 100;

export class SessionReports {
  readonly #channel: PrimaryChannel;
  #began = 0;
  #ended = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(channel: PrimaryChannel) {
    this.#channel = channel;
  }

  /** Counts the Engine.IO sessions of `io` from now on. */
  watch(io: Server): void {
    io.engine.on("connection", (session: { once(event: "close", listener: () => void): unknown }) => {
      this.#began++;
      this.#schedule();
      session.once("close", () => {
        this.#ended++;
        this.#schedule();
      });
    });
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => this.#send(), gatherMs);
  }

  #send(): void {
    this.#timer = undefined;
    this.#channel.send({ type: "signalbox:sessions", began: this.#began, ended: this.#ended });
    this.#began = 0;
    this.#ended = 0;
  }
}
