/** Puts frames into ports' outboxes, counts what became of them, and wakes the process when there is something to write. Pure. */

import { isVolatileFrame } from "../protocol/regional-frame.js";
import { encodeRouterToWorker, type RouterToWorker } from "../protocol/worker-port-frames.js";
import type { Port } from "./port.js";
import type { RouterCounters, RouterEffects } from "./router-effects.js";

export class Delivery {
  readonly #effects: RouterEffects;
  readonly #counters: RouterCounters;

  readonly #onOverflow: (port: Port) => void;

  /** @param onOverflow called when a port begins to lose frames: it will not carry out what it has been sent */
  constructor(effects: RouterEffects, counters: RouterCounters, onOverflow: (port: Port) => void) {
    this.#effects = effects;
    this.#counters = counters;
    this.#onOverflow = onOverflow;
  }

  /** Passes a frame on to each of these. */
  send(targets: readonly Port[], bytes: Buffer, start: number, end: number): void {
    const isVolatile = isVolatileFrame(bytes, start);
    for (const target of targets) this.push(target, bytes, start, end, isVolatile);
  }

  push(port: Port, bytes: Uint8Array, start: number, end: number, isVolatile: boolean): void {
    if (isVolatile && port.connection === undefined) {
      // What is current soon is not worth keeping for a worker that is not there.
      this.#counters.droppedVolatile++;
      return;
    }
    const { untoldLoss, lostTotal, droppedVolatile } = port.outbox;
    const result = port.outbox.push(bytes, start, end, isVolatile);
    if (result === "queued") this.#counters.framesOut++;
    // A frame that does not fit takes others with it.
    this.#counters.lostFrames += port.outbox.lostTotal - lostTotal;
    this.#counters.droppedVolatile += port.outbox.droppedVolatile - droppedVolatile;
    if (result === "lost" && untoldLoss === 0) {
      this.#effects.note({ type: "overflowed", place: port.place });
      this.#onOverflow(port);
    }
    // Woken for nothing while it writes, the process would not be woken again.
    if (result !== "dropped") this.wake(port);
  }

  tell(port: Port, message: RouterToWorker): void {
    const frame = encodeRouterToWorker(message);
    this.push(port, frame, 0, frame.length, false);
  }

  /** Overtakes what waits. */
  tellUrgently(port: Port, message: RouterToWorker): void {
    port.outbox.pushUrgent(encodeRouterToWorker(message));
    this.wake(port);
  }

  tellOthers(ports: Iterable<Port>, port: Port, message: RouterToWorker): void {
    const frame = encodeRouterToWorker(message);
    for (const other of ports) {
      if (other !== port) this.push(other, frame, 0, frame.length, false);
    }
  }

  /** There is something to write. */
  wake(port: Port): void {
    if (port.isAwake || port.connection === undefined) return;
    port.isAwake = true;
    this.#effects.wake(port.connection);
  }
}
