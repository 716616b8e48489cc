/** Every metric of the links to other regions, declared once; the primary counts on when a router takes the place of another. */

import { Counter, Gauge, type Registry } from "prom-client";
import type { LinkCounts, LinksReport } from "../protocol/router-messages.js";

export class LinkMetrics {
  readonly #registry: Registry;
  readonly #up: Gauge<"region">;
  readonly #roundTrip: Gauge<"region">;
  readonly #queuedBytes: Gauge<"region">;
  readonly #announcedRooms: Gauge<"region">;
  readonly #accepted: Gauge;
  readonly #totals: Readonly<Record<keyof LinkCounts, Counter>>;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#up = this.#gauge("up", "1 while there is a link to the region.");
    this.#roundTrip = this.#gauge(
      "round_trip_seconds",
      "Time that the last heartbeat took to the region and back, what waited before it included.",
    );
    this.#queuedBytes = this.#gauge("queued_bytes", "Bytes that wait for the region, or that it has not acknowledged.");
    this.#announcedRooms = this.#gauge("announced_rooms", "Rooms with members in the region.");
    this.#accepted = new Gauge({
      name: "signalbox_link_accepted",
      help: "Links that hosts of other regions have to this one.",
      registers: [registry],
    });
    this.#totals = {
      framesIn: this.#counter("frames_in_total", "Frames from other regions."),
      framesOut: this.#counter("frames_out_total", "Frames for other regions, counted once for each that gets it."),
      messagesIn: this.#counter("messages_in_total", "Messages from links, each with many frames when there is much."),
      messagesOut: this.#counter("messages_out_total", "Messages sent on links."),
      bytesIn: this.#counter("bytes_in_total", "Bytes of messages from links."),
      bytesOut: this.#counter("bytes_out_total", "Bytes of messages sent on links, before compression."),
      droppedVolatile: this.#counter(
        "dropped_volatile_total",
        "Volatile frames dropped because their region was behind.",
      ),
      givenUpFrames: this.#counter(
        "given_up_frames_total",
        "Frames given up because too much waited for their region, or for too long.",
      ),
      lostFrames: this.#counter(
        "lost_frames_total",
        "Frames given up that did not arrive, as their region has said; its clients then reconnect.",
      ),
      missedFrames: this.#counter("missed_frames_total", "Frames for this region that hosts of others gave up."),
      badMessages: this.#counter("bad_messages_total", "Messages on links that no host of this version sends."),
      announcements: this.#counter("announcements_total", "Announcements of rooms and members to other regions."),
      snapshots: this.#counter("snapshots_total", "Times that everything was announced anew on a link."),
      refusals: this.#counter(
        "refusals_total",
        "Handshakes that were refused, and links closed for what came on them.",
      ),
      silences: this.#counter("silences_total", "Links closed because the other end did not answer, or did not read."),
    };
  }

  /** `before` is undefined for the first report of a process. */
  note(before: LinksReport | undefined, after: LinksReport): void {
    for (const gauge of [this.#up, this.#roundTrip, this.#queuedBytes, this.#announcedRooms]) gauge.reset();
    for (const { region, isLinked, roundTripMs, queuedBytes, rooms } of after.regions) {
      this.#up.set({ region }, isLinked ? 1 : 0);
      if (roundTripMs !== null) this.#roundTrip.set({ region }, roundTripMs / 1_000);
      this.#queuedBytes.set({ region }, queuedBytes);
      this.#announcedRooms.set({ region }, rooms);
    }
    this.#accepted.set(after.accepted);
    for (const name of Object.keys(this.#totals) as (keyof LinkCounts)[]) {
      this.#totals[name].inc(Math.max(0, after.counts[name] - (before?.counts[name] ?? 0)));
    }
  }

  /** There is no router: nothing of what it said holds. */
  noteAbsence(): void {
    for (const gauge of [this.#up, this.#roundTrip, this.#queuedBytes, this.#announcedRooms]) gauge.reset();
    this.#accepted.set(0);
  }

  #gauge(name: string, help: string): Gauge<"region"> {
    return new Gauge({ name: `signalbox_link_${name}`, help, labelNames: ["region"], registers: [this.#registry] });
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name: `signalbox_link_${name}`, help, registers: [this.#registry] });
  }
}
