/** Every metric of the router, declared once; the primary counts on when a router takes the place of another. */

import { Counter, Gauge, type Registry } from "prom-client";
import type { PortReport, RouterCounts } from "../protocol/router-messages.js";

export class RouterMetrics {
  readonly #registry: Registry;
  readonly up: Gauge;
  readonly restarts: Counter;
  readonly queuedBytes: Gauge<"worker">;
  readonly connectedWorkers: Gauge;
  readonly stalledWorkers: Gauge;
  readonly announcedRooms: Gauge;
  readonly #totals: Readonly<Record<keyof RouterCounts, Counter>>;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.up = this.#gauge("signalbox_router_up", "1 while the router is ready for the workers.");
    this.restarts = this.#counter("restarts_total", "Routers started again after they ended.");
    this.queuedBytes = new Gauge({
      name: "signalbox_router_queued_bytes",
      help: "Bytes that wait in the router, by worker slot.",
      labelNames: ["worker"],
      registers: [registry],
    });
    this.connectedWorkers = this.#gauge("signalbox_router_connected_workers", "Workers connected to the router.");
    this.stalledWorkers = this.#gauge(
      "signalbox_router_stalled_workers",
      "Workers that are connected and do not answer: their event loop is blocked.",
    );
    this.announcedRooms = this.#gauge(
      "signalbox_router_announced_rooms",
      "Rooms with members, counted once for each worker that has some.",
    );
    this.#totals = {
      framesIn: this.#counter("frames_in_total", "Frames that workers sent to the router."),
      framesOut: this.#counter("frames_out_total", "Frames for workers, counted once for each that gets it."),
      bytesIn: this.#counter("bytes_in_total", "Bytes that workers sent to the router."),
      bytesOut: this.#counter("bytes_out_total", "Bytes written to workers."),
      droppedVolatile: this.#counter(
        "dropped_volatile_total",
        "Volatile frames dropped because much waited for their worker.",
      ),
      lostFrames: this.#counter(
        "lost_frames_total",
        "Frames given up because too much waited for their worker, whose clients then reconnect.",
      ),
      unsentFrames: this.#counter(
        "unsent_frames_total",
        "Frames that workers gave up: more than maxOutboxBytes waited, in a burst or while the router was away.",
      ),
      unroutableResponses: this.#counter(
        "unroutable_responses_total",
        "Answers whose asker had ended before they came.",
      ),
      badFrames: this.#counter("bad_frames_total", "Frames that no worker of this version sends."),
      refusals: this.#counter("refusals_total", "Connections to the router refused, or closed with a reason."),
      interestChanges: this.#counter("interest_changes_total", "Announcements of rooms by workers."),
      stalls: this.#counter("stalls_total", "Times that a worker was found not to answer."),
    };
  }

  /** Adds what a router has counted since its last report; `before` is undefined for the first of a process. */
  addCounts(before: RouterCounts | undefined, after: RouterCounts): void {
    for (const name of Object.keys(this.#totals) as (keyof RouterCounts)[]) {
      this.#totals[name].inc(Math.max(0, after[name] - (before?.[name] ?? 0)));
    }
  }

  /** @param slotOf the worker slot of a place */
  setPorts(ports: readonly PortReport[], slotOf: (place: string) => number | undefined): void {
    this.queuedBytes.reset();
    for (const port of ports) {
      const slot = slotOf(port.place);
      if (slot !== undefined) this.queuedBytes.set({ worker: String(slot) }, port.queuedBytes);
    }
    this.connectedWorkers.set(ports.filter((port) => port.isConnected).length);
    this.stalledWorkers.set(ports.filter((port) => port.isStalled).length);
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.#registry] });
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name: `signalbox_router_${name}`, help, registers: [this.#registry] });
  }
}
