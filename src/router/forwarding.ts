/**
 * Finds the workers that a frame goes to: who announced the room, whose address the room is, who is about to join it, and
 * who gets everything; never the worker it came from, and nobody twice. Pure.
 */

import { walkCommandRooms } from "../protocol/exchange-frames.js";
import type { readInterestFrame } from "../protocol/interest-frame.js";
import { readRoomKey } from "../protocol/room-key.js";
import type { RoutedView } from "../protocol/routed-frame.js";
import { InterestTable } from "../routing/interest-table.js";
import type { Port } from "./port.js";

/** Length of an address, and of a room key that may be one: the type's byte comes first. */
const addressBytes = 20;
const placeBytes = 6;
const textType = 0x73; // "s"
const hash = 0x23; // "#"

export class Forwarding {
  readonly interest = new InterestTable<Port>();
  readonly #expected = new InterestTable<Port>();
  readonly #portByPlace: ReadonlyMap<string, Port>;
  readonly #hostKey: string;
  readonly #targets: Port[] = [];
  #flooded: Port[] = [];
  #stamp = 0;

  constructor(portByPlace: ReadonlyMap<string, Port>, hostKey: string) {
    this.#portByPlace = portByPlace;
    this.#hostKey = hostKey;
  }

  /** To be called when ports come or go, or change what they want. */
  updateFlooded(): void {
    this.#flooded = [...this.#portByPlace.values()].filter((port) => port.wantsAll);
  }

  /** The list is used again at the next call. @throws FrameError when the rooms do not fit the frame */
  findTargets(view: RoutedView, from: Port): readonly Port[] {
    this.#targets.length = 0;
    const stamp = ++this.#stamp;
    from.stamp = stamp;
    const namespaceKey = view.readNamespaceKey();
    if (view.roomCount === 0) {
      for (const port of this.interest.placesOf(namespaceKey)) this.#add(port, stamp);
    } else {
      let at = view.roomsStart;
      for (let left = view.roomCount; left > 0; left--) {
        const end = view.endOfRoom(at);
        this.#addRoom(view.bytes, at + 2, end, namespaceKey, stamp);
        at = end;
      }
    }
    for (const port of this.#flooded) this.#add(port, stamp);
    return this.#targets;
  }

  #addRoom(bytes: Buffer, start: number, end: number, namespaceKey: string, stamp: number): void {
    const place = readPlace(bytes, start, end);
    if (place?.startsWith(this.#hostKey)) {
      const port = this.#portByPlace.get(place);
      if (port !== undefined) this.#add(port, stamp);
    }
    const roomKey = readRoomKey(bytes, start, end);
    for (const port of this.interest.placesIn(namespaceKey, roomKey)) this.#add(port, stamp);
    if (this.#expected.size > 0) {
      for (const port of this.#expected.placesIn(namespaceKey, roomKey)) this.#add(port, stamp);
    }
  }

  #add(port: Port, stamp: number): void {
    if (port.stamp === stamp) return;
    port.stamp = stamp;
    this.#targets.push(port);
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
   * A `socketsJoin` is on its way to these ports: until each has said what came of it, it may have members of the rooms
   * named, and a message that follows must not miss them.
   */
  expectJoins(view: RoutedView, targets: readonly Port[]): void {
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
      for (const roomKey of roomKeys) this.#expectRoom(port, namespaceKey, roomKey);
    }
  }

  #expectRoom(port: Port, namespaceKey: string, roomKey: string): void {
    // Both may hold any character: the length says where one ends.
    const key = `${namespaceKey.length} ${namespaceKey}${roomKey}`;
    // Anew at the end: the map stays in the order of the commands.
    port.expectedRooms.delete(key);
    port.expectedRooms.set(key, { namespaceKey, roomKey, joinNumber: port.joinsSent });
    this.#expected.addRoom(port, namespaceKey, roomKey);
  }

  /** The worker has carried out that many, and announced what came of them. */
  settleJoins(port: Port, count: number): void {
    for (const [key, { namespaceKey, roomKey, joinNumber }] of port.expectedRooms) {
      if (joinNumber > count) break;
      port.expectedRooms.delete(key);
      this.#expected.removeRoom(port, namespaceKey, roomKey);
    }
  }

  /** It gets everything from now on. */
  forgetRooms(port: Port): void {
    this.interest.removeRooms(port);
    port.roomCount = 0;
  }

  forgetPort(port: Port): void {
    this.interest.removePlace(port);
    this.#expected.removePlace(port);
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
