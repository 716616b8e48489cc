/**
 * The router's port to other regions: links that this host has made, on which it sends what its own workers originate, and links
 * that others have made, from which it serves its workers and the hosts of its region. A state machine without I/O or clock.
 */

import type { LinkSettings } from "../../link/link-session.js";
import { type BusMessage, decodeBusMessage, encodeBusMessage, isBusMessage } from "../../protocol/bus-messages.js";
import { FrameError } from "../../protocol/frame.js";
import { decodeDatagram } from "../../protocol/link-datagram.js";
import { encodeRegionalFrame, isVolatileFrame } from "../../protocol/regional-frame.js";
import { decodeRouterToRouter, type RouterToRouter } from "../../protocol/router-frames.js";
import type { RouterToWorker } from "../../protocol/worker-port-frames.js";
import type { HostPort } from "../host-bus/host-port.js";
import type { Holder, Members } from "../members.js";
import type { Port, PortMember } from "../port.js";
import type { IsThere } from "./ack-gate.js";
import { type InboundLink, InboundLinks } from "./inbound-links.js";
import { emptyLinkCounters, type LinkCounters, type LinkEffects, type LinkPeer } from "./link-effects.js";
import { OutboundRegions } from "./outbound-regions.js";
import type { RegionPort, RegionTable } from "./region-port.js";
import type { RegionTruth } from "./region-truth.js";

export interface RegionLinksSettings {
  /** Of this host. */
  readonly region: string;
  /** The others that it links to. */
  readonly regions: readonly string[];
  /** Random, of this run of the host. */
  readonly instance: string;
  readonly link: Omit<LinkSettings, "incarnation" | "peerIncarnation">;
  /** Rooms of a region beyond which it gets everything instead. */
  readonly maxRooms: number;
  readonly firstSnapshotId: number;
}

/** What the port needs of the router around it. */
export interface RegionLinksParts {
  readonly hostKey: string;
  readonly incarnation: string;
  readonly table: RegionTable;
  readonly truth: RegionTruth;
  readonly members: Members;
  readonly isThere: IsThere;
  takeFrame(from: InboundLink, frame: Buffer, nowMs: number): void;
  tellWorkers(message: RouterToWorker): void;
  /** Frames for this region have been given up: its workers here, and its other hosts, have to know. */
  noteMissed(nowMs: number): void;
  /** What came for these hosts may be too late: they have to know. */
  noteLate(hosts: readonly HostPort[], nowMs: number): void;
}

export class RegionLinks {
  readonly counters: LinkCounters = emptyLinkCounters();
  readonly #settings: RegionLinksSettings;
  readonly #effects: LinkEffects;
  readonly #parts: RegionLinksParts;
  readonly #outbound: OutboundRegions;
  readonly #inbound: InboundLinks;
  readonly #incarnationBytes: Buffer;
  #sequence = 0;
  #nowMs: number;
  #isAwake = false;

  constructor(settings: RegionLinksSettings, effects: LinkEffects, parts: RegionLinksParts, nowMs: number) {
    this.#settings = settings;
    this.#effects = effects;
    this.#parts = parts;
    this.#nowMs = nowMs;
    const { hostKey, incarnation, table, truth, members } = parts;
    this.#incarnationBytes = Buffer.from(incarnation);
    const shared = {
      counters: this.counters,
      note: (note: Parameters<LinkEffects["note"]>[0]) => effects.note(note),
      send: (link: number, payload: Buffer) => this.#send(link, payload),
      sendMessage: (link: number, message: BusMessage) => this.#send(link, encodeBusMessage(message)),
      isFull: (link: number) => effects.isFull(link),
    };
    this.#outbound = new OutboundRegions(
      { ...settings, hostKey, incarnation },
      { ...shared, table, members, tellWorkers: (message) => parts.tellWorkers(message) },
      nowMs,
    );
    this.#inbound = new InboundLinks(
      { ...settings, hostKey, incarnation },
      {
        ...shared,
        truth,
        isThere: parts.isThere,
        canAnswer: (region) => table.byName.get(region)?.link !== undefined,
        takeFrame: (from, frame) => parts.takeFrame(from, frame, this.#nowMs),
        noteMissed: () => parts.noteMissed(this.#nowMs),
        noteLate: (hosts) => parts.noteLate(hosts, this.#nowMs),
      },
    );
  }

  get regions(): Iterable<RegionPort> {
    return this.#outbound.all();
  }

  get inboundLinks(): Iterable<InboundLink> {
    return this.#inbound.all();
  }

  /** All that was ever said to regions that there is a link to has been taken. */
  get isSettled(): boolean {
    for (const { link, session } of this.#outbound.all()) if (link !== undefined && !session.isSettled) return false;
    return true;
  }

  // The carrier.

  /** A link has been made, and each end knows who the other is. @param isDialled this host has made it */
  opened(link: number, isDialled: boolean, peer: LinkPeer, nowMs: number): void {
    this.#nowMs = nowMs;
    if (isDialled) {
      this.#outbound.up(link, peer, nowMs);
    } else {
      const former = this.#inbound.up(link, peer);
      if (former !== undefined) this.#effects.close(former, "replaced", "its router has linked anew");
      const { region, hostKey } = peer;
      this.#effects.note({ type: "link-up", isDialled, region, hostKey, afterMs: undefined });
    }
    this.wake();
  }

  /** A link to that region could not be made. */
  failed(region: string, reason: string): void {
    this.#outbound.fail(region, reason);
  }

  closed(link: number, reason: string, nowMs: number): void {
    this.#nowMs = nowMs;
    const region = this.#outbound.down(link, reason, nowMs)?.region;
    const peer = this.#inbound.down(link, nowMs)?.peer;
    const isDialled = region !== undefined;
    const name = region ?? peer?.region;
    if (name !== undefined) this.#effects.note({ type: "link-down", isDialled, region: name, reason });
    this.wake();
  }

  /** It takes more again. */
  drained(): void {
    this.wake();
  }

  received(link: number, payload: Buffer, nowMs: number): void {
    this.#nowMs = nowMs;
    this.counters.messagesIn++;
    this.counters.bytesIn += payload.length;
    try {
      this.#take(link, payload, nowMs);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.counters.badMessages++;
      this.counters.refusals++;
      // Over a connection that neither loses nor changes anything, it will not get better.
      this.#effects.close(link, "badMessage", error.message);
    }
    this.wake();
  }

  /** @throws FrameError for what a link does not say */
  #take(link: number, payload: Buffer, nowMs: number): void {
    const region = this.#outbound.find(link);
    const inbound = this.#inbound.find(link);
    if (!isBusMessage(payload)) {
      const datagram = decodeDatagram(payload);
      if (region !== undefined) this.#outbound.receive(region, datagram, nowMs);
      else if (inbound !== undefined) this.#inbound.receive(inbound, datagram, nowMs);
      return;
    }
    const message = readLinkMessage(payload);
    if (message === undefined) return;
    if ("router" in message) {
      if (region !== undefined) this.#outbound.hearRouter(region, message.router, nowMs);
      else if (inbound !== undefined) this.#inbound.hearRouter(inbound, message.router, nowMs);
    } else if (region !== undefined) {
      this.#outbound.hear(region, message.bus, nowMs);
    } else if (inbound !== undefined) {
      this.#inbound.hear(inbound, message.bus);
    }
  }

  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#outbound.tick(nowMs);
    this.#inbound.tick(nowMs);
    this.wake();
  }

