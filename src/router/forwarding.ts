/**
 * Finds the workers, and of frames of own workers the other hosts, that a frame goes to: who announced the room, whose address
 * the room is, who is about to join it, and who gets everything; never where it came from, and nobody twice. Pure.
 */

import { walkCommandRooms } from "../protocol/exchange-frames.js";
import type { readInterestFrame } from "../protocol/interest-frame.js";
import { readRoomKey } from "../protocol/room-key.js";
import type { RoutedView } from "../protocol/routed-frame.js";
import { InterestTable } from "../routing/interest-table.js";
import type { HostPort } from "./host-bus/host-port.js";
import type { ExpectedRooms, Port } from "./port.js";

/** Length of an address, and of a room key that may be one: the type's byte comes first. */
const addressBytes = 20;
const placeBytes = 6;
const hostKeyBytes = 4;
const textType = 0x73; // "s"
const hash = 0x23; // "#"

/** Who wants what, of workers or of hosts. */
class Wishes<Place extends Port | HostPort> {
  readonly interest: InterestTable<Place>;
  /** Rooms of `socketsJoin` commands that are on their way there. */
  readonly expected = new InterestTable<Place>();
  readonly #targets: Place[] = [];
  flooded: readonly Place[] = [];
  #stamp = 0;

  constructor(onRoom?: (namespaceKey: string, roomKey: string, isWanted: boolean) => void) {
    this.interest = new InterestTable<Place>(onRoom);
  }

  /** Found since `begin`; the list is used again. */
  get targets(): readonly Place[] {
    return this.#targets;
  }

  begin(stamp: number): void {
    this.#targets.length = 0;
    this.#stamp = stamp;
  }

  add(place: Place | undefined): void {
    if (place === undefined || place.stamp === this.#stamp) return;
    place.stamp = this.#stamp;
    this.#targets.push(place);
  }

  addAll(places: Iterable<Place>): void {
    for (const place of places) this.add(place);
  }

  addRoom(namespaceKey: string, roomKey: string): void {
    for (const place of this.interest.placesIn(namespaceKey, roomKey)) this.add(place);
    if (this.expected.size === 0) return;
    for (const place of this.expected.placesIn(namespaceKey, roomKey)) this.add(place);
  }

  expectRoom(place: Place, namespaceKey: string, roomKey: string): void {
    // Both may hold any character: the length says where one ends.
    const key = `${namespaceKey.length} ${namespaceKey}${roomKey}`;
    const rooms: ExpectedRooms = place.expectedRooms;
    // Anew at the end: the map stays in the order of the commands.
    rooms.delete(key);
    rooms.set(key, { namespaceKey, roomKey, joinNumber: place.joinsSent });
    this.expected.addRoom(place, namespaceKey, roomKey);
  }

  /** It has carried out that many commands, and announced what came of them. */
  settle(place: Place, count: number): void {
    for (const [key, { namespaceKey, roomKey, joinNumber }] of place.expectedRooms) {
      if (joinNumber > count) break;
      place.expectedRooms.delete(key);
      this.expected.removeRoom(place, namespaceKey, roomKey);
    }
  }
}

/** Is told what this host wants as a whole. */
export interface OwnInterestObserver {
  /** The first worker of this host wants a room, or the last does not any more. */
  noteRoom(namespaceKey: string, roomKey: string, isWanted: boolean): void;
  /** Whether some worker gets everything may have changed. */
  noteFlooded(): void;
}

export class Forwarding {
  readonly #observer: OwnInterestObserver | undefined;
  readonly #workers: Wishes<Port>;
  readonly #hosts = new Wishes<HostPort>();
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
  ) {
    this.#observer = observer;
    this.#portByPlace = portByPlace;
    this.#hostByKey = hostByKey;
    this.#hostKey = hostKey;
    this.#workers = new Wishes(observer?.noteRoom.bind(observer));
  }

  /** Of this host's workers. */
  get interest(): InterestTable<Port> {
    return this.#workers.interest;
  }

  get hostInterest(): InterestTable<HostPort> {
    return this.#hosts.interest;
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
    this.#hosts.flooded = [...this.#hostByKey.values()].filter((host) => host.wantsAll);
  }

  /** Of the last `findTargets`, if the frame was of an own worker. The list is used again at the next call. */
  get targetHosts(): readonly HostPort[] {
    return this.#hosts.targets;
  }

  /**
   * Workers that get a frame. The list is used again at the next call.
   * @param from undefined: it came from another host, which gives it to the others itself
   * @throws FrameError when the rooms do not fit the frame
   */
  findTargets(view: RoutedView, from: Port | undefined): readonly Port[] {
    const workers = this.#workers;
    const hosts = this.#hosts;
    const stamp = ++this.#stamp;
    workers.begin(stamp);
    hosts.begin(stamp);
    if (from !== undefined) from.stamp = stamp;
    const toHosts = from !== undefined && this.#hostByKey.size > 0;
    const namespaceKey = view.readNamespaceKey();
    if (view.roomCount === 0) {
      workers.addAll(workers.interest.placesOf(namespaceKey));
      if (toHosts) hosts.addAll(hosts.interest.placesOf(namespaceKey));
    } else {
      let at = view.roomsStart;
      for (let left = view.roomCount; left > 0; left--) {
        const end = view.endOfRoom(at);
        this.#addRoom(view.bytes, at + 2, end, namespaceKey, toHosts);
        at = end;
      }
    }
    workers.addAll(workers.flooded);
    if (this.#expectingAny.size > 0) workers.addAll(this.#expectingAny);
    if (toHosts) hosts.addAll(hosts.flooded);
    return workers.targets;
  }

  #addRoom(bytes: Buffer, start: number, end: number, namespaceKey: string, toHosts: boolean): void {
    const place = readPlace(bytes, start, end);
    if (place?.startsWith(this.#hostKey)) this.#workers.add(this.#portByPlace.get(place));
    else if (place !== undefined && toHosts) this.#hosts.add(this.#hostByKey.get(place.slice(0, hostKeyBytes)));
    const roomKey = readRoomKey(bytes, start, end);
    this.#workers.addRoom(namespaceKey, roomKey);
    if (toHosts) this.#hosts.addRoom(namespaceKey, roomKey);
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
  expectJoins(view: RoutedView, targets: readonly Port[], hosts: readonly HostPort[] = []): void {
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
      for (const roomKey of roomKeys) this.#hosts.expectRoom(host, namespaceKey, roomKey);
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
    this.#hosts.settle(host, count);
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

  /** Its rooms, and what was expected of it: it begins anew, or is gone. */
  forgetHostRooms(host: HostPort): void {
    this.hostInterest.removeRooms(host);
    host.roomCount = 0;
  }

  forgetHostJoins(host: HostPort): void {
    this.#hosts.expected.removePlace(host);
    host.expectedRooms.clear();
  }
}

/** The place that a room's name gives as an address: an address itself, or `namespace#address` (Engine.IO 3 clients). */
function readPlace(bytes: Buffer, start: number, end: number): string | undefined {
  const at = end - addressBytes;
  if (bytes[start] !== textType || at <= start) return undefined;
  if (at !== start + 1 && bytes[at - 1] !== hash) return undefined;
  return bytes.toString("latin1", at, at + placeBytes);
}
