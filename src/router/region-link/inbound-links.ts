/**
 * The links that hosts of other regions have to this one: takes what they send, acknowledges it when it has been passed on, and
 * says what this region has. What it knows of a sender outlives the link, for as long as the sender would resend. Pure.
 */

import { LinkSession, type LinkSettings } from "../../link/link-session.js";
import type { BusMessage, WantSnapshot } from "../../protocol/bus-messages.js";
import { FrameError } from "../../protocol/frame.js";
import type { Datagram } from "../../protocol/link-datagram.js";
import { decodeRouterToRouter, encodeRouterToRouter, type RouterToRouter } from "../../protocol/router-frames.js";
import type { HostPort } from "../host-bus/host-port.js";
import { JoinsUnderWay } from "../host-bus/joins-under-way.js";
import { SnapshotServer } from "../host-bus/snapshot-server.js";
import type { Port } from "../port.js";
import { AckGate, type IsThere } from "./ack-gate.js";
import type { LinkCounters, LinkNote, LinkPeer } from "./link-effects.js";
import type { RegionTruth } from "./region-truth.js";

export interface InboundSettings {
  /** Of this host. */
  readonly region: string;
  readonly hostKey: string;
  readonly instance: string;
  readonly incarnation: string;
  readonly link: Omit<LinkSettings, "incarnation" | "peerIncarnation">;
}

export interface InboundParts {
  readonly counters: LinkCounters;
  readonly truth: RegionTruth;
  readonly note: (note: LinkNote) => void;
  readonly send: (link: number, payload: Buffer) => void;
  readonly sendMessage: (link: number, message: BusMessage) => void;
  readonly isFull: (link: number) => boolean;
  /** It has a link of its own to that region. */
  readonly canAnswer: (region: string) => boolean;
  readonly isThere: IsThere;
  /** A frame of a worker of another region. */
  readonly takeFrame: (from: InboundLink, frame: Buffer) => void;
  /** What was for this region has been given up. */
  readonly noteMissed: () => void;
  /** What was for these hosts may come to them too late to be taken. */
  readonly noteLate: (hosts: readonly HostPort[]) => void;
}

/** A router of another region that sends here. */
export interface InboundLink {
  readonly peer: LinkPeer;
  /** The peer's, as its frames name it. */
  readonly incarnation: Buffer;
  readonly session: LinkSession;
  readonly gate: AckGate;
  readonly joins: JoinsUnderWay<Port | HostPort>;
  link: number | undefined;
  /** It has said where it goes on; until then nothing it says counts. */
  isResumed: boolean;
  answersTold: boolean | undefined;
  closedMs: number;
  wantedPart: WantSnapshot | undefined;
}

/** Whoever knows the secret can name routers: so many are remembered. */
const maxRemembered = 4_096;

export class InboundLinks {
  readonly #settings: InboundSettings;
  readonly #parts: InboundParts;
  readonly #snapshots: SnapshotServer;
  readonly #byIncarnation = new Map<string, InboundLink>();
  readonly #byLink = new Map<number, InboundLink>();

  constructor(settings: InboundSettings, parts: InboundParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#snapshots = new SnapshotServer(parts.truth);
  }

  find(link: number): InboundLink | undefined {
    return this.#byLink.get(link);
  }

  all(): Iterable<InboundLink> {
    return this.#byLink.values();
  }

  /** Answers the link that this one takes the place of. */
  up(link: number, peer: LinkPeer): number | undefined {
    let inbound = this.#byIncarnation.get(peer.incarnation);
    const former = inbound?.link;
    if (former !== undefined) {
      this.#byLink.delete(former);
      this.#snapshots.forget(String(former));
    }
    inbound ??= this.#create(peer);
    inbound.link = link;
    inbound.isResumed = false;
    inbound.answersTold = undefined;
    inbound.wantedPart = undefined;
    this.#byLink.set(link, inbound);
    const { hostKey, instance, incarnation } = this.#settings;
    const { head } = this.#parts.truth.writer;
    this.#parts.sendMessage(link, { type: "heartbeat", hostKey, instance, incarnation, head, asksTaken: false });
    // What was said of joins may be lost with the former link.
    inbound.joins.tellAgain();
    return former;
  }

  #create(peer: LinkPeer): InboundLink {
    const { region, link } = this.#settings;
    const inbound: InboundLink = {
      peer,
      incarnation: Buffer.from(peer.incarnation),
      session: new LinkSession(
        { ...link, incarnation: region, peerIncarnation: peer.incarnation, isAckHeld: true },
        {
          onFrame: (frame) => this.#takeFrame(inbound, frame),
          onLost: (frames) => this.#noteLost(inbound, frames),
        },
      ),
      gate: new AckGate(),
      joins: new JoinsUnderWay(),
      link: undefined,
      isResumed: false,
      answersTold: undefined,
      closedMs: 0,
      wantedPart: undefined,
    };
    this.#byIncarnation.set(peer.incarnation, inbound);
    if (this.#byIncarnation.size > maxRemembered) this.#forgetOne();
    return inbound;
  }