  /** When there is something to say without anybody doing anything. */
  nextDueMs(): number {
    return Math.min(this.#outbound.nextDueMs(), this.#inbound.nextDueMs());
  }

  /** Sends all there is to say, interest first. */
  flush(nowMs: number): void {
    this.#isAwake = false;
    this.#nowMs = nowMs;
    this.#inbound.flush(nowMs);
    this.#outbound.flush(nowMs);
  }

  wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    this.#effects.wake();
  }

  #send(link: number, payload: Buffer): void {
    this.#effects.send(link, payload);
    this.counters.messagesOut++;
    this.counters.bytesOut += payload.length;
  }

  // What this host's workers send.

  /** Sends a frame to regions: copied once, and numbered, so that it is taken once whichever way it comes. */
  send(regions: readonly RegionPort[], bytes: Buffer, start: number, end: number, nowMs: number): void {
    if (regions.length === 0) return;
    // What does not fit one message goes in pieces, which is for frames that are kept.
    const isVolatile = isVolatileFrame(bytes, start) && end - start <= this.#settings.link.maxDatagramBytes / 2;
    const sequence = isVolatile ? 0 : ++this.#sequence;
    const frame = encodeRegionalFrame(this.#incarnationBytes, sequence, bytes, start, end);
    if (frame === undefined) {
      this.counters.givenUpFrames += regions.length;
      this.#effects.note({ type: "too-long", bytes: end - start });
      return;
    }
    for (const region of regions) this.#outbound.push(region, frame, isVolatile, nowMs);
    this.wake();
  }

  /** Regions that a uid may be of: the one whose host it names, or those of which too little is known. */
  findRegions(uid: string): readonly RegionPort[] {
    const region = this.#parts.table.byHostKey.get(uid.slice(0, 4));
    return region === undefined ? this.#parts.table.wishes.flooded : [region];
  }

  markJoins(regions: readonly RegionPort[], nowMs: number): void {
    this.#outbound.markJoins(regions, nowMs);
    this.wake();
  }

  /** What a worker threw away was for others: for whom, nobody knows. */
  tellOfLoss(nowMs: number): void {
    for (const region of this.#outbound.all()) this.#outbound.tell(region, { type: "missed" }, nowMs);
    this.wake();
  }

  // What the router knows.

  noteMember(holder: Holder, uid: string, member: PortMember | undefined): void {
    if (holder.isRegion) this.#outbound.noteMember(holder, uid, member !== undefined);
    else this.#parts.truth.noteMember(holder, uid, member);
  }

  settleJoins(place: Port | HostPort, count: number): void {
    if (this.#inbound.settleJoins(place, count)) this.wake();
  }

  /** A worker's connection, or another host, has taken something. */
  noteTaken(): void {
    if (this.#inbound.isAnyWaiting) this.wake();
  }
}

type LinkMessage = { readonly router: RouterToRouter } | { readonly bus: BusMessage };

/** Undefined for what is of a later version. @throws FrameError for bytes that are none */
function readLinkMessage(payload: Buffer): LinkMessage | undefined {
  const bus = decodeBusMessage(payload);
  if (bus !== undefined) return { bus };
  const router = decodeRouterToRouter(payload, 0, payload.length);
  return router === undefined ? undefined : { router };
}
