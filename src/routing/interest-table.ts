/** Who wants what: which places have members of a room, and which serve a namespace. Pure; places are the caller's objects. */

interface NamespaceInterest<Place> {
  /** Places that serve the namespace, with how many adapters. */
  readonly places: Map<Place, number>;
  /** A list of one place is shared by all rooms that have it alone, and never changed: most rooms are on one place. */
  readonly placesByRoom: Map<string, Place[]>;
}

const nobody: readonly never[] = [];

type RoomObserver = (namespaceKey: string, roomKey: string, isWanted: boolean) => void;

/** Keys are what `readRoomKey` and `readNamespaceKey` give; they are compared, never decoded. */
export class InterestTable<Place> {
  readonly #namespaces = new Map<string, NamespaceInterest<Place>>();
  /** Per place and namespace, the rooms: what to take away when a place goes. */
  readonly #roomsByPlace = new Map<Place, Map<string, Set<string>>>();
  readonly #onRoom: RoomObserver | undefined;
  readonly #listOfOne = new Map<Place, Place[]>();
  #roomEntries = 0;
  #rooms = 0;

  /** @param onRoom is told when a room gets its first place, and when it has lost its last */
  constructor(onRoom?: RoomObserver) {
    this.#onRoom = onRoom;
  }

  /** Rooms that some place has. */
  get roomCount(): number {
    return this.#rooms;
  }

  /** Keys of all rooms, by the key of their namespace. What changes while it is read may be in it or not. */
  *listRooms(): Generator<readonly [string, Iterable<string>], void, void> {
    for (const [namespaceKey, { placesByRoom }] of this.#namespaces) yield [namespaceKey, placesByRoom.keys()];
  }

  /** (place, room) pairs. */
  get size(): number {
    return this.#roomEntries;
  }

  /** Places that serve a namespace. */
  placesOf(namespaceKey: string): Iterable<Place> {
    return this.#namespaces.get(namespaceKey)?.places.keys() ?? nobody;
  }

  /** Places with a member of the room. The list is the table's own: read it, at once. */
  placesIn(namespaceKey: string, roomKey: string): readonly Place[] {
    return this.#namespaces.get(namespaceKey)?.placesByRoom.get(roomKey) ?? nobody;
  }

  addNamespace(place: Place, namespaceKey: string): void {
    const { places } = this.#findNamespace(namespaceKey);
    places.set(place, (places.get(place) ?? 0) + 1);
  }

  removeNamespace(place: Place, namespaceKey: string): void {
    const namespace = this.#namespaces.get(namespaceKey);
    const adapters = namespace?.places.get(place);
    if (namespace === undefined || adapters === undefined) return;
    if (adapters > 1) namespace.places.set(place, adapters - 1);
    else namespace.places.delete(place);
    this.#forgetIfEmpty(namespaceKey, namespace);
  }

  /** Answers whether that is news. */
  addRoom(place: Place, namespaceKey: string, roomKey: string): boolean {
    const rooms = this.#findRooms(place, namespaceKey);
    if (rooms.has(roomKey)) return false;
    rooms.add(roomKey);
    this.#roomEntries++;
    const { placesByRoom } = this.#findNamespace(namespaceKey);
    const places = placesByRoom.get(roomKey);
    if (places !== undefined) {
      if (places.length > 1) places.push(place);
      else placesByRoom.set(roomKey, [...places, place]);
      return true;
    }
    placesByRoom.set(roomKey, this.#listAlone(place));
    this.#rooms++;
    this.#onRoom?.(namespaceKey, roomKey, true);
    return true;
  }

  /** Answers whether that is news. */
  removeRoom(place: Place, namespaceKey: string, roomKey: string): boolean {
    const byNamespace = this.#roomsByPlace.get(place);
    const rooms = byNamespace?.get(namespaceKey);
    if (byNamespace === undefined || rooms === undefined || !rooms.delete(roomKey)) return false;
    if (rooms.size === 0) byNamespace.delete(namespaceKey);
    if (byNamespace.size === 0) this.#roomsByPlace.delete(place);
    this.#removeEntry(place, namespaceKey, roomKey);
    return true;
  }

  /** All rooms of a place; its namespaces stay. */
  removeRooms(place: Place): void {
    for (const [namespaceKey, rooms] of this.#roomsByPlace.get(place) ?? []) {
      for (const roomKey of rooms) this.#removeEntry(place, namespaceKey, roomKey);
    }
    this.#roomsByPlace.delete(place);
  }

  /** All that is known of a place. */
  removePlace(place: Place): void {
    this.removeRooms(place);
    for (const [namespaceKey, namespace] of this.#namespaces) {
      if (namespace.places.delete(place)) this.#forgetIfEmpty(namespaceKey, namespace);
    }
    this.#listOfOne.delete(place);
  }

  #removeEntry(place: Place, namespaceKey: string, roomKey: string): void {
    this.#roomEntries--;
    const namespace = this.#namespaces.get(namespaceKey);
    const places = namespace?.placesByRoom.get(roomKey);
    if (namespace === undefined || places === undefined) return;
    if (places.length > 1) {
      const others = places.filter((other) => other !== place);
      const [only] = others;
      namespace.placesByRoom.set(roomKey, others.length === 1 && only !== undefined ? this.#listAlone(only) : others);
      return;
    }
    namespace.placesByRoom.delete(roomKey);
    this.#rooms--;
    this.#onRoom?.(namespaceKey, roomKey, false);
    this.#forgetIfEmpty(namespaceKey, namespace);
  }

  #listAlone(place: Place): Place[] {
    let list = this.#listOfOne.get(place);
    if (list === undefined) {
      list = [place];
      this.#listOfOne.set(place, list);
    }
    return list;
  }

  #findNamespace(namespaceKey: string): NamespaceInterest<Place> {
    let namespace = this.#namespaces.get(namespaceKey);
    if (namespace === undefined) {
      namespace = { places: new Map(), placesByRoom: new Map() };
      this.#namespaces.set(namespaceKey, namespace);
    }
    return namespace;
  }

  #findRooms(place: Place, namespaceKey: string): Set<string> {
    let byNamespace = this.#roomsByPlace.get(place);
    if (byNamespace === undefined) {
      byNamespace = new Map();
      this.#roomsByPlace.set(place, byNamespace);
    }
    let rooms = byNamespace.get(namespaceKey);
    if (rooms === undefined) {
      rooms = new Set();
      byNamespace.set(namespaceKey, rooms);
    }
    return rooms;
  }

  #forgetIfEmpty(namespaceKey: string, namespace: NamespaceInterest<Place>): void {
    if (namespace.places.size === 0 && namespace.placesByRoom.size === 0) this.#namespaces.delete(namespaceKey);
  }
}