  /** The one whose link ended first. */
  #forgetOne(): void {
    for (const [incarnation, { link }] of this.#byIncarnation) {
      if (link !== undefined) continue;
      this.#byIncarnation.delete(incarnation);
      return;
    }
  }

  /** Answers whose it was. */
  down(link: number, nowMs: number): InboundLink | undefined {
    const inbound = this.#byLink.get(link);
    if (inbound === undefined) return undefined;
    this.#byLink.delete(link);
    // Anew at the end: those without a link stay in the order in which they lost it.
    this.#byIncarnation.delete(inbound.peer.incarnation);
    this.#byIncarnation.set(inbound.peer.incarnation, inbound);
    inbound.link = undefined;
    inbound.closedMs = nowMs;
    inbound.wantedPart = undefined;
    inbound.session.noteCarrier(false, nowMs);
    this.#snapshots.forget(String(link));
    this.#parts.noteLate(inbound.gate.takeKept(this.#parts.isThere));
    return inbound;
  }

  // Hearing.

  hear(inbound: InboundLink, message: BusMessage): void {
    switch (message.type) {
      case "want-snapshot":
        if (message.to === this.#settings.incarnation) inbound.wantedPart = message;
        break;
      case "hello":
      case "heartbeat":
      case "announcement":
      case "snapshot-part":
      case "taken":
      case "bye":
    }
  }

  hearRouter(inbound: InboundLink, message: RouterToRouter, nowMs: number): void {
    if (message.type !== "link-resume") throw new FrameError("unknown-kind", `${message.type} outside of the session`);
    inbound.session.resume(message.acked, message.lost);
    inbound.gate.seal(message.acked);
    inbound.session.noteCarrier(true, nowMs);
    inbound.isResumed = true;
  }

  /** @throws FrameError for what a link does not say */
  receive(inbound: InboundLink, datagram: Datagram, nowMs: number): void {
    if (!inbound.isResumed) throw new FrameError("bad-value", "a datagram before it is said where it goes on");
    const { session, gate } = inbound;
    session.receive(datagram, nowMs);
    gate.seal(session.taken);
  }

  #takeFrame(inbound: InboundLink, frame: Buffer): void {
    this.#parts.counters.framesIn++;
    const message = decodeRouterToRouter(frame, 0, frame.length);
    switch (message?.type) {
      case undefined:
        this.#parts.takeFrame(inbound, frame);
        break;
      case "join-mark":
        inbound.joins.mark(message.number);
        break;
      case "missed":
        this.#parts.note({ type: "missed-of-region", region: inbound.peer.region, frames: undefined });
        this.#parts.noteMissed();
        break;
      case "joins-done":
      case "link-resume":
      case "link-answers":
        throw new FrameError("unknown-kind", `${message.type} within the session`);
    }
  }

  #noteLost(inbound: InboundLink, frames: number): void {
    this.#parts.counters.missedFrames += frames;
    this.#parts.note({ type: "missed-of-region", region: inbound.peer.region, frames });
    this.#parts.noteMissed();
  }

  // What becomes of it.

  /** A worker, or another host, has carried out joins; an ended one, all. Answers whether there is something to say. */
  settleJoins(place: Port | HostPort, count: number): boolean {
    let hasNews = false;
    for (const inbound of this.#byIncarnation.values()) {
      inbound.joins.settle(place, count);
      hasNews ||= inbound.joins.hasNews;
    }
    return hasNews;
  }

  /** Somebody has taken what came over a link. */
  get isAnyWaiting(): boolean {
    for (const inbound of this.#byLink.values()) if (!inbound.gate.isEmpty) return true;
    return false;
  }

  flush(nowMs: number): void {
    const { truth, send, isFull, isThere, canAnswer } = this.#parts;
    const { hostKey, instance, incarnation } = this.#settings;
    truth.writer.flush(
      () => truth.listRooms(),
      (sequence, frames) => {
        for (const link of this.#byLink.keys()) {
          this.#parts.counters.announcements++;
          this.#parts.sendMessage(link, { type: "announcement", hostKey, instance, incarnation, sequence, frames });
        }
      },
    );
    for (const [link, inbound] of this.#byLink) {
      const { session, gate, joins, peer } = inbound;
      session.settle(gate.advance(isThere), nowMs);
      const isAnswering = canAnswer(peer.region);
      if (inbound.answersTold !== isAnswering) {
        inbound.answersTold = isAnswering;
        send(link, encodeRouterToRouter({ type: "link-answers", isOn: isAnswering }));
      }
      // Announced just now: the head holds what came of the joins.
      if (joins.hasNews) {
        send(link, encodeRouterToRouter({ type: "joins-done", number: joins.takeDone(), head: truth.writer.head }));
      }
      this.#serveSnapshot(link, inbound);
      const datagram = isFull(link) ? undefined : session.take(nowMs);
      if (datagram !== undefined) send(link, datagram);
    }
  }

  #serveSnapshot(link: number, inbound: InboundLink): void {
    const wanted = inbound.wantedPart;
    if (wanted === undefined || this.#parts.isFull(link)) return;
    inbound.wantedPart = undefined;
    const { hostKey, instance, incarnation } = this.#settings;
    const sequence = this.#parts.truth.writer.head;
    for (const part of this.#snapshots.serve(String(link), wanted.snapshotId, wanted.part)) {
      if (part.part === 0) this.#parts.counters.snapshots++;
      this.#parts.sendMessage(link, {
        type: "snapshot-part",
        hostKey,
        instance,
        incarnation,
        to: inbound.peer.incarnation,
        snapshotId: wanted.snapshotId,
        sequence,
        ...part,
      });
    }
  }

  nextDueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const [link, { session }] of this.#byLink) {
      if (!this.#parts.isFull(link)) dueMs = Math.min(dueMs, session.nextDueMs());
    }
    return dueMs;
  }

  /** Who has not come back for so long has given up what it had. */
  tick(nowMs: number): void {
    for (const [incarnation, { link, closedMs }] of this.#byIncarnation) {
      if (link === undefined && nowMs - closedMs >= this.#settings.link.maxAgeMs)
        this.#byIncarnation.delete(incarnation);
    }
  }
}
