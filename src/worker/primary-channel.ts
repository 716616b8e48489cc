/** The worker's end of Node's IPC channel to the primary: typed messages out, checked messages in. */

import { type MessageToPrimary, type MessageToWorker, parseMessageToWorker } from "../protocol/worker-messages.js";

export class PrimaryChannel {
  readonly #handlers = new Set<(message: MessageToWorker) => void>();

  constructor() {
    process.on("message", (raw) => {
      const message = parseMessageToWorker(raw);
      if (message === undefined) return;
      for (const handle of this.#handlers) handle(message);
    });
  }

  /** Calls `handle` for every message of ours from now on. */
  listen(handle: (message: MessageToWorker) => void): void {
    this.#handlers.add(handle);
  }

  /** Sends unless the primary is gone; then there is nobody to tell, and this process is about to end. */
  send(message: MessageToPrimary): void {
    if (!process.connected) return;
    process.send?.(message, undefined, {}, () => {
      // The channel closed in between: same as above.
    });
  }

  /** Sends and resolves when the message has left this process, or cannot. */
  async sendLast(message: MessageToPrimary): Promise<void> {
    if (!process.connected) return;
    await new Promise<void>((resolve) => {
      process.send?.(message, undefined, {}, () => resolve());
    });
  }
}
