/**
 * Finds the workers, hosts and regions that a frame goes to: who announced the room, whose address the room is, who is about to
 * join it, and who gets everything; never where it came from, and nobody twice. Pure.
 *
 * | from \\ to | workers of this host | hosts of this region | other regions |
 * |---|---|---|---|
 * | own worker | if interested | if interested | if interested |
 * | host of this region | if interested | never | never |
 * | another region | if interested | if interested | never |
 */

import { walkCommandRooms } from "../protocol/exchange-frames.js";
import { frameFlags } from "../protocol/frame.js";
import type { readInterestFrame } from "../protocol/interest-frame.js";
import { readRoomKey } from "../protocol/room-key.js";
import type { RoutedView } from "../protocol/routed-frame.js";
import type { InterestTable } from "../routing/interest-table.js";
import type { HostPort } from "./host-bus/host-port.js";
import type { Port } from "./port.js";
import type { RegionPort } from "./region-link/region-port.js";
import { Wishes } from "./wishes.js";

/** Length of an address, and of a room key that may be one: the type's byte comes first. */
const addressBytes = 20;
const placeBytes = 6;
const hostKeyBytes = 4;
const textType = 0x73; // "s"
const hash = 0x23; // "#"
const nobody: readonly never[] = [];

/** Is told what this host wants as a whole. */
export interface OwnInterestObserver {
  /** The first worker of this host wants a room, or the last does not any more. */
  noteRoom(namespaceKey: string, roomKey: string, isWanted: boolean): void;
  /** Whether some worker gets everything may have changed. */
  noteFlooded(): void;
}

/** Where a frame may come from. */
export type FrameSource =
  | Port
  /** A host of this region, which gives it to the others itself; or an emitter, which all hosts hear. */
  | "host"
  /** An emitter, by the host that gives it to other regions. */
  | "emitter"
  | "region";

/** Other regions, for a router that has links to some. */
export interface RegionTargets {
  readonly wishes: Wishes<RegionPort>;
  /** By the host keys of their workers, as far as those are known. */
  readonly byHostKey: ReadonlyMap<string, RegionPort>;
}

export class Forwarding {
  readonly #observer: OwnInterestObserver | undefined;
  readonly #hostObserver: OwnInterestObserver | undefined;
  readonly #workers: Wishes<Port>;
  /** Other hosts of the region. */
  readonly hosts: Wishes<HostPort>;
  readonly #regions: RegionTargets | undefined;
  readonly #portByPlace: ReadonlyMap<string, Port>;
  readonly #hostByKey: ReadonlyMap<string, HostPort>;
  readonly #hostKey: string;
  /** Workers that carry out a command whose rooms are not known here. */
  readonly #expectingAny = new Set<Port>();
  #stamp = 0;

  constructor(
    portByPlace: ReadonlyMap<string, Port>,
    hostKey: string,
    hostByKey: ReadonlyMap<string, HostPort> = new Map(),
    observer?: OwnInterestObserver,
    regions?: RegionTargets,
    hostObserver?: OwnInterestObserver,
  ) {
    this.#observer = observer;
    this.#portByPlace = portByPlace;
    this.#hostByKey = hostByKey;
    this.#hostKey = hostKey;
    this.#regions = regions;
    this.#hostObserver = hostObserver;
    this.#workers = new Wishes(observer?.noteRoom.bind(observer));
    this.hosts = new Wishes(hostObserver?.noteRoom.bind(hostObserver));
  }

  /** Of this host's workers. */
  get interest(): InterestTable<Port> {
    return this.#workers.interest;
  }

