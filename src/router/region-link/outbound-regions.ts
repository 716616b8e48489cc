/**
 * The regions that this host links to: what each wants, and what waits for it. A session outlives its links: what a region has
 * not acknowledged is sent again on the next one, to whichever host takes it. Pure.
 */

import { nameRegionKey } from "../../address/region-key.js";
import { LinkSession, type LinkSettings } from "../../link/link-session.js";
import type { BusMessage } from "../../protocol/bus-messages.js";
import { FrameError } from "../../protocol/frame.js";
import type { Datagram } from "../../protocol/link-datagram.js";
import { encodeRouterToRouter, type RouterToRouter } from "../../protocol/router-frames.js";
import type { RouterToWorker } from "../../protocol/worker-port-frames.js";
import { HostFacts } from "../host-bus/host-facts.js";
import type { Members } from "../members.js";
import { LinkAbsence } from "./link-absence.js";
import type { LinkCounters, LinkNote, LinkPeer } from "./link-effects.js";
import { RegionPort, type RegionTable } from "./region-port.js";

export interface OutboundSettings {
  readonly hostKey: string;
  readonly instance: string;
  readonly incarnation: string;
  /** Names of the other regions. */
  readonly regions: readonly string[];
  readonly link: Omit<LinkSettings, "incarnation" | "peerIncarnation">;
  readonly maxRooms: number;
  readonly firstSnapshotId: number;
}

export interface OutboundParts {
  readonly table: RegionTable;
  readonly members: Members;
  readonly counters: LinkCounters;
  readonly note: (note: LinkNote) => void;
  readonly tellWorkers: (message: RouterToWorker) => void;
  readonly send: (link: number, payload: Buffer) => void;
  readonly sendMessage: (link: number, message: BusMessage) => void;
  readonly isFull: (link: number) => boolean;
}

const hostKeyBytes = 4;
/** A worker that has not read a command by then is held to be stalled, and nobody waits for those. */
const carryOutMs = 5_000;
/** What came of joins is announced before it is said that they are done: hardly any waits. */
const maxSettled = 1_000;

export class OutboundRegions {
  readonly #settings: OutboundSettings;
  readonly #parts: OutboundParts;
  readonly #facts: HostFacts<RegionPort>;
  readonly #regionByLink = new Map<number, RegionPort>();

