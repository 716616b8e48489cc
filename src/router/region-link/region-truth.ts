/** What this host's region has, for other regions: the members and rooms of its own workers and of the other hosts, as one. Pure. */

import type { Forwarding, OwnInterestObserver } from "../forwarding.js";
import { AnnouncementWriter, type HostTruth } from "../host-bus/announcement-writer.js";
import type { HostPort } from "../host-bus/host-port.js";
import type { Holder } from "../members.js";
import type { Port, PortMember } from "../port.js";

export interface RegionTruthParts {
  readonly hosts: ReadonlyMap<string, HostPort>;
  forwarding(): Forwarding;
  listPorts(): Iterable<Port>;
  /** There may be something to announce. */
  wake(): void;
}

export class RegionTruth implements HostTruth {
  readonly writer = new AnnouncementWriter();
  /** To be told what workers want, and what other hosts do. */
  readonly ofWorkers: OwnInterestObserver;
  readonly ofHosts: OwnInterestObserver;
  readonly #parts: RegionTruthParts;
  readonly #maxRooms: number;

  /** @param maxRooms rooms of the region beyond which it gets everything instead */
  constructor(maxRooms: number, parts: RegionTruthParts) {
    this.#maxRooms = maxRooms;
    this.#parts = parts;
    const noteFlooded = (): void => this.#noteFlooded();
    this.ofWorkers = {
      noteRoom: (namespaceKey, roomKey, isWanted) =>
        this.#noteRoom(parts.forwarding().hosts.interest, namespaceKey, roomKey, isWanted),
      noteFlooded,
    };
    this.ofHosts = {
      noteRoom: (namespaceKey, roomKey, isWanted) =>
        this.#noteRoom(parts.forwarding().interest, namespaceKey, roomKey, isWanted),
      noteFlooded,
    };
  }

  get isFlooded(): boolean {
    return this.writer.isFlooded;
  }

  *listMembers(): Generator<readonly [string, PortMember], void, void> {
    for (const port of this.#parts.listPorts()) yield* port.members;
    for (const host of this.#parts.hosts.values()) yield* host.members;
  }

  listStalledPlaces(): Iterable<string> {
    return this.writer.stalledPlaces;
  }

  /** A room of workers here and of another host comes twice, which says nothing new. */
  *listRooms(): Generator<readonly [string, Iterable<string>], void, void> {
    const forwarding = this.#parts.forwarding();
    yield* forwarding.interest.listRooms();
    yield* forwarding.hosts.interest.listRooms();
  }

  noteMember(holder: Holder, uid: string, member: PortMember | undefined): void {
    if (holder.isRegion) return;
    this.writer.noteMember(uid, member);
    this.#parts.wake();
  }

  noteStalled(place: string, isStalled: boolean): void {
    this.writer.notePlace(place, isStalled);
    this.#parts.wake();
  }

  /** The others' interest decides whether it is news. */
  #noteRoom(
    others: { placesIn(namespaceKey: string, roomKey: string): readonly unknown[] },
    namespaceKey: string,
    roomKey: string,
    isWanted: boolean,
  ): void {
    if (others.placesIn(namespaceKey, roomKey).length > 0) return;
    this.writer.noteRoom(namespaceKey, roomKey, isWanted);
    // There may be too many now.
    this.#noteFlooded();
    this.#parts.wake();
  }

  #noteFlooded(): void {
    const forwarding = this.#parts.forwarding();
    const limit = this.writer.isFlooded ? this.#maxRooms / 2 : this.#maxRooms;
    const rooms = forwarding.interest.roomCount + forwarding.hosts.interest.roomCount;
    this.writer.noteFlooded(forwarding.isAnyFlooded || forwarding.hosts.flooded.length > 0 || rooms > limit);
    if (this.writer.hasNews) this.#parts.wake();
  }
}