  /** Some worker serves the namespace, or may: it has not said yet what it has. */
  isServed(namespaceKey: string): boolean {
    for (const _port of this.#workers.interest.placesOf(namespaceKey)) return true;
    return this.isAnyFlooded;
  }

  /** Some worker gets everything, and this host has to. */
  get isAnyFlooded(): boolean {
    return this.#workers.flooded.length > 0;
  }

  /** To be called when ports come or go, or change what they want. */
  updateFlooded(): void {
    this.#workers.flooded = [...this.#portByPlace.values()].filter((port) => port.wantsAll);
    this.#observer?.noteFlooded();
  }

  /** The same of hosts. */
  updateFloodedHosts(): void {
    this.hosts.flooded = [...this.#hostByKey.values()].filter((host) => host.wantsAll);
    this.#hostObserver?.noteFlooded();
  }

  /** Of the last `findTargets`; the list is used again at the next call. */
  get targetWorkers(): readonly Port[] {
    return this.#workers.targets;
  }

  /** Of the last `findTargets`, if the frame goes to hosts at all. The list is used again at the next call. */
  get targetHosts(): readonly HostPort[] {
    return this.hosts.targets;
  }

  /** The same of regions. */
  get targetRegions(): readonly RegionPort[] {
    return this.#regions?.wishes.targets ?? nobody;
  }

  /**
   * Workers that get a frame. The list is used again at the next call.
   * @throws FrameError when the rooms do not fit the frame
   */
  findTargets(view: RoutedView, from: FrameSource): readonly Port[] {
    const workers = this.#workers;
    const { hosts } = this;
    const stamp = ++this.#stamp;
    workers.begin(stamp);
    hosts.begin(stamp);
    if (typeof from === "object") from.stamp = stamp;
    const toHosts =
      from !== "host" && from !== "emitter" && this.#hostByKey.size > 0 && (view.flags & frameFlags.hostOnly) === 0;
    const regions = this.#beginRegions(view, typeof from === "object" || from === "emitter", stamp);
    const namespaceKey = view.readNamespaceKey();
    if (view.roomCount === 0) {
      workers.addAll(workers.interest.placesOf(namespaceKey));
      if (toHosts) hosts.addAll(hosts.interest.placesOf(namespaceKey));
      regions?.wishes.addAll(regions.wishes.interest.placesOf(namespaceKey));
    } else {
      let at = view.roomsStart;
      for (let left = view.roomCount; left > 0; left--) {
        const end = view.endOfRoom(at);
        this.#addRoom(view.bytes, at + 2, end, namespaceKey, toHosts, regions);
        at = end;
      }
    }
    workers.addAll(workers.flooded);
    if (this.#expectingAny.size > 0) workers.addAll(this.#expectingAny);
    if (toHosts) hosts.addAll(hosts.flooded);
    regions?.wishes.addAll(regions.wishes.flooded);
    return workers.targets;
  }

  /** Undefined for a frame that does not go to regions. */
  #beginRegions(view: RoutedView, isOwn: boolean, stamp: number): RegionTargets | undefined {
    if (this.#regions === undefined) return undefined;
    this.#regions.wishes.begin(stamp);
    const isWithin = !isOwn || (view.flags & (frameFlags.hostOnly | frameFlags.regionOnly)) !== 0;
    return isWithin ? undefined : this.#regions;
  }

  #addRoom(
    bytes: Buffer,
    start: number,
    end: number,
    namespaceKey: string,
    toHosts: boolean,
    regions: RegionTargets | undefined,
  ): void {
    const place = readPlace(bytes, start, end);
    if (place?.startsWith(this.#hostKey)) this.#workers.add(this.#portByPlace.get(place));
    else if (place !== undefined && toHosts) this.hosts.add(this.#hostByKey.get(place.slice(0, hostKeyBytes)));
    if (place !== undefined) regions?.wishes.add(regions.byHostKey.get(place.slice(0, hostKeyBytes)));
    const roomKey = readRoomKey(bytes, start, end);
    this.#workers.addRoom(namespaceKey, roomKey);
    if (toHosts) this.hosts.addRoom(namespaceKey, roomKey);
    regions?.wishes.addRoom(namespaceKey, roomKey);
  }

  /** Takes an announcement; answers its sequence. @throws FrameError when it is none */
  takeInterest(port: Port, bytes: Buffer, start: number, end: number, read: typeof readInterestFrame): number {
    let namespaceKey = "";
    return read(
      bytes,
      start,
      end,
      (key) => {
        namespaceKey = key;
      },
      (roomKey, isJoined) => {
        if (isJoined) {
          if (this.interest.addRoom(port, namespaceKey, roomKey)) port.roomCount++;
        } else if (this.interest.removeRoom(port, namespaceKey, roomKey)) {
          port.roomCount--;
        }
      },
    );
  }

  /**
   * A `socketsJoin` is on its way to these: until each has said what came of it, it may have members of the rooms named, and
   * a message that follows must not miss them.
   */
  expectJoins(
    view: RoutedView,
    targets: readonly Port[],
    hosts: readonly HostPort[] = nobody,
    regions: readonly RegionPort[] = nobody,
  ): void {
    const namespaceKey = view.readNamespaceKey();
    const roomKeys: string[] = [];
    // All of them first: a command that is none must not be counted.
    walkCommandRooms(view.bytes, view.bodyStart, view.end, (start, end) => {
      roomKeys.push(readRoomKey(view.bytes, start, end));
    });
    for (const port of targets) {
      // It does not get this command, nor any that follows, until it has been told of its loss.
      if (port.outbox.untoldLoss > 0) continue;
      port.joinsSent++;
      for (const roomKey of roomKeys) this.#workers.expectRoom(port, namespaceKey, roomKey);
    }
    for (const host of hosts) {
      host.joinsSent++;
      for (const roomKey of roomKeys) this.hosts.expectRoom(host, namespaceKey, roomKey);
    }
    for (const region of regions) {
      // It does not get this command, and says what it has when it is back.
      if (region.isGone) continue;
      region.joinsSent++;
      for (const roomKey of roomKeys) this.#regions?.wishes.expectRoom(region, namespaceKey, roomKey);
    }
  }

  /** The same for a command whose rooms are not read here. */
  expectAnyJoin(targets: readonly Port[]): void {
    for (const port of targets) {
      if (port.outbox.untoldLoss > 0) continue;
      port.joinsSent++;
      port.anyRoomExpected = port.joinsSent;
      this.#expectingAny.add(port);
    }
  }

  /** The worker has carried out that many, and announced what came of them. */
  settleJoins(port: Port, count: number): void {
    this.#workers.settle(port, count);
    if (port.anyRoomExpected <= count) this.#expectingAny.delete(port);
  }

  settleHostJoins(host: HostPort, count: number): void {
    this.hosts.settle(host, count);
  }

  /** It gets everything from now on. */
  forgetRooms(port: Port): void {
    this.interest.removeRooms(port);
    port.roomCount = 0;
  }

  forgetPort(port: Port): void {
    this.interest.removePlace(port);
    this.#workers.expected.removePlace(port);
    this.#expectingAny.delete(port);
    this.updateFlooded();
  }
}

/** The place that a room's name gives as an address: an address itself, or `namespace#address` (Engine.IO 3 clients). */
function readPlace(bytes: Buffer, start: number, end: number): string | undefined {
  const at = end - addressBytes;
  if (bytes[start] !== textType || at <= start) return undefined;
  if (at !== start + 1 && bytes[at - 1] !== hash) return undefined;
  return bytes.toString("latin1", at, at + placeBytes);
}
