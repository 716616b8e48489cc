/** Keeps what was written until the server has it, in order; sends again after a break. Knows no DOM, no socket. */

const pauseMs = 400;

export class Outbox {
  #waiting = [];
  #isOpen = false;
  #isSending = false;
  #send;
  #onDelivered;
  #onRefused;

  /** `send(message)` resolves with the server's answer, or rejects when there was none. */
  constructor({ send, onDelivered, onRefused }) {
    this.#send = send;
    this.#onDelivered = onDelivered;
    this.#onRefused = onRefused;
  }

  add(message) {
    this.#waiting.push(message);
    void this.#drain();
  }

  /** The room is joined: what waits goes out. */
  open() {
    this.#isOpen = true;
    void this.#drain();
  }

  /** The connection broke: what waits stays. */
  close() {
    this.#isOpen = false;
  }

  /** Another room: what waits was not meant for it. */
  clear() {
    this.#waiting = [];
  }

  // One at a time, so that the order holds even when the server refuses one for being too fast.
  async #drain() {
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#isOpen && this.#waiting.length > 0) await this.#sendFirst();
    this.#isSending = false;
  }

  async #sendFirst() {
    const message = this.#waiting[0];
    // No answer: it may have arrived or not. It is sent again under the same id; whoever has it drops the second.
    const answer = await this.#send(message).catch(() => ({ ok: false, error: "no-answer" }));
    if (answer.ok) {
      this.#remove(message);
      this.#onDelivered(message);
    } else if (answer.error === "invalid-text" || answer.error === "invalid-request") {
      this.#remove(message);
      this.#onRefused(message);
    } else {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  #remove(message) {
    this.#waiting = this.#waiting.filter((other) => other !== message);
  }
}
