/** Shares the event loop among connections: one that has much to say is read on in the next turn, after all others. */

import type { Readable } from "node:stream";

/**
 * Work on what one turn reads. Node reads up to 2 MB of a connection in one turn (libuv's `uv__read`): announcements of so many
 * rooms would keep the messages of all others waiting for a tenth of a second.
 */
const turnMs = 10;

export class ReadTurns {
  readonly #waiting = new Set<Readable>();
  #endMs: number | undefined;

  /** To be called before what was read is worked on. */
  begin(): void {
    if (this.#endMs !== undefined) return;
    this.#endMs = performance.now() + turnMs;
    setImmediate(() => this.#beginNext());
  }

  /** To be called after it: stops reading this connection until the next turn when this one has taken long enough. */
  end(stream: Readable): void {
    if (this.#endMs === undefined || performance.now() < this.#endMs || this.#waiting.has(stream)) return;
    stream.pause();
    this.#waiting.add(stream);
  }

  #beginNext(): void {
    this.#endMs = undefined;
    for (const stream of this.#waiting) stream.resume();
    this.#waiting.clear();
  }
}
