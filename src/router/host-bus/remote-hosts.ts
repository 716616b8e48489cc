/**
 * The other hosts that there are, and what becomes of each: a session and a view when it comes, new ones when its router is
 * another, nobody waiting when it cannot be reached, nothing kept when it is gone. Pure.
 */

import { LinkSession, type LinkSettings } from "../../link/link-session.js";
import { isRegionalFrame } from "../../protocol/regional-frame.js";
import type { RouterToRouter } from "../../protocol/router-frames.js";
import type { RouterToWorker } from "../../protocol/worker-port-frames.js";
import type { Forwarding } from "../forwarding.js";
import type { Members } from "../members.js";
import type { BusCounters, BusNote } from "./bus-effects.js";
import { HostFacts } from "./host-facts.js";
import type { HostChange, RemoteHost } from "./host-list.js";
import { HostPort } from "./host-port.js";

export interface RemoteHostsSettings {
  /** Of this router. */
  readonly incarnation: string;
  readonly link: Omit<LinkSettings, "incarnation" | "peerIncarnation">;
  readonly maxRooms: number;
  readonly firstSnapshotId: number;
}

export interface RemoteHostsParts {
  readonly forwarding: Forwarding;
  readonly members: Members;
  /** Filled here: the hosts that frames can go to. */
  readonly hosts: Map<string, HostPort>;
  readonly counters: BusCounters;
  readonly isUp: () => boolean;
  readonly note: (note: BusNote) => void;
  /** A frame has come of its session. */
  takeFrame(host: HostPort, frame: Buffer): void;
  tellHost(host: HostPort, message: RouterToRouter, nowMs: number): void;
  tellWorkers(message: RouterToWorker): void;
  /** A worker of another host does not answer. */
  noteStalled(place: string): void;
  /** A host has carried out joins; one that is gone, all. */
  settleJoins(host: HostPort, count: number): void;
  /** Other hosts have given up frames for this one. */
  noteMissed(frames: number): void;
  /** Hosts need not be waited for. */
  releaseInterest(): void;
  /** What it has asked for, nobody waits for any more. */
  forgetHost(hostKey: string): void;
}

/** What has changed with one host. */
export type RemoteHostChange = Extract<HostChange, { readonly host: RemoteHost }>;

export class RemoteHosts {
  readonly #settings: RemoteHostsSettings;
  readonly #parts: RemoteHostsParts;
  readonly #facts: HostFacts<HostPort>;
  /** Those who are gone and may come back as well. */
  readonly #byIncarnation = new Map<string, HostPort>();

