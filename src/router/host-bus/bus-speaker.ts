/** Says on the bus what this host has to say: who it is, that it lives, what it has, what it has taken, and its frames. */

import { type BusMessage, encodeBusMessage, type WantSnapshot } from "../../protocol/bus-messages.js";
import { protocolVersion } from "../../protocol/frame.js";
import type { RouterToRouter } from "../../protocol/router-frames.js";
import type { Port } from "../port.js";
import type { AnnouncementWriter } from "./announcement-writer.js";
import type { BusCounters, BusEffects } from "./bus-effects.js";
import type { HostPort } from "./host-port.js";
import type { SnapshotServer } from "./snapshot-server.js";

export interface BusSpeakerSettings {
  readonly hostKey: string;
  readonly incarnation: string;
  readonly instance: string;
  readonly name: string;
  readonly heartbeatMs: number;
  /** Frames that make a datagram worth sending whatever else is on its way. */
  readonly fullDatagramBytes: number;
}

/** What the speaker needs of the bus port around it. */
export interface BusSpeakerParts {
  readonly effects: BusEffects;
  readonly counters: BusCounters;
  readonly writer: AnnouncementWriter;
  readonly snapshots: SnapshotServer;
  readonly hosts: ReadonlyMap<string, HostPort>;
  /** The host key has been found to be free. */
  isServing(): boolean;
  /** Announcements up to this one cannot be missed by any host that is waited for. */
  takenByAll(): number;
  listPorts(): Iterable<Port>;
  listRooms(): Iterable<readonly [string, Iterable<string>]>;
  tellHost(host: HostPort, message: RouterToRouter, nowMs: number): void;
  releaseInterest(): void;
}

/** Channels, without the fleet's prefix: of all hosts, and of one. */
export const allHostsChannel = ":hosts";

export function nameHostChannel(hostKey: string): string {
  return `:to:${hostKey}`;
}

/** Hosts that begin together need not all say hello to each of the others. */
const helloIntervalMs = 50;

export class BusSpeaker {
  readonly #parts: BusSpeakerParts;
  readonly #settings: BusSpeakerSettings;
  readonly #from: { readonly hostKey: string; readonly instance: string; readonly incarnation: string };
  /** Parts of the own snapshot that are to be given. */
  readonly #wanted = new Map<HostPort, WantSnapshot>();
  /** A hello is to be said; true: to be answered. */
  #helloDue: boolean | undefined;
  #lastHelloMs = Number.NEGATIVE_INFINITY;
  #nextHeartbeatMs = 0;
  /** Of announcements, at the last heartbeat. */
  #lastHead = 0;
  /** Frames wait: for the datagrams before them to arrive, or because too much is on its way. */
  #isHolding = false;
  /** Number, among all that was published, of the last datagram. */
  #lastDatagram = 0;

  constructor(settings: BusSpeakerSettings, parts: BusSpeakerParts) {
    this.#settings = settings;
    this.#parts = parts;
    const { hostKey, instance, incarnation } = settings;
    this.#from = { hostKey, instance, incarnation };
  }

