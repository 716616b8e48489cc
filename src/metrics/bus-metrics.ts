/** Every metric of the way to other hosts, declared once; the primary counts on when a router takes the place of another. */

import { Counter, Gauge, type Registry } from "prom-client";
import type { BusCounts, BusReport } from "../protocol/router-messages.js";

export class BusMetrics {
  readonly #registry: Registry;
  readonly #up: Gauge;
  readonly #hosts: Gauge;
  readonly #unreachableHosts: Gauge;
  readonly #floodedHosts: Gauge;
  readonly #queuedBytes: Gauge<"host">;
  readonly #announcedRooms: Gauge<"host">;
  readonly #totals: Readonly<Record<keyof BusCounts, Counter>>;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#up = this.#gauge("signalbox_bus_up", "1 while Redis is there and other hosts can be reached through it.");
    this.#hosts = this.#gauge("signalbox_bus_hosts", "Other hosts of the region.");
    this.#unreachableHosts = this.#gauge(
      "signalbox_bus_unreachable_hosts",
      "Other hosts without a sign of life for hostUnreachableAfterMs.",
    );
    this.#floodedHosts = this.#gauge(
      "signalbox_bus_flooded_hosts",
      "Other hosts that get every message, because what they want is not known or too much.",
    );
    this.#queuedBytes = new Gauge({
      name: "signalbox_bus_queued_bytes",
      help: "Bytes that wait for another host, or that it has not acknowledged.",
      labelNames: ["host"],
      registers: [registry],
    });
    this.#announcedRooms = new Gauge({
      name: "signalbox_bus_announced_rooms",
      help: "Rooms with members on another host.",
      labelNames: ["host"],
      registers: [registry],
    });
    this.#totals = {
      framesIn: this.#counter("frames_in_total", "Frames from other hosts."),
      framesOut: this.#counter("frames_out_total", "Frames for other hosts, counted once for each that gets it."),
      messagesIn: this.#counter("messages_in_total", "Messages from Redis, each with many frames when there is much."),
      messagesOut: this.#counter("messages_out_total", "Messages published in Redis."),
      bytesIn: this.#counter("bytes_in_total", "Bytes of messages from Redis."),
      bytesOut: this.#counter("bytes_out_total", "Bytes of messages published in Redis."),
      droppedVolatile: this.#counter(
        "dropped_volatile_total",
        "Volatile frames dropped because their host was behind.",
      ),
      givenUpFrames: this.#counter(
        "given_up_frames_total",
        "Frames given up because too much waited for their host, or for too long.",
      ),
      lostFrames: this.#counter(
        "lost_frames_total",
        "Frames given up that did not arrive, as their host has said; its clients then reconnect.",
      ),
      missedFrames: this.#counter("missed_frames_total", "Frames for this host that other hosts gave up."),
      uncertainFrames: this.#counter(
        "uncertain_frames_total",
        "Frames on their way to a router of another host that ended before it said whether it had taken them.",
      ),
      badMessages: this.#counter("bad_messages_total", "Messages on the bus that no host of this version sends."),
      announcements: this.#counter("announcements_total", "Announcements of rooms and members to other hosts."),
      snapshots: this.#counter("snapshots_total", "Times that everything was announced anew to another host."),
    };
  }

  /** `before` is undefined for the first report of a process. */
  note(before: BusReport | undefined, after: BusReport): void {
    this.#up.set(after.isUp ? 1 : 0);
    this.#hosts.set(after.hosts.length);
    this.#unreachableHosts.set(after.hosts.filter((host) => !host.isReachable).length);
    this.#floodedHosts.set(after.hosts.filter((host) => host.isFlooded).length);
    this.#queuedBytes.reset();
    this.#announcedRooms.reset();
    for (const { hostKey, queuedBytes, rooms } of after.hosts) {
      this.#queuedBytes.set({ host: hostKey }, queuedBytes);
      this.#announcedRooms.set({ host: hostKey }, rooms);
    }
    for (const name of Object.keys(this.#totals) as (keyof BusCounts)[]) {
      this.#totals[name].inc(Math.max(0, after.counts[name] - (before?.counts[name] ?? 0)));
    }
  }

  /** There is no router: nothing of what it said holds. */
  noteAbsence(): void {
    this.#up.set(0);
    for (const gauge of [this.#hosts, this.#unreachableHosts, this.#floodedHosts]) gauge.set(0);
    this.#queuedBytes.reset();
    this.#announcedRooms.reset();
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.#registry] });
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name: `signalbox_bus_${name}`, help, registers: [this.#registry] });
  }
}