  constructor(settings: RemoteHostsSettings, parts: RemoteHostsParts) {
    const { forwarding, members, note, tellWorkers } = parts;
    this.#settings = settings;
    this.#parts = parts;
    const noteStalled = (place: string): void => {
      tellWorkers({ type: "place-stalled", place });
      parts.noteStalled(place);
    };
    this.#facts = new HostFacts(
      {
        wishes: forwarding.hosts,
        members,
        maxRooms: settings.maxRooms,
        updateFlooded: () => forwarding.updateFloodedHosts(),
        noteFlooded: ({ hostKey, name }) => note({ type: "host-flooded", hostKey, name }),
        noteStalled,
      },
      settings.firstSnapshotId,
    );
  }

  all(): Iterable<HostPort> {
    return this.#byIncarnation.values();
  }

  find(incarnation: string): HostPort | undefined {
    return this.#byIncarnation.get(incarnation);
  }

  apply(change: RemoteHostChange, nowMs: number): void {
    const host = this.#byIncarnation.get(change.host.incarnation);
    switch (change.type) {
      case "up":
        this.#add(change.host, nowMs);
        break;
      case "restarted":
        this.#restart(change.host, change.formerIncarnation, nowMs);
        break;
      case "unreachable":
        if (host !== undefined) this.#noteUnreachable(host);
        break;
      case "back":
        if (host !== undefined) this.#noteBack(host, change.wasGone, nowMs);
        break;
      case "gone":
        if (host !== undefined) this.#noteGone(host);
        break;
      case "left":
        if (host !== undefined) this.#remove(host);
    }
  }

  #add(found: RemoteHost, nowMs: number): void {
    const host: HostPort = new HostPort(
      found,
      this.#createSession(found.incarnation, () => host),
      this.#facts.createView(found.hostKey, () => host),
    );
    host.session.noteCarrier(this.#parts.isUp(), nowMs);
    host.toldTaken = -1;
    this.#parts.hosts.set(host.hostKey, host);
    this.#byIncarnation.set(host.incarnation, host);
    this.#parts.forwarding.updateFloodedHosts();
    this.#parts.note({ type: "host-up", hostKey: host.hostKey, name: host.name });
  }

  #createSession(peerIncarnation: string, ofHost: () => HostPort): LinkSession {
    const settings = { ...this.#settings.link, incarnation: this.#settings.incarnation, peerIncarnation };
    return new LinkSession(settings, {
      onFrame: (frame) => this.#parts.takeFrame(ofHost(), frame),
      onLost: (frames) => this.noteMissed(ofHost(), frames),
    });
  }

  /** Its router is another process, which knows nothing; its workers are the same. */
  #restart(found: RemoteHost, formerIncarnation: string, nowMs: number): void {
    const host = this.#byIncarnation.get(formerIncarnation);
    if (host === undefined) {
      this.#add(found, nowMs);
      return;
    }
    this.#byIncarnation.delete(formerIncarnation);
    this.#parts.forgetHost(host.hostKey);
    const former = host.session;
    host.incarnation = found.incarnation;
    this.#byIncarnation.set(host.incarnation, host);
    host.session = this.#createSession(host.incarnation, () => host);
    host.session.noteCarrier(this.#parts.isUp(), nowMs);
    const uncertain = former.moveTo(host.session, isRegionalFrame);
    this.#parts.counters.uncertainFrames += uncertain;
    host.givenUpSeen = 0;
    host.lostSeen = 0;
    host.isLosing = false;
    this.#forgetAnnounced(host);
    host.joins.clear();
    const { hostKey, name } = host;
    this.#parts.note({ type: "host-restarted", hostKey, name, uncertain });
    // Of commands that were not sent to the former, this one is to say what comes of them.
    this.#markJoins(host, nowMs);
    // What it was asked, or answered, may be gone with it.
    this.#parts.tellWorkers({ type: "host-unreachable", hostKey });
  }

  /** What is known of it does not hold any more. Its members stay until it has said who they are. */
  #forgetAnnounced(host: HostPort): void {
    const { forwarding } = this.#parts;
    forwarding.hosts.forgetRooms(host);
    host.view = this.#facts.createView(host.hostKey, () => host);
    host.takenSequence = 0;
    host.toldTaken = -1;
    host.settled = [];
    forwarding.updateFloodedHosts();
    this.#parts.releaseInterest();
  }

  #noteUnreachable(host: HostPort): void {
    const { hostKey, name } = host;
    host.isReachable = false;
    host.isCurrent = false;
    this.#parts.forwarding.updateFloodedHosts();
    this.#parts.tellWorkers({ type: "host-unreachable", hostKey });
    this.#parts.releaseInterest();
    this.#parts.note({ type: "host-unreachable", hostKey, name });
  }

  #noteBack(host: HostPort, wasGone: boolean, nowMs: number): void {
    const { hostKey, name } = host;
    host.isReachable = true;
    if (wasGone) {
      this.#parts.hosts.set(hostKey, host);
      this.#forgetAnnounced(host);
      host.joins.tellAgain();
      // What was not kept for it, because it was gone, is not counted either.
      this.#parts.tellHost(host, { type: "missed" }, nowMs);
    }
    this.#parts.forwarding.updateFloodedHosts();
    this.#parts.note({ type: "host-back", hostKey, name });
  }

  #noteGone(host: HostPort): void {
    const { hostKey, name } = host;
    const before = host.session.givenUp;
    const givenUp = host.session.giveUpAll();
    this.#parts.counters.givenUpFrames += host.session.givenUp - before;
    host.givenUpSeen = host.session.givenUp;
    this.#release(host);
    this.#parts.note({ type: "host-gone", hostKey, name, givenUp });
  }

  #remove(host: HostPort): void {
    const { hostKey, name } = host;
    this.#release(host);
    this.#byIncarnation.delete(host.incarnation);
    this.#parts.note({ type: "host-left", hostKey, name });
  }

  /** Its interest and its members; whoever waits for it waits no more. */
  #release(host: HostPort): void {
    const { forwarding, hosts } = this.#parts;
    // A new run of the host may have its place already.
    if (hosts.get(host.hostKey) === host) hosts.delete(host.hostKey);
    this.#facts.forget(host);
    this.#parts.settleJoins(host, Number.POSITIVE_INFINITY);
    forwarding.updateFloodedHosts();
    this.#parts.forgetHost(host.hostKey);
    this.#parts.tellWorkers({ type: "host-unreachable", hostKey: host.hostKey });
    this.#parts.releaseInterest();
  }

  /** Without the bus nobody hears anybody: no answers are waited for, though no verdict is given. */
  noteOutage(): void {
    for (const host of this.#parts.hosts.values()) {
      if (!host.isReachable) continue;
      host.isReachable = false;
      this.#parts.tellWorkers({ type: "host-unreachable", hostKey: host.hostKey });
    }
    this.#parts.forwarding.updateFloodedHosts();
    this.#parts.releaseInterest();
  }

  /** What it says of joins holds when the announcements that it names have come. */
  settle(host: HostPort): void {
    for (let next = host.settled[0]; next !== undefined && next.head <= host.view.sequence; next = host.settled[0]) {
      this.#parts.settleJoins(host, next.number);
      host.settled.shift();
    }
  }

  noteMissed(host: HostPort, frames: number | undefined): void {
    const { hostKey, name } = host;
    this.#parts.counters.missedFrames += frames ?? 0;
    this.#parts.note({ type: "missed-of-host", hostKey, name, frames });
    this.#parts.noteMissed(frames ?? 0);
  }

  /** It is to say what came of all commands that made sockets join there. */
  #markJoins(host: HostPort, nowMs: number): void {
    if (host.expectedRooms.size > 0) this.#parts.tellHost(host, { type: "join-mark", number: host.joinsSent }, nowMs);
  }

  /** Counts what the session has given up, and tells of it once for each time that it begins. */
  watchLoss(host: HostPort, nowMs: number): void {
    const { session, hostKey, name } = host;
    this.#parts.counters.lostFrames += session.lost - host.lostSeen;
    host.lostSeen = session.lost;
    if (session.givenUp > host.givenUpSeen) {
      this.#parts.counters.givenUpFrames += session.givenUp - host.givenUpSeen;
      host.givenUpSeen = session.givenUp;
      if (!host.isLosing) this.#parts.note({ type: "host-overflowed", hostKey, name });
      host.isLosing = true;
      return;
    }
    if (!host.isLosing || !session.isSettled) return;
    host.isLosing = false;
    // Their words on joins may be among what was lost.
    host.joins.tellAgain();
    this.#markJoins(host, nowMs);
    this.#parts.note({ type: "host-recovered", hostKey, name, lost: session.lost });
  }
}