  /** When there is something to say without anybody doing anything. */
  nextDueMs(): number {
    let dueMs = this.#nextHeartbeatMs;
    if (this.#helloDue !== undefined) dueMs = Math.min(dueMs, this.#lastHelloMs + helloIntervalMs);
    // What is held back goes when it can, however long it is due.
    if (this.#isHolding) return dueMs;
    for (const host of this.#parts.hosts.values()) dueMs = Math.min(dueMs, host.session.nextDueMs());
    return dueMs;
  }

  /** What waited need not wait any longer: `sayAll` is to be called. */
  get canGoOn(): boolean {
    return this.#isHolding && !this.#isBusy && !this.#parts.effects.isFull;
  }

  get #isBusy(): boolean {
    return this.#parts.effects.arrived < this.#lastDatagram;
  }

  /** The bus can be spoken on again. */
  begin(nowMs: number): void {
    this.#nextHeartbeatMs = nowMs;
  }

  /** Whoever waits for a part asks again when the bus is back. */
  pause(): void {
    this.#wanted.clear();
  }

  wantHello(asksHello: boolean): void {
    this.#helloDue = this.#helloDue === true || asksHello;
  }

  wantPart(host: HostPort, part: WantSnapshot): void {
    this.#wanted.set(host, part);
  }

  /** Publishes all there is to say, interest first. */
  sayAll(nowMs: number): void {
    this.#isHolding = false;
    this.#sayHello(nowMs);
    if (nowMs >= this.#nextHeartbeatMs) this.#sayHeartbeat(nowMs);
    this.announce(this.#parts.hosts.size > 0);
    for (const host of this.#parts.hosts.values()) this.#answer(host, nowMs);
    this.#serveSnapshots();
    this.#sayFrames(this.#isBusy, nowMs);
  }

  sayLast(nowMs: number): void {
    this.sayAll(nowMs);
    this.#sayFrames(false, nowMs);
    this.#publish(allHostsChannel, { type: "bye", ...this.#from });
  }

  /** @param isHeard false: nobody is there, and whoever comes later asks for everything */
  announce(isHeard: boolean): void {
    if (this.#parts.writer.hasNews) this.#sayNews(isHeard);
    let isAnySaid = false;
    for (const port of this.#parts.listPorts()) {
      for (const said of port.untakenInterest) {
        if (said.announcement !== undefined) continue;
        said.announcement = this.#parts.writer.head;
        isAnySaid = true;
      }
    }
    // It may have been said, and taken, before.
    if (isAnySaid) this.#parts.releaseInterest();
  }

  #sayNews(isHeard: boolean): void {
    this.#parts.writer.flush(
      () => this.#parts.listRooms(),
      (sequence, frames) => {
        if (!isHeard) return;
        this.#parts.counters.announcements++;
        this.#publish(allHostsChannel, { type: "announcement", ...this.#from, sequence, frames });
      },
    );
  }

  #sayHello(nowMs: number): void {
    if (this.#helloDue === undefined || nowMs - this.#lastHelloMs < helloIntervalMs) return;
    this.#publish(allHostsChannel, {
      type: "hello",
      ...this.#from,
      version: protocolVersion,
      name: this.#settings.name,
      isServing: this.#parts.isServing(),
      asksHello: this.#helloDue,
      head: this.#parts.writer.head,
    });
    this.#helloDue = undefined;
    this.#lastHelloMs = nowMs;
  }

  #sayHeartbeat(nowMs: number): void {
    this.#nextHeartbeatMs = nowMs + this.#settings.heartbeatMs;
    // Words that are late may be lost: what was announced since the last heartbeat is too new to ask about.
    const asksTaken = this.#parts.takenByAll() < this.#lastHead;
    this.#lastHead = this.#parts.writer.head;
    this.#publish(allHostsChannel, { type: "heartbeat", ...this.#from, head: this.#lastHead, asksTaken });
  }

  /** What only one host has to know: joins carried out, announcements taken, parts of its snapshot that are wanted. */
  #answer(host: HostPort, nowMs: number): void {
    // Announced just now: the head holds what came of the joins.
    if (host.joins.hasNews) {
      this.#parts.tellHost(
        host,
        { type: "joins-done", number: host.joins.takeDone(), head: this.#parts.writer.head },
        nowMs,
      );
    }
    const to = host.incarnation;
    const channel = nameHostChannel(host.hostKey);
    const { view } = host;
    if (view.sequence !== host.toldTaken) {
      host.toldTaken = view.sequence;
      this.#publish(channel, { type: "taken", ...this.#from, to, sequence: view.sequence });
    }
    const wanted = view.takeWanted(nowMs);
    if (wanted !== undefined) this.#publish(channel, { type: "want-snapshot", ...this.#from, to, ...wanted });
  }

  #serveSnapshots(): void {
    for (const [host, { snapshotId, part: firstPart }] of this.#wanted) {
      if (this.#parts.effects.isFull) {
        this.#isHolding = true;
        return;
      }
      this.#wanted.delete(host);
      for (const part of this.#parts.snapshots.serve(host.hostKey, snapshotId, firstPart)) {
        if (part.part === 0) this.#parts.counters.snapshots++;
        this.#publish(nameHostChannel(host.hostKey), {
          type: "snapshot-part",
          ...this.#from,
          to: host.incarnation,
          snapshotId,
          sequence: this.#parts.writer.head,
          ...part,
        });
      }
    }
  }

  /**
   * As Nagle's algorithm does (RFC 896): while datagrams are on their way, frames gather until those have arrived or they fill
   * one. A message costs Redis and both routers more than its bytes do, and nobody waits while nothing is on its way. Only
   * datagrams count, and only those sent before frames began to wait: what is said meanwhile makes nobody wait longer.
   */
  #sayFrames(isBusy: boolean, nowMs: number): void {
    for (const host of this.#parts.hosts.values()) this.#sendDatagrams(host, isBusy, nowMs);
  }

  #sendDatagrams(host: HostPort, isBusy: boolean, nowMs: number): void {
    const channel = nameHostChannel(host.hostKey);
    const { effects } = this.#parts;
    const { session } = host;
    while (!effects.isFull && (!isBusy || session.unsentBytes >= this.#settings.fullDatagramBytes)) {
      const datagram = session.take(nowMs);
      if (datagram === undefined) return;
      this.#send(channel, datagram);
      // Those that go while others wait make nobody wait longer.
      if (!isBusy) this.#lastDatagram = effects.published;
    }
    this.#isHolding ||= session.hasNews(nowMs);
  }

  #publish(channel: string, message: BusMessage): void {
    this.#send(channel, encodeBusMessage(message));
  }

  /** What is not taken is as lost as what the carrier loses: it is repeated where it has to be. */
  #send(channel: string, payload: Buffer): void {
    if (!this.#parts.effects.publish(channel, payload)) return;
    this.#parts.counters.messagesOut++;
    this.#parts.counters.bytesOut += payload.length;
  }
}
