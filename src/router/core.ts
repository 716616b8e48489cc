/**
 * The router as a state machine: what arrives goes in, with the time; what is to be done comes out as effects. It does no
 * I/O and reads no clock, so that a whole host runs on virtual time in a test. It never reads what a packet says.
 */

import { nameRegionKey } from "../address/region-key.js";
import { encodeEmitterFrame, isEmitterRequest } from "../protocol/emitter-frame.js";
import { commands, readCommand } from "../protocol/exchange-frames.js";
import { acceptedVersions, FrameError, frameKinds, maxFrameBytes, protocolVersion } from "../protocol/frame.js";
import { FrameSplitter } from "../protocol/frame-splitter.js";
import { readInterestFrame } from "../protocol/interest-frame.js";
import { type PortRefusal, portRefusals } from "../protocol/port-refusals.js";
import { findInnerStart } from "../protocol/regional-frame.js";
import { RoutedView } from "../protocol/routed-frame.js";
import {
  decodeRouterToWorker,
  decodeWorkerToRouter,
  encodeRouterToWorker,
  type RouterToWorker,
  readFrameKind,
  type WorkerToRouter,
} from "../protocol/worker-port-frames.js";
import type { OutboxLimits } from "../routing/outbox.js";
import { Delivery } from "./delivery.js";
import type { EmitterAddress } from "./emitter-channels.js";
import { Forwarding } from "./forwarding.js";
import { HeldFrames } from "./held-frames.js";
import type { BusEffects } from "./host-bus/bus-effects.js";
import { HostBus, type HostBusSettings } from "./host-bus/host-bus.js";
import type { HostPort } from "./host-bus/host-port.js";
import { Members } from "./members.js";
import { Port } from "./port.js";
import { Pulse } from "./pulse.js";
import type { LinkEffects } from "./region-link/link-effects.js";
import { RegionLinks, type RegionLinksSettings } from "./region-link/region-links.js";
import { RegionTable } from "./region-link/region-port.js";
import { RegionTraffic } from "./region-link/region-traffic.js";
import { RegionTruth } from "./region-link/region-truth.js";
import { ranksFirst } from "./region-link/rendezvous.js";
import { RequestRelay } from "./request-relay.js";
import { emptyCounters, type RouterCounters, type RouterEffects } from "./router-effects.js";

export interface RouterSettings {
  readonly hostKey: string;
  /** Random, of this router process: tells a respawned router from the one before. */
  readonly incarnation: string;
  readonly outbox: OutboxLimits;
  /** Rooms of one worker beyond which it gets everything instead. */
  readonly maxRoomsPerPort: number;
  /** A worker that leaves a ping unanswered for this long is stalled. */
  readonly stalledAfterMs: number;
  /** How long frames are kept, and requests held, for a worker that is expected back. */
  readonly expectBackMs: number;
}

/** Whoever has not introduced itself sends no more than that, and has this long for it. */
const maxHelloBytes = 4_096;
const helloTimeoutMs = 5_000;
/** One write takes about this much: what waits longer stays where the outbox's bound sees it. */
const maxWriteBytes = 256 * 1024;

interface Connection {
  readonly id: number;
  readonly splitter: FrameSplitter;
  readonly openedMs: number;
  port: Port | undefined;
  isRefused: boolean;
  farewell: Buffer | undefined;
}

/** The ways out of a host, as far as it has them. */
export interface RouterWays {
  /** To the other hosts of the region. */
  readonly bus?: { readonly settings: HostBusSettings; readonly effects: BusEffects } | undefined;
  /** To other regions, and from them. */
  readonly links?:
    | { readonly settings: RegionLinksSettings; readonly effects: LinkEffects; readonly nowMs: number }
    | undefined;
}

export class RouterCore {
  readonly counters: RouterCounters = emptyCounters();
  readonly #settings: RouterSettings;
  readonly #effects: RouterEffects;
  readonly #connections = new Map<number, Connection>();
  readonly #portByPlace = new Map<string, Port>();
  /** Other hosts that frames can go to, by key. */
  readonly #hosts = new Map<string, HostPort>();
  /** The way to them; undefined for a host that stays alone. */
  readonly bus: HostBus | undefined;
  /** The way to other regions; undefined for a host of the only one. */
  readonly links: RegionLinks | undefined;
  readonly #delivery: Delivery;
  readonly #members: Members;
  readonly #pulse: Pulse;
  readonly #forwarding: Forwarding;
  readonly #relay: RequestRelay;
  /** Workers that did not come back in time, with the frames that were given up for each. */
  readonly #lostByPlace = new Map<string, number>();
  readonly #held = new HeldFrames<Connection>((...frame) => this.#takeHeld(...frame));
  readonly #view = new RoutedView();
  readonly #truth: RegionTruth | undefined;
  /** What is being read. */
  #chunk: Buffer | undefined;
  #nowMs = 0;

