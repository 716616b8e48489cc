/**
 * The router's port to the other hosts of the region: knows who is there, keeps a link session with each, announces what this
 * host has and knows what they have. A state machine without I/O or clock: messages and the time go in, messages come out.
 */

import type { LinkSettings } from "../../link/link-session.js";
import {
  type BusMessage,
  decodeBusMessage,
  isBusMessage,
  type SnapshotPart,
  type Taken,
} from "../../protocol/bus-messages.js";
import { FrameError } from "../../protocol/frame.js";
import { decodeDatagram } from "../../protocol/link-datagram.js";
import { isVolatileFrame } from "../../protocol/regional-frame.js";
import { decodeRouterToRouter, encodeRouterToRouter, type RouterToRouter } from "../../protocol/router-frames.js";
import type { RouterToWorker } from "../../protocol/worker-port-frames.js";
import type { Forwarding } from "../forwarding.js";
import type { Members } from "../members.js";
import type { Port, PortMember } from "../port.js";
import { AnnouncementWriter } from "./announcement-writer.js";
import { type BusCounters, type BusEffects, emptyBusCounters } from "./bus-effects.js";
import { BusSpeaker } from "./bus-speaker.js";
import { type HostChange, HostList, type HostListSettings } from "./host-list.js";
import type { HostPort } from "./host-port.js";
import { RemoteHosts } from "./remote-hosts.js";
import { SnapshotServer } from "./snapshot-server.js";

export interface HostBusSettings extends Omit<HostListSettings, "hostKey" | "goneAfterMs"> {
  /** Machine and address, for the people who read of a clash. */
  readonly name: string;
  /** Of each host's session. */
  readonly link: Omit<LinkSettings, "incarnation" | "peerIncarnation">;
  /** Rooms of this host beyond which it gets everything instead. */
  readonly maxRooms: number;
  /** Random: of the first snapshot that is asked for. */
  readonly firstSnapshotId: number;
}

/** What the bus port needs of the router around it. */
export interface HostBusParts {
  readonly hostKey: string;
  readonly incarnation: string;
  readonly forwarding: Forwarding;
  readonly members: Members;
  /** Filled here: the hosts that frames can go to. */
  readonly hosts: Map<string, HostPort>;
  listPorts(): Iterable<Port>;
  /** A frame of a worker of another host has come. */
  takeFrame(host: HostPort, frame: Buffer, nowMs: number): void;
  tellWorkers(message: RouterToWorker): void;
  /** A worker of another host does not answer. */
  noteStalled(place: string): void;
  /** Another host has carried out joins; one that is gone, all. */
  settleJoins(host: HostPort, count: number): void;
  /** Hosts have taken frames. */
  noteTaken(): void;
  /** Other hosts have given up frames for this one. */
  noteMissed(frames: number): void;
  /** Hosts have taken more of what was announced, or need not be waited for. */
  releaseInterest(): void;
  /** What it has asked, nobody waits for any more. */
  forgetHost(hostKey: string): void;
}

/** While the bus is down this many changes wait: beyond it they are given up, and hosts ask for everything when it is back. */
const maxWaitingChanges = 50_000;

export class HostBus {
  readonly counters: BusCounters = emptyBusCounters();
  readonly #settings: HostBusSettings;
  readonly #effects: BusEffects;
  readonly #parts: HostBusParts;
  readonly #list: HostList;
  readonly #writer = new AnnouncementWriter();
  readonly #speaker: BusSpeaker;
  readonly #remote: RemoteHosts;
  #nowMs = 0;
  #isUp = false;
  #downSinceMs: number | undefined;
  #knownFromMs = Number.POSITIVE_INFINITY;
  #isStopped = false;
  #isAwake = false;