  constructor(settings: OutboundSettings, parts: OutboundParts, nowMs: number) {
    this.#settings = settings;
    this.#parts = parts;
    const { table, members, note, tellWorkers } = parts;
    this.#facts = new HostFacts(
      {
        wishes: table.wishes,
        members,
        maxRooms: settings.maxRooms,
        updateFlooded: () => this.#updateFlooded(),
        noteFlooded: ({ region }) => note({ type: "region-flooded", region }),
        noteStalled: (place) => tellWorkers({ type: "place-stalled", place }),
      },
      settings.firstSnapshotId,
    );
    for (const region of settings.regions) this.#add(region, nowMs);
    this.#updateFlooded();
  }

  #add(region: string, nowMs: number): void {
    const { incarnation, link } = this.#settings;
    const session = new LinkSession(
      { ...link, incarnation, peerIncarnation: region },
      // It sends nothing back but acknowledgements.
      { onFrame: () => {}, onLost: () => {} },
    );
    const port: RegionPort = new RegionPort(
      { region, key: nameRegionKey(region) },
      session,
      this.#facts.createView("", () => port),
      nowMs,
    );
    this.#parts.table.byName.set(region, port);
  }

  #updateFlooded(): void {
    const { table } = this.#parts;
    table.wishes.flooded = [...table.byName.values()].filter((region) => region.wantsAll);
  }

  find(link: number): RegionPort | undefined {
    return this.#regionByLink.get(link);
  }

  all(): Iterable<RegionPort> {
    return this.#parts.table.byName.values();
  }

  /** Members of a region come and go: addresses that begin like theirs lead there. */
  noteMember(region: RegionPort, uid: string, isThere: boolean): void {
    const { byHostKey, byName } = this.#parts.table;
    const hostKey = uid.slice(0, hostKeyBytes);
    const count = (region.membersByHostKey.get(hostKey) ?? 0) + (isThere ? 1 : -1);
    if (count > 0) region.membersByHostKey.set(hostKey, count);
    else region.membersByHostKey.delete(hostKey);
    if (isThere) byHostKey.set(hostKey, region);
    if (count > 0 || byHostKey.get(hostKey) !== region) return;
    // A host that moves to another region may be announced there before it is gone here.
    const other = [...byName.values()].find(({ membersByHostKey }) => membersByHostKey.has(hostKey));
    if (other === undefined) byHostKey.delete(hostKey);
    else byHostKey.set(hostKey, other);
  }

  // The link.

  /** It could not be made. */
  fail(name: string, reason: string): void {
    const absence = this.#parts.table.byName.get(name)?.absence;
    if (absence !== undefined) absence.reason = reason;
    this.#parts.note({ type: "link-failed", region: name, reason });
  }

  up(link: number, { region: name, hostKey, incarnation }: LinkPeer, nowMs: number): void {
    const region = this.#parts.table.byName.get(name);
    if (region === undefined) return;
    const toldSinceMs = region.absence?.isTold === true ? region.absence.sinceMs : undefined;
    const afterMs = toldSinceMs === undefined ? undefined : nowMs - toldSinceMs;
    this.#parts.note({ type: "link-up", isDialled: true, region: name, hostKey, afterMs });
    region.link = { id: link, hostKey, incarnation };
    region.absence = undefined;
    region.isGone = false;
    this.#regionByLink.set(link, region);
    // What is known was said by another host, or is old.
    region.view = this.#facts.createView("", () => region);
    region.settled = [];
    this.#parts.table.wishes.forgetRooms(region);
    this.#updateFlooded();
    const { session } = region;
    session.noteCarrier(true, nowMs);
    this.#say(link, { type: "link-resume", acked: session.acked, lost: session.lost });
    if (region.expectedRooms.size > 0) {
      // Of commands that a former host has acknowledged, this one is to say what came of them. It does not know of those that
      // workers still have to read, its own or another host's: until they must have, messages go there in any case.
      if (region.acceptor !== incarnation) region.settlesFromMs = nowMs + carryOutMs;
      this.#mark(region, nowMs);
    }
    region.acceptor = incarnation;
  }

  /** Answers the region whose link it was. */
  down(link: number, reason: string, nowMs: number): RegionPort | undefined {
    const region = this.#regionByLink.get(link);
    this.#regionByLink.delete(link);
    if (region?.link?.id !== link) return undefined;
    region.link = undefined;
    region.absence = new LinkAbsence(nowMs, reason);
    region.answers = false;
    region.session.noteCarrier(false, nowMs);
    this.#updateFlooded();
    this.#tellUnreachable(region);
    return region;
  }

  /** Nobody waits for its answers. */
  #tellUnreachable(region: RegionPort): void {
    const hostKeys = new Set([region.key]);
    for (const uid of region.members.keys()) hostKeys.add(uid.slice(0, hostKeyBytes));
    for (const hostKey of hostKeys) this.#parts.tellWorkers({ type: "host-unreachable", hostKey });
  }

  // Hearing.

  hear(region: RegionPort, message: BusMessage, nowMs: number): void {
    switch (message.type) {
      case "heartbeat":
        region.view.noteHead(message.head, nowMs);
        break;
      case "announcement":
        region.view.takeAnnouncement(message.sequence, message.frames, nowMs);
        break;
      case "snapshot-part":
        if (message.to === this.#settings.incarnation) region.view.takePart(message, nowMs);
        break;
      case "hello":
      case "bye":
      case "taken":
      case "want-snapshot":
    }
    this.#settle(region, nowMs);
  }

  /** @throws FrameError for what cannot be */
  hearRouter(region: RegionPort, message: RouterToRouter, nowMs: number): void {
    switch (message.type) {
      case "joins-done":
        if (region.settled.length >= maxSettled) {
          throw new FrameError("bad-value", "it says of too many joins that they are done ahead of its announcements");
        }
        region.settled.push(message);
        this.#settle(region, nowMs);
        break;
      case "link-answers":
        if (region.answers && !message.isOn) this.#tellUnreachable(region);
        region.answers = message.isOn;
        break;
      case "join-mark":
      case "missed":
      case "link-resume":
    }
  }

  receive(region: RegionPort, datagram: Datagram, nowMs: number): void {
    region.session.receive(datagram, nowMs);
    this.#watchLoss(region);
  }

  /** What it says of joins holds when the announcements that it names have come. */
  #settle(region: RegionPort, nowMs: number): void {
    for (
      let next = region.settled[0];
      next !== undefined && next.head <= region.view.sequence;
      next = region.settled[0]
    ) {
      region.joinsDone = Math.max(region.joinsDone, next.number);
      region.settled.shift();
    }
    if (nowMs >= region.settlesFromMs) this.#parts.table.wishes.settle(region, region.joinsDone);
  }

  // Sending.

  push(region: RegionPort, frame: Buffer, isVolatile: boolean, nowMs: number): void {
    const { session } = region;
    const { counters } = this.#parts;
    const { droppedVolatile } = session;
    if (region.isGone) {
      if (isVolatile) counters.droppedVolatile++;
      else session.pushLost();
    } else if (session.push(frame, isVolatile, nowMs)) {
      counters.framesOut++;
    }
    counters.droppedVolatile += session.droppedVolatile - droppedVolatile;
    this.#watchLoss(region);
  }

  tell(region: RegionPort, message: RouterToRouter, nowMs: number): void {
    this.push(region, encodeRouterToRouter(message), false, nowMs);
  }

  /** A command that makes sockets join has gone there: it is to say when that is carried out. */
  markJoins(regions: readonly RegionPort[], nowMs: number): void {
    for (const region of regions) if (!region.isGone) this.#mark(region, nowMs);
  }

  #mark(region: RegionPort, nowMs: number): void {
    this.tell(region, { type: "join-mark", number: region.joinsSent }, nowMs);
  }

  #say(link: number, message: RouterToRouter): void {
    this.#parts.send(link, encodeRouterToRouter(message));
  }

  /** Answers whether something waits for the link to take what it has. */
  flush(nowMs: number): void {
    const { hostKey, instance, incarnation } = this.#settings;
    for (const region of this.#parts.table.byName.values()) {
      const { link, view, session } = region;
      if (link === undefined) continue;
      const wanted = view.takeWanted(nowMs);
      if (wanted !== undefined) {
        this.#parts.sendMessage(link.id, {
          type: "want-snapshot",
          hostKey,
          instance,
          incarnation,
          to: link.incarnation,
          ...wanted,
        });
      }
      while (!this.#parts.isFull(link.id)) {
        const datagram = session.take(nowMs);
        if (datagram === undefined) break;
        this.#parts.send(link.id, datagram);
      }
    }
  }

  nextDueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const { session, link, absence } of this.#parts.table.byName.values()) {
      dueMs = Math.min(dueMs, absence?.dueMs ?? dueMs);
      // While the link takes no more, what is due goes when it does.
      if (link === undefined || !this.#parts.isFull(link.id)) dueMs = Math.min(dueMs, session.nextDueMs());
    }
    return dueMs;
  }

  tick(nowMs: number): void {
    for (const region of this.#parts.table.byName.values()) {
      region.view.tick(nowMs);
      region.session.tick(nowMs);
      this.#watchLoss(region);
      if (region.expectedRooms.size > 0) this.#settle(region, nowMs);
      const { absence, region: name } = region;
      if (absence === undefined) continue;
      const { sinceMs, isFromStart, reason } = absence;
      const forMs = nowMs - sinceMs;
      if (absence.takeDue(nowMs))
        this.#parts.note({ type: "region-missing", region: name, isFromStart, forMs, reason });
      if (!region.isGone && forMs >= this.#settings.link.maxAgeMs) this.#giveUp(region);
    }
  }

  /** Its members and rooms are forgotten; what goes there is counted, and not kept. */
  #giveUp(region: RegionPort): void {
    region.isGone = true;
    const givenUp = region.session.giveUpAll();
    this.#facts.forget(region);
    this.#updateFlooded();
    this.#watchLoss(region);
    this.#parts.note({ type: "region-gone", region: region.region, givenUp });
  }

  /** Counts what the session has given up, and tells of it once for each time that it begins. */
  #watchLoss(region: RegionPort): void {
    const { session, region: name } = region;
    const { counters, note } = this.#parts;
    counters.lostFrames += session.lost - region.lostSeen;
    region.lostSeen = session.lost;
    if (session.givenUp > region.givenUpSeen) {
      counters.givenUpFrames += session.givenUp - region.givenUpSeen;
      region.givenUpSeen = session.givenUp;
      if (!region.isLosing) note({ type: "region-overflowed", region: name });
      region.isLosing = true;
      return;
    }
    if (!region.isLosing || region.link === undefined || !session.isSettled) return;
    region.isLosing = false;
    note({ type: "region-recovered", region: name, lost: session.lost });
  }
}
