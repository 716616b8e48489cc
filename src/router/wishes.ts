/** Who wants what, of workers, of hosts, or of regions: rooms announced, rooms that are about to be joined, and who gets everything. Pure. */

import { InterestTable } from "../routing/interest-table.js";
import type { ExpectedRooms } from "./port.js";

/** What is noted of each place here. */
interface WishfulPlace {
  stamp: number;
  joinsSent: number;
  readonly expectedRooms: ExpectedRooms;
  roomCount: number;
}

export class Wishes<Place extends WishfulPlace> {
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
    // To set the length would let go of the memory, for each frame.
    while (this.#targets.length > 0) this.#targets.pop();
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

  /** Its rooms: it begins anew, or is gone. */
  forgetRooms(place: Place): void {
    this.interest.removeRooms(place);
    place.roomCount = 0;
  }

  /** What was expected of it. */
  forgetJoins(place: Place): void {
    this.expected.removePlace(place);
    place.expectedRooms.clear();
  }
}