  constructor(settings: HostBusSettings, effects: BusEffects, parts: HostBusParts) {
    this.#settings = settings;
    this.#effects = effects;
    this.#parts = parts;
    this.#list = new HostList({ ...settings, hostKey: parts.hostKey, goneAfterMs: settings.link.maxAgeMs });
    const { forwarding } = parts;
    const writer = this.#writer;
    const snapshots = new SnapshotServer({
      get isFlooded() {
        return writer.isFlooded;
      },
      listMembers: () => this.#listMembers(),
      listStalledPlaces: () => writer.stalledPlaces,
      listRooms: () => forwarding.interest.listRooms(),
    });
    const { incarnation, members, hosts } = parts;
    this.#remote = new RemoteHosts(
      { ...settings, incarnation },
      {
        forwarding,
        members,
        hosts,
        counters: this.counters,
        isUp: () => this.#isUp,
        note: (note) => effects.note(note),
        takeFrame: (host, frame) => this.#takeFrame(host, frame, this.#nowMs),
        tellHost: (host, message, nowMs) => this.tellHost(host, message, nowMs),
        tellWorkers: (message) => parts.tellWorkers(message),
        noteStalled: (place) => parts.noteStalled(place),
        settleJoins: (host, count) => parts.settleJoins(host, count),
        noteMissed: (frames) => parts.noteMissed(frames),
        releaseInterest: () => parts.releaseInterest(),
        forgetHost: (hostKey) => {
          snapshots.forget(hostKey);
          parts.forgetHost(hostKey);
        },
      },
    );
    this.#speaker = new BusSpeaker(
      { ...settings, hostKey: parts.hostKey, incarnation, fullDatagramBytes: settings.link.maxDatagramBytes },
      {
        effects,
        counters: this.counters,
        writer,
        snapshots,
        hosts,
        isServing: () => this.#list.isServing,
        takenByAll: () => this.takenByAll,
        listPorts: () => parts.listPorts(),
        listRooms: () => forwarding.interest.listRooms(),
        tellHost: (host, message, nowMs) => this.tellHost(host, message, nowMs),
        releaseInterest: () => parts.releaseInterest(),
      },
    );
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Other hosts that frames can go to. */
  get hosts(): readonly HostPort[] {
    return [...this.#parts.hosts.values()];
  }

  /** The host key has been found to be free: it has been up for a moment since this process began. */
  get hasJoined(): boolean {
    return this.#list.isServing;
  }

  /** It has been up long enough to have heard of every host that can be reached. */
  knowsRegion(nowMs: number): boolean {
    return nowMs >= this.#knownFromMs;
  }

  /** All that was ever said to hosts that can be reached has been taken. */
  get isSettled(): boolean {
    for (const host of this.#parts.hosts.values()) if (host.isReachable && !host.session.isSettled) return false;
    return true;
  }

  // The carrier.

  carrierUp(nowMs: number): void {
    if (this.#isStopped) return;
    this.#isUp = true;
    this.#downSinceMs = undefined;
    this.#knownFromMs = Math.min(this.#knownFromMs, nowMs + this.#settings.joinMs);
    this.#effects.note({ type: "bus-up" });
    for (const host of this.#remote.all()) {
      host.session.noteCarrier(true, nowMs);
      // What it has taken of this host is said anew: the last word may be lost.
      host.toldTaken = -1;
    }
    this.#speaker.begin(nowMs);
    this.#apply(this.#list.busUp(nowMs), nowMs);
    this.#wake();
  }

  carrierDown(reason: string, nowMs: number): void {
    this.#effects.note({ type: "bus-down", reason });
    this.#downSinceMs ??= nowMs;
    this.#list.busDown();
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#speaker.pause();
    for (const host of this.#remote.all()) {
      host.session.noteCarrier(false, nowMs);
      host.isCurrent = false;
    }
    this.#parts.forwarding.updateFloodedHosts();
  }

  /** More of what was published has arrived: what was held back may be able to go. */
  noteArrived(): void {
    if (this.#speaker.canGoOn) this.#wake();
  }

  /** Takes what came on a channel, its own or that of all hosts. What is no message is counted. */
  received(payload: Buffer, nowMs: number): void {
    if (this.#isStopped) return;
    this.#nowMs = nowMs;
    this.counters.messagesIn++;
    this.counters.bytesIn += payload.length;
    try {
      if (isBusMessage(payload)) this.#hear(decodeBusMessage(payload), nowMs);
      else this.#takeDatagram(payload, nowMs);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.counters.badMessages++;
      this.#effects.note({ type: "unreadable", reason: error.message });
    }
  }

  /** To be called every half second or so, and when `nextDueMs` has come. */
  tick(nowMs: number): void {
    if (this.#isStopped) return;
    this.#apply(this.#list.tick(nowMs), nowMs);
    // After as long as for one host.
    const downMs = nowMs - (this.#downSinceMs ?? nowMs);
    if (downMs >= this.#settings.unreachableAfterMs) this.#remote.noteOutage();
    for (const host of this.#remote.all()) {
      host.view.tick(nowMs);
      host.session.tick(nowMs);
      this.#remote.watchLoss(host, nowMs);
    }
    this.#wake();
  }

  /** When there is something to say without anybody doing anything. */
  nextDueMs(): number {
    return this.#isUp ? this.#speaker.nextDueMs() : Number.POSITIVE_INFINITY;
  }

  // What this host's workers have and say.

  noteRoom(namespaceKey: string, roomKey: string, isWanted: boolean): void {
    this.#writer.noteRoom(namespaceKey, roomKey, isWanted);
    this.#wake();
  }

  noteMember(uid: string, member: PortMember | undefined): void {
    this.#writer.noteMember(uid, member);
    this.#wake();
  }

  noteStalled(place: string, isStalled: boolean): void {
    this.#writer.notePlace(place, isStalled);
    this.#wake();
  }

  /** Whether this host wants everything may have changed. */
  noteFlooded(): void {
    const { interest, isAnyFlooded } = this.#parts.forwarding;
    const limit = this.#writer.isFlooded ? this.#settings.maxRooms / 2 : this.#settings.maxRooms;
    this.#writer.noteFlooded(isAnyFlooded || interest.roomCount > limit);
    if (this.#writer.hasNews) this.#wake();
  }

  /** Sends a frame to hosts. The bytes are copied, once for all of them. */
  send(hosts: readonly HostPort[], bytes: Buffer, start: number, end: number, nowMs: number): void {
    if (hosts.length === 0) return;
    const isVolatile = isVolatileFrame(bytes, start);
    const frame = Buffer.from(bytes.subarray(start, end));
    for (const host of hosts) this.push(host, frame, isVolatile, nowMs);
  }

  /** Sends a frame that is not changed any more. */
  push(host: HostPort, frame: Buffer, isVolatile: boolean, nowMs: number): void {
    const { session } = host;
    const { droppedVolatile } = session;
    session.push(frame, isVolatile, nowMs);
    this.counters.framesOut++;
    this.counters.droppedVolatile += session.droppedVolatile - droppedVolatile;
    this.#remote.watchLoss(host, nowMs);
    this.#wake();
  }

  tellHost(host: HostPort, message: RouterToRouter, nowMs: number): void {
    this.push(host, encodeRouterToRouter(message), false, nowMs);
  }

  /** What a worker threw away was for others: for whom, nobody knows. */
  tellOfLoss(nowMs: number): void {
    for (const host of this.#parts.hosts.values()) this.tellHost(host, { type: "missed" }, nowMs);
  }

  /** A worker has carried out joins; an ended one, all. */
  settleJoins(port: Port, count: number): void {
    // Of one that is gone, too: it may come back, and waits for them.
    for (const host of this.#remote.all()) {
      host.joins.settle(port, count);
      if (host.joins.hasNews) this.#wake();
    }
  }

  /** A worker waits for what it has announced to be taken by others. */
  noteWaiting(): void {
    this.#wake();
  }

  /** Announcements up to this one cannot be missed by any host that is waited for. */
  get takenByAll(): number {
    let taken = Number.POSITIVE_INFINITY;
    for (const host of this.#parts.hosts.values()) if (host.isReachable) taken = Math.min(taken, host.takenSequence);
    return taken;
  }

  // Saying it.

  /** Publishes all there is to say, interest first. */
  flush(nowMs: number): void {
    this.#isAwake = false;
    if (this.#isStopped) return;
    if (this.#isUp) this.#speaker.sayAll(nowMs);
    else if (this.#writer.waitingChanges > maxWaitingChanges) this.#speaker.announce(false);
  }

  /** All there is to say, and the last word: nothing is said or heard after it. */
  leave(nowMs: number): void {
    if (this.#isStopped) return;
    if (this.#isUp) this.#speaker.sayLast(nowMs);
    this.#isStopped = true;
  }

  #wake(): void {
    if (this.#isAwake || this.#isStopped) return;
    this.#isAwake = true;
    this.#effects.wake();
  }

  // Hearing it.

  #hear(message: BusMessage | undefined, nowMs: number): void {
    if (message === undefined || (message.type === "bye" && message.incarnation === this.#parts.incarnation)) return;
    this.#apply(this.#list.heard(message, nowMs), nowMs);
    const host = this.#remote.find(message.incarnation);
    if (host === undefined || message.hostKey !== host.hostKey) return;
    switch (message.type) {
      case "heartbeat":
        if (message.asksTaken) host.toldTaken = -1;
        host.view.noteHead(message.head, nowMs);
        this.#noteCurrent(host);
        break;
      case "hello":
        host.view.noteHead(message.head, nowMs);
        this.#noteCurrent(host);
        break;
      case "announcement":
        host.view.takeAnnouncement(message.sequence, message.frames, nowMs);
        break;
      case "want-snapshot":
        if (message.to === this.#parts.incarnation) this.#speaker.wantPart(host, message);
        break;
      case "snapshot-part":
        this.#takePart(host, message, nowMs);
        break;
      case "taken":
        this.#takeTaken(host, message);
        break;
      case "bye":
    }
    // However its announcements have come to be known.
    this.#remote.settle(host);
    this.#wake();
  }

  /** What is known of its rooms is as new as what it has just said. */
  #noteCurrent(host: HostPort): void {
    if ((host.isCurrent && host.isReachable) || !this.#isUp) return;
    host.isCurrent = true;
    // After an outage of the own bus, too, in which no verdict is given on others.
    host.isReachable = true;
    this.#parts.forwarding.updateFloodedHosts();
  }

  #takePart(host: HostPort, part: SnapshotPart, nowMs: number): void {
    if (part.to !== this.#parts.incarnation) return;
    host.view.takePart(part, nowMs);
  }

  #takeTaken(host: HostPort, { to, sequence }: Taken): void {
    if (to !== this.#parts.incarnation || sequence <= host.takenSequence) return;
    host.takenSequence = sequence;
    this.#parts.releaseInterest();
  }

  #takeDatagram(payload: Buffer, nowMs: number): void {
    const datagram = decodeDatagram(payload);
    const host = this.#remote.find(datagram.from);
    // Of a router that has ended or is not known yet, or for the one before this: what is missing comes again.
    if (host === undefined || datagram.to !== this.#parts.incarnation) return;
    host.session.receive(datagram, nowMs);
    this.#remote.watchLoss(host, nowMs);
    this.#parts.noteTaken();
    this.#wake();
  }

  #takeFrame(host: HostPort, frame: Buffer, nowMs: number): void {
    this.counters.framesIn++;
    const message = decodeRouterToRouter(frame, 0, frame.length);
    switch (message?.type) {
      case undefined:
        this.#parts.takeFrame(host, frame, nowMs);
        break;
      case "join-mark":
        host.joins.mark(message.number);
        break;
      case "joins-done":
        host.settled.push(message);
        this.#remote.settle(host);
        break;
      case "missed":
        this.#remote.noteMissed(host, undefined);
        break;
      case "link-resume":
      case "link-answers":
        throw new FrameError("unknown-kind", "a frame of a kind that only a host of another region sends");
    }
  }

  // Who is there.

  #apply(changes: readonly HostChange[], nowMs: number): void {
    for (const change of changes) this.#applyOne(change, nowMs);
  }

  #applyOne(change: HostChange, nowMs: number): void {
    switch (change.type) {
      case "up":
      case "restarted":
      case "unreachable":
      case "back":
      case "gone":
      case "left":
        this.#remote.apply(change, nowMs);
        break;
      case "say-hello":
        this.#speaker.wantHello(change.asksHello);
        this.#wake();
        break;
      case "joined":
        this.#effects.note({ type: "joined", hosts: this.#parts.hosts.size });
        break;
      case "clash": {
        const { hostKey, name: otherName } = change.other;
        const { mustStop } = change;
        this.#effects.note({ type: "clash", hostKey, name: this.#settings.name, otherName, mustStop });
        if (!mustStop) break;
        this.#isStopped = true;
        this.#effects.mustStop(change.other);
        break;
      }
      case "incompatible":
        this.#effects.note(change);
        break;
      case "too-many":
        this.#effects.note({ type: "too-many-hosts" });
    }
  }

  *#listMembers(): Generator<readonly [string, PortMember], void, void> {
    for (const port of this.#parts.listPorts()) yield* port.members;
  }
}