  constructor(settings: RouterSettings, effects: RouterEffects, { bus, links }: RouterWays = {}) {
    this.#settings = settings;
    this.#effects = effects;
    const { hostKey, incarnation } = settings;
    this.#delivery = new Delivery(effects, this.counters, (port) => this.#settleJoins(port, Number.POSITIVE_INFINITY));
    const hasBus = bus !== undefined;
    const listPorts = (): Iterable<Port> => this.#portByPlace.values();
    const tellWorkers = (message: RouterToWorker): void => {
      for (const port of this.#portByPlace.values()) this.#delivery.tell(port, message);
    };
    this.#members = new Members(
      (port, message) => this.#delivery.tell(port, message),
      hasBus || links !== undefined
        ? (holder, uid, member) => {
            if (holder.isWorker) this.bus?.noteMember(uid, member);
            this.links?.noteMember(holder, uid, member);
          }
        : undefined,
    );
    this.#pulse = new Pulse(settings.stalledAfterMs);
    const table = new RegionTable();
    const truth =
      links === undefined
        ? undefined
        : new RegionTruth(links.settings.maxRooms, {
            hosts: this.#hosts,
            listPorts,
            forwarding: () => this.#forwarding,
            wake: () => this.links?.wake(),
          });
    this.#forwarding = new Forwarding(
      this.#portByPlace,
      hostKey,
      this.#hosts,
      hasBus || truth !== undefined
        ? {
            noteRoom: (namespaceKey, roomKey, isWanted) => {
              this.bus?.noteRoom(namespaceKey, roomKey, isWanted);
              truth?.ofWorkers.noteRoom(namespaceKey, roomKey, isWanted);
            },
            noteFlooded: () => {
              this.bus?.noteFlooded();
              truth?.ofWorkers.noteFlooded();
            },
          }
        : undefined,
      truth === undefined ? undefined : { wishes: table.wishes, byHostKey: table.byHostKey },
      truth?.ofHosts,
    );
    this.#relay = new RequestRelay(
      {
        hostKey,
        regionKey: nameRegionKey(links?.settings.region ?? ""),
        hosts: this.#hosts,
        bus: () => this.bus,
        links: () => this.links,
        portByPlace: this.#portByPlace,
        forwarding: this.#forwarding,
        members: this.#members,
        delivery: this.#delivery,
        counters: this.counters,
      },
      settings.expectBackMs,
    );
    const traffic = new RegionTraffic({
      forwarding: this.#forwarding,
      delivery: this.#delivery,
      relay: this.#relay,
      bus: () => this.bus,
    });
    if (bus !== undefined) {
      this.bus = new HostBus(bus.settings, bus.effects, {
        hostKey,
        incarnation,
        forwarding: this.#forwarding,
        members: this.#members,
        hosts: this.#hosts,
        listPorts,
        takeFrame: (host, frame, nowMs) => this.#takeHostFrame(host, frame, nowMs),
        tellWorkers,
        noteStalled: (place) => truth?.noteStalled(place, true),
        noteMissed: () => this.#tellOthersOfLoss(undefined),
        releaseInterest: () => this.#releaseInterest(),
        forgetHost: (host) => this.#relay.forget(host),
        settleJoins: (host, count) => {
          this.#forwarding.settleHostJoins(host, count);
          this.links?.settleJoins(host, count);
        },
        noteTaken: () => this.links?.noteTaken(),
      });
    }
    this.#truth = truth;
    if (links === undefined || truth === undefined) return;
    this.links = new RegionLinks(
      links.settings,
      links.effects,
      {
        hostKey,
        incarnation,
        table,
        truth,
        members: this.#members,
        isThere: (place) =>
          place.isWorker ? this.#portByPlace.get(place.place) === place : this.#hosts.get(place.hostKey) === place,
        takeFrame: (from, frame, nowMs) => {
          this.#nowMs = nowMs;
          traffic.take(from, frame, nowMs);
        },
        tellWorkers,
        noteMissed: (nowMs) => {
          this.#tellOthersOfLoss(undefined);
          this.bus?.tellOfLoss(nowMs);
        },
        noteLate: (hosts, nowMs) => {
          for (const host of hosts) this.bus?.tellHost(host, { type: "missed" }, nowMs);
        },
      },
      links.nowMs,
    );
  }

  get ports(): readonly Port[] {
    return [...this.#portByPlace.values()];
  }

  /** What comes over a link can be passed on to the whole region: until then none is taken. */
  knowsRegion(nowMs: number): boolean {
    return this.bus?.knowsRegion(nowMs) ?? true;
  }

  /** (place, room) pairs that are announced. */
  get interestSize(): number {
    return this.#forwarding.interest.size;
  }

  /**
   * A worker that serves clients will connect: after a restart of the router, or because it lost its connection. What it
   * would get is kept for it until then.
   */
  expect(place: string, nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#portByPlace.has(place)) return;
    const port = new Port(place, this.#settings.outbox);
    port.expectedSinceMs = nowMs;
    this.#portByPlace.set(place, port);
    this.#forwarding.updateFlooded();
  }

  /**
   * A worker's process has ended: it is not expected back. A connection that is open ends by itself, after the worker's last
   * words; it may also be its successor's.
   */
  forget(place: string, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#lostByPlace.delete(place);
    const port = this.#portByPlace.get(place);
    if (port === undefined || port.connection !== undefined) return;
    this.#dropExpected(port);
    this.#relay.release(this.#nowMs);
  }

  opened(id: number, nowMs: number): void {
    this.#nowMs = nowMs;
    const take = (bytes: Buffer, start: number, end: number): void => this.#takeFrame(connection, bytes, start, end);
    const connection: Connection = {
      id,
      splitter: new FrameSplitter(take, maxHelloBytes),
      openedMs: nowMs,
      port: undefined,
      isRefused: false,
      farewell: undefined,
    };
    this.#connections.set(id, connection);
  }

  /** Takes what was read of a connection: announcements now, messages when the next turn of reading has ended. */
  received(id: number, chunk: Buffer, nowMs: number): void {
    this.#nowMs = nowMs;
    const connection = this.#connections.get(id);
    if (connection === undefined || connection.isRefused) return;
    this.counters.bytesIn += chunk.length;
    this.#chunk = chunk;
    try {
      connection.splitter.push(chunk);
    } catch (error) {
      // What it said before counts.
      this.#held.takeAll();
      this.#refuseFrame(connection, error);
    }
    // Said with the next write, once for all that has come until then.
    if (connection.port?.isInterestUntold) this.#delivery.wake(connection.port);
  }

  /** Whether `endTurn` has something to do. */
  get hasHeld(): boolean {
    return !this.#held.isEmpty;
  }

  /** All that could be read has been given to `received`. Passes on what had been read in the turn before. */
  endTurn(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#held.endTurn();
  }

  closed(id: number, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#held.takeAll();
    const connection = this.#connections.get(id);
    this.#connections.delete(id);
    if (connection?.port !== undefined) this.#endPort(connection.port);
    this.#relay.release(this.#nowMs);
  }

  /** What to write next to a connection on which nothing is being written. */
  takeWrites(id: number): Buffer[] {
    const connection = this.#connections.get(id);
    if (connection === undefined) return [];
    const { port, farewell } = connection;
    if (farewell !== undefined) {
      connection.farewell = undefined;
      return [farewell];
    }
    if (port === undefined) return [];
    if (port.isInterestUntold) {
      port.isInterestUntold = false;
      this.#delivery.tellUrgently(port, { type: "interest-taken", sequence: port.interestSequence });
    }
    if (port.outbox.untoldLoss > 0) this.#tellLoss(port);
    const blocks = port.outbox.take(maxWriteBytes);
    port.takenBytes = port.outbox.passedBytes;
    // Not before: what was told here leaves with this very write, and nobody needs to be woken for it.
    port.isAwake = false;
    for (const block of blocks) this.counters.bytesOut += block.length;
    return blocks;
  }

  written(id: number, blocks: readonly Buffer[]): void {
    const port = this.#connections.get(id)?.port;
    if (port === undefined) return;
    port.outbox.release(blocks);
    port.writtenBytes = port.takenBytes;
    this.links?.noteTaken();
  }

  /** Whether there is more to write. */
  hasWrites(id: number): boolean {
    const connection = this.#connections.get(id);
    if (connection === undefined) return false;
    if (connection.farewell !== undefined) return true;
    const { port } = connection;
    return port !== undefined && (!port.outbox.isEmpty || port.outbox.untoldLoss > 0 || port.isInterestUntold);
  }

  /** Send pings, find who is stalled, give up who did not come back. To be called every half second or so. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#pulse.tick(nowMs);
    for (const port of this.ports) {
      if (port.connection === undefined) this.#giveUpIfOverdue(port);
      else this.#checkPulse(port);
    }
    for (const connection of this.#connections.values()) {
      const isOverdue = connection.port === undefined && nowMs - connection.openedMs >= helloTimeoutMs;
      if (isOverdue && !connection.isRefused) this.#refuse(connection, "notExpected", "no hello came in 5 s");
    }
    this.#relay.release(this.#nowMs);
    this.bus?.tick(nowMs);
    this.links?.tick(nowMs);
  }

  #giveUpIfOverdue(port: Port): void {
    if (this.#nowMs - port.expectedSinceMs < this.#settings.expectBackMs) return;
    // What did not fit has been counted when it was lost.
    const { untoldLoss } = port.outbox;
    const lostFrames = port.outbox.abandon();
    this.counters.lostFrames += lostFrames - untoldLoss;
    this.#dropExpected(port);
    this.#lostByPlace.set(port.place, lostFrames);
    this.#effects.note({ type: "not-back", place: port.place, lostFrames });
  }

  #checkPulse(port: Port): void {
    switch (this.#pulse.check(port, this.#nowMs)) {
      case "ping":
        this.#delivery.tellUrgently(port, { type: "ping", token: port.pingToken });
        break;
      case "stalled":
        this.counters.stalls++;
        this.#effects.note({ type: "stalled", place: port.place });
        this.#delivery.tellOthers(this.#portByPlace.values(), port, { type: "place-stalled", place: port.place });
        this.#noteStalled(port.place, true);
        break;
      case "wait":
        break;
    }
  }

  #takeFrame(connection: Connection, bytes: Buffer, start: number, end: number): void {
    if (connection.isRefused) return;
    const { port } = connection;
    if (port === undefined) {
      this.#takeHello(connection, decodeWorkerToRouter(bytes, start, end));
      return;
    }
    this.counters.framesIn++;
    switch (readFrameKind(bytes, start)) {
      case frameKinds.broadcast:
      case frameKinds.command:
      case frameKinds.request:
      case frameKinds.response:
        // What was put together of several pieces is overwritten by what comes next.
        if (bytes === this.#chunk) this.#held.add(connection, bytes, start, end);
        else this.#held.add(connection, Buffer.from(bytes.subarray(start, end)), 0, end - start);
        break;
      case frameKinds.interest:
        this.#takeInterest(port, bytes, start, end);
        break;
      default:
        this.#takeControl(port, decodeWorkerToRouter(bytes, start, end));
    }
  }

  #takeHeld(connection: Connection, bytes: Buffer, start: number, end: number): void {
    if (connection.port === undefined) return;
    try {
      this.#passOn(connection.port, bytes, start, end);
    } catch (error) {
      this.#refuseFrame(connection, error);
    }
  }

  #refuseFrame(connection: Connection, error: unknown): void {
    if (!(error instanceof FrameError)) throw error;
    // What follows the frame that it was refused for may be of a later version: the first reason is the one that counts.
    if (connection.isRefused) return;
    this.counters.badFrames++;
    this.#refuse(connection, "badFrame", error.message);
  }

  /** @throws FrameError for a frame that makes no sense */
  #passOn(port: Port, bytes: Buffer, start: number, end: number): void {
    switch (readFrameKind(bytes, start)) {
      case frameKinds.broadcast:
        this.#view.read(bytes, start, end);
        this.#delivery.send(this.#forwarding.findTargets(this.#view, port), bytes, start, end);
        this.bus?.send(this.#forwarding.targetHosts, bytes, start, end, this.#nowMs);
        this.links?.send(this.#forwarding.targetRegions, bytes, start, end, this.#nowMs);
        break;
      case frameKinds.command:
        this.#forwardCommand(port, bytes, start, end);
        break;
      case frameKinds.request:
        this.#relay.take(port, bytes, start, end, this.#nowMs);
        break;
      case frameKinds.response:
        this.#relay.answer(bytes, start, end, "worker", this.#nowMs);
        break;
    }
  }

  /** Passes on what an emitter has published: every host does that for its own workers, and one for other regions. */
  takeEmitted(address: EmitterAddress, payload: Buffer, nowMs: number): void {
    this.#nowMs = nowMs;
    const namespaceKey = Buffer.from(address.namespace).toString("latin1");
    const toRegions = this.links !== undefined && ranksFirst(this.#settings.hostKey, this.#hosts.keys(), payload);
    // Another reading of the channel's name, or nobody is there.
    if (!toRegions && !this.#forwarding.isServed(namespaceKey)) return;
    const frame = encodeEmitterFrame(address, payload);
    if (frame === undefined) {
      this.counters.badFrames++;
      return;
    }
    this.#view.read(frame, 0, frame.length);
    const targets = this.#forwarding.findTargets(this.#view, toRegions ? "emitter" : "host");
    if (address.isRequest) this.#forwarding.expectAnyJoin(targets);
    this.#delivery.send(targets, frame, 0, frame.length);
    if (toRegions) this.links?.send(this.#forwarding.targetRegions, frame, 0, frame.length, nowMs);
  }

  /** What workers of another host send, or those of another region through it. @throws FrameError for what they do not */
  #takeHostFrame(host: HostPort, frame: Buffer, nowMs: number): void {
    this.#nowMs = nowMs;
    const end = frame.length;
    const innerStart = findInnerStart(frame, 0, end);
    switch (readFrameKind(frame, innerStart)) {
      case frameKinds.broadcast:
        this.#view.read(frame, innerStart, end);
        this.#delivery.send(this.#forwarding.findTargets(this.#view, "host"), frame, 0, end);
        break;
      case frameKinds.command:
        this.#takeHostCommand(host, frame, innerStart);
        break;
      case frameKinds.emitter:
        this.#takeHostEmitted(frame, innerStart);
        break;
      case frameKinds.request:
        this.#relay.take(host, frame, 0, end, nowMs);
        break;
      case frameKinds.routedAt:
        // Checked here: a worker that cannot read it would leave this router.
        decodeRouterToWorker(frame, innerStart, end);
        this.#relay.answer(frame, 0, end, "host", nowMs);
        break;
      case frameKinds.response:
        this.#relay.answer(frame, 0, end, "host", nowMs);
        break;
      default:
        throw new FrameError("unknown-kind", "a frame of a kind that a host does not send");
    }
  }

  #takeHostCommand(host: HostPort, frame: Buffer, innerStart: number): void {
    const view = this.#view;
    view.read(frame, innerStart, frame.length);
    const targets = this.#forwarding.findTargets(view, "host");
    if (readCommand(frame, view.bodyStart, frame.length) === commands.socketsJoin) {
      this.#forwarding.expectJoins(view, targets);
      for (const port of targets) if (port.outbox.untoldLoss === 0) host.joins.note(port, port.joinsSent);
    }
    this.#delivery.send(targets, frame, 0, frame.length);
  }

  /** Of another region: what is published in this one comes to every host by itself. */
  #takeHostEmitted(frame: Buffer, innerStart: number): void {
    if (innerStart === 0) throw new FrameError("unknown-kind", "a message of an emitter that a host does not send");
    this.#view.read(frame, innerStart, frame.length);
    const targets = this.#forwarding.findTargets(this.#view, "host");
    if (isEmitterRequest(frame, this.#view.bodyStart)) this.#forwarding.expectAnyJoin(targets);
    this.#delivery.send(targets, frame, 0, frame.length);
  }

  #takeHello(connection: Connection, hello: WorkerToRouter | undefined): void {
    if (hello?.type !== "hello") {
      this.#refuse(connection, "notExpected", "the first frame is not a hello");
      return;
    }
    if (!acceptedVersions.includes(hello.version)) {
      const reason = `protocol version ${hello.version} is not known here (known: ${acceptedVersions.join(", ")})`;
      this.#refuse(connection, "unknownVersion", reason);
      return;
    }
    if (!hello.place.startsWith(this.#settings.hostKey)) {
      this.#refuse(connection, "notExpected", `the place ${hello.place} is not of this host`);
      return;
    }
    this.#open(connection, hello.place, hello.workerId);
  }

  #open(connection: Connection, place: string, workerId: string): void {
    let port = this.#portByPlace.get(place);
    if (port?.connection !== undefined) {
      const former = this.#connections.get(port.connection);
      this.#held.takeAll();
      if (former !== undefined) this.#refuse(former, "replaced", "another connection has taken this place");
      this.#portByPlace.delete(place);
      port = undefined;
    }
    port ??= new Port(place, this.#settings.outbox);
    port.connection = connection.id;
    port.workerId = workerId;
    port.isStalled = false;
    connection.port = port;
    connection.splitter.setLimit(maxFrameBytes);
    this.#portByPlace.set(place, port);
    this.#forwarding.updateFlooded();
    this.#delivery.tellUrgently(port, {
      type: "welcome",
      version: protocolVersion,
      incarnation: this.#settings.incarnation,
    });
    this.#effects.note({ type: "port-up", place });
    this.#tellAbsence(port);
  }

  /** A worker that comes back later than it was expected has missed what was sent meanwhile, counted or not. */
  #tellAbsence(port: Port): void {
    const frames = this.#lostByPlace.get(port.place);
    if (frames === undefined) return;
    this.#lostByPlace.delete(port.place);
    this.#delivery.tell(port, { type: "lost", frames, joinsSent: port.joinsSent });
    if (frames > 0) this.#effects.note({ type: "loss-told", place: port.place, lostFrames: frames });
  }

  #takeControl(port: Port, message: WorkerToRouter | undefined): void {
    switch (message?.type) {
      case "namespace-up":
        if (!message.uid.startsWith(port.place)) {
          throw new FrameError("bad-value", "an adapter with the uid of another worker");
        }
        // Said again of the same adapter, it takes the place of what was said before.
        this.#removeMember(port, message.uid);
        this.#forwarding.interest.addNamespace(port, this.#members.add(port, message));
        break;
      case "namespace-down":
        // It may have answered a request before.
        this.#held.takeAll();
        this.#removeMember(port, message.uid);
        break;
      case "interest-complete":
        port.isComplete = true;
        this.#forwarding.updateFlooded();
        this.#relay.release(this.#nowMs);
        break;
      case "flood-me":
        this.#setFlooded(port, message.isOn);
        break;
      case "pong":
        if (message.token === port.pingToken) this.#takePong(port);
        break;
      case "joins-done":
        this.#forwarding.settleJoins(port, message.count);
        this.#settleJoins(port, message.count);
        break;
      case "unsent":
        this.counters.unsentFrames += message.frames;
        this.#effects.note({ type: "unsent", place: port.place, lostFrames: message.frames });
        this.#tellOthersOfLoss(port);
        this.bus?.tellOfLoss(this.#nowMs);
        this.links?.tellOfLoss(this.#nowMs);
        break;
      case "hello":
      case undefined:
        throw new FrameError("unknown-kind", "a frame of a kind that a worker does not send");
    }
  }

  #removeMember(port: Port, uid: string): void {
    const namespaceKey = this.#members.remove(port, uid);
    if (namespaceKey !== undefined) this.#forwarding.interest.removeNamespace(port, namespaceKey);
  }

  #takePong(port: Port): void {
    port.pingSentMs = undefined;
    if (!port.isStalled) return;
    port.isStalled = false;
    this.#effects.note({ type: "resumed", place: port.place });
    this.#noteStalled(port.place, false);
    this.#delivery.tellOthers(this.#portByPlace.values(), port, { type: "place-resumed", place: port.place });
  }

  #takeInterest(port: Port, bytes: Buffer, start: number, end: number): void {
    const sequence = this.#forwarding.takeInterest(port, bytes, start, end, readInterestFrame);
    this.counters.interestChanges++;
    if (port.roomCount > this.#settings.maxRoomsPerPort && !port.isFlooded) this.#setFlooded(port, true);
    this.bus?.noteFlooded();
    if (this.bus === undefined || this.#hosts.size === 0) {
      port.interestSequence = sequence;
      port.isInterestUntold = true;
      return;
    }
    // The other hosts have to know as well.
    port.untakenInterest.push({ sequence, announcement: undefined });
    this.bus.noteWaiting();
  }

  /** Other hosts have taken announcements, or there is none to wait for. */
  #releaseInterest(): void {
    const taken = this.bus?.takenByAll ?? Number.POSITIVE_INFINITY;
    for (const port of this.#portByPlace.values()) {
      const waiting = port.untakenInterest;
      let count = 0;
      for (const { sequence, announcement } of waiting) {
        if (taken !== Number.POSITIVE_INFINITY && (announcement === undefined || announcement > taken)) break;
        port.interestSequence = sequence;
        count++;
      }
      if (count === 0) continue;
      waiting.splice(0, count);
      port.isInterestUntold = true;
      this.#delivery.wake(port);
    }
  }

  #setFlooded(port: Port, isOn: boolean): void {
    if (port.isFlooded === isOn) return;
    port.isFlooded = isOn;
    if (isOn) this.#forwarding.forgetRooms(port);
    this.#forwarding.updateFlooded();
    this.#effects.note({ type: isOn ? "flooded" : "not-flooded", place: port.place });
  }

  #forwardCommand(port: Port, bytes: Buffer, start: number, end: number): void {
    const view = this.#view;
    view.read(bytes, start, end);
    const targets = this.#forwarding.findTargets(view, port);
    const hosts = this.#forwarding.targetHosts;
    const isJoin = readCommand(bytes, view.bodyStart, end) === commands.socketsJoin;
    const regions = this.#forwarding.targetRegions;
    if (isJoin) this.#forwarding.expectJoins(view, targets, hosts, regions);
    this.#delivery.send(targets, bytes, start, end);
    this.bus?.send(hosts, bytes, start, end, this.#nowMs);
    this.links?.send(regions, bytes, start, end, this.#nowMs);
    if (!isJoin) return;
    for (const host of hosts) this.bus?.tellHost(host, { type: "join-mark", number: host.joinsSent }, this.#nowMs);
    this.links?.markJoins(regions, this.#nowMs);
  }

  /**
   * What a worker, or another host, threw away before it came here was for others: for whom, nobody knows. Each of them has
   * to take it that its clients have missed something.
   */
  #tellOthersOfLoss(port: Port | undefined): void {
    for (const other of this.#portByPlace.values()) {
      if (other !== port) this.#delivery.tell(other, { type: "lost", frames: 0, joinsSent: other.joinsSent });
    }
  }

  /** What the worker missed held news of members too: it gets them anew. */
  #tellLoss(port: Port): void {
    const frames = port.outbox.tellLoss();
    this.#delivery.tell(port, { type: "lost", frames, joinsSent: port.joinsSent });
    this.#members.tellAll(port, this.#portByPlace.values());
    this.#effects.note({ type: "loss-told", place: port.place, lostFrames: frames });
  }

  #refuse(connection: Connection, refusal: PortRefusal, reason: string): void {
    connection.isRefused = true;
    this.counters.refusals++;
    connection.farewell = encodeRouterToWorker({ type: "refused", code: portRefusals[refusal].code, reason });
    const { port } = connection;
    connection.port = undefined;
    if (port !== undefined) this.#endPort(port);
    this.#effects.note({ type: "refused", place: port?.place, refusal, reason });
    this.#effects.closeAfterWrite(connection.id);
  }

  /** The connection is gone, and the worker with it, as far as the others are concerned. */
  #endPort(port: Port): void {
    if (this.#portByPlace.get(port.place) === port) this.#portByPlace.delete(port.place);
    this.#forwarding.forgetPort(port);
    this.#members.removePort(port);
    this.#relay.forget(port.place);
    this.#forgetAtOthers(port);
    this.#effects.note({ type: "port-down", place: port.place, lostFrames: port.outbox.abandon() });
    this.#delivery.tellOthers(this.#portByPlace.values(), port, { type: "place-down", place: port.place });
  }

  #dropExpected(port: Port): void {
    this.#portByPlace.delete(port.place);
    this.#forwarding.forgetPort(port);
    this.#forgetAtOthers(port);
  }

  #forgetAtOthers(port: Port): void {
    this.#settleJoins(port, Number.POSITIVE_INFINITY);
    this.#noteStalled(port.place, false);
    this.links?.noteTaken();
  }

  /** A worker has carried out joins of other hosts and regions; an ended one, all. */
  #settleJoins(port: Port, count: number): void {
    this.bus?.settleJoins(port, count);
    this.links?.settleJoins(port, count);
  }

  #noteStalled(place: string, isStalled: boolean): void {
    this.bus?.noteStalled(place, isStalled);
    this.#truth?.noteStalled(place, isStalled);
  }
}
