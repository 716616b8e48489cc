/** Takes down what happens, if asked to, and the first thing that must not. */

import type { VirtualTime } from "./virtual-time.js";

export class Observer {
  readonly #time: VirtualTime;
  /** Undefined when nobody reads it: call it as `observer.log?.(…)`, and the text is not even made. */
  readonly log: ((text: string) => void) | undefined;
  violation: string | undefined;

  /** @param write undefined: nothing is taken down, which is several times as fast */
  constructor(time: VirtualTime, write: ((line: string) => void) | undefined) {
    this.#time = time;
    if (write !== undefined) this.log = (text) => write(`${time.nowMs.toFixed(2).padStart(10)} ms  ${text}`);
  }

  fail(text: string): void {
    if (this.violation !== undefined) return;
    this.violation = `${text} (at ${this.#time.nowMs.toFixed(2)} ms)`;
    this.log?.(`VIOLATION: ${text}`);
  }
}
