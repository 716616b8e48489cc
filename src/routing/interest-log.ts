/**
 * What one worker tells its router of its rooms: joins at once, leaves after a cooldown, a snapshot when the connection is
 * new. It remembers what was said and what the router has taken. Pure.
 */

import { InterestFrameWriter } from "../protocol/interest-frame.js";
import { encodeRoom, type RoomName } from "../protocol/room-key.js";

export interface InterestLogSettings {
  /** A room that is left is announced this much later, unless it is joined again: rooms empty and fill all the time. */
  readonly leaveCooldownMs: number;
  /** Rooms beyond which the worker asks for everything instead. */
  readonly maxRooms: number;
}

/** Somebody who waits until the router has taken a join. */
interface Waiter {
  /** Of the frame that says it; undefined until that is sent. */
  sequence: number | undefined;
  readonly deadlineMs: number;
  readonly resolve: () => void;
}

interface NamespaceRooms {
  /** Announced, or about to be: the sequence of the frame that said so, undefined while it is to be sent. */
  readonly sequenceByRoom: Map<RoomName, number | undefined>;
  /** In the order in which they happened. */
  pending: { readonly room: RoomName; readonly isJoined: boolean }[];
  /** Rooms left, with the time to say so; in order of that time. */
  readonly dueMsByLeftRoom: Map<RoomName, number>;
}

/** Where a room is still wanted is asked when a leave is due: what counts is what is true then. */
export type IsRoomWanted = (namespace: string, room: RoomName) => boolean;

export class InterestLog {
  readonly #settings: InterestLogSettings;
  readonly #isWanted: IsRoomWanted;
  readonly #namespaces = new Map<string, NamespaceRooms>();
  #waiters: Waiter[] = [];
  #sentSequence = 0;
  #takenSequence = 0;
  #roomCount = 0;
  #isConnected = false;
  #hasPending = false;
  #isFlooded = false;
  /** Joins that were not acknowledged in time. */
  lateJoins = 0;

  constructor(settings: InterestLogSettings, isWanted: IsRoomWanted) {
    this.#settings = settings;
    this.#isWanted = isWanted;
  }

  get roomCount(): number {
    return this.#roomCount;
  }

  /** Asks for everything, since there are too many rooms to announce. */
  get isFlooded(): boolean {
    return this.#isFlooded;
  }

  /** Whether there is something to say. */
  get hasNews(): boolean {
    return this.#hasPending || this.#waiters.some((waiter) => waiter.sequence === undefined);
  }

  /**
   * A room has a local member. Answers true when the router has taken that; false: `wait` tells when.
   * What cannot be encoded is nobody's room elsewhere, and is not announced.
   */
  join(namespace: string, room: unknown): boolean {
    if (typeof room !== "string" && typeof room !== "number") return true;
    const rooms = this.#findRooms(namespace);
    rooms.dueMsByLeftRoom.delete(room);
    if (rooms.sequenceByRoom.has(room)) {
      const sequence = rooms.sequenceByRoom.get(room);
      return sequence !== undefined && sequence <= this.#takenSequence;
    }
    if (encodeRoom(room) === undefined) return true;
    rooms.sequenceByRoom.set(room, undefined);
    this.#roomCount++;
    this.#note(rooms, room, true);
    return false;
  }

  /** Something to say; while nobody listens, nothing is kept for the telling: the next connection begins with the truth. */
  #note(rooms: NamespaceRooms, room: RoomName, isJoined: boolean): void {
    if (!this.#isConnected) return;
    rooms.pending.push({ room, isJoined });
    this.#hasPending = true;
  }

  /** Calls back when all that has been said so far is taken, or at the deadline. */
  wait(deadlineMs: number, resolve: () => void): void {
    const sequence = this.#hasPending ? undefined : this.#sentSequence;
    this.#waiters.push({ sequence, deadlineMs, resolve });
  }

  /** A room may have lost its last local member. */
  leave(namespace: string, room: unknown, nowMs: number): void {
    if (typeof room !== "string" && typeof room !== "number") return;
    const rooms = this.#namespaces.get(namespace);
    if (rooms === undefined || !rooms.sequenceByRoom.has(room)) return;
    if (rooms.dueMsByLeftRoom.has(room) || this.#isWanted(namespace, room)) return;
    rooms.dueMsByLeftRoom.set(room, nowMs + this.#settings.leaveCooldownMs);
  }

  /** The namespace is served no more: its rooms go at once. */
  removeNamespace(namespace: string): void {
    const rooms = this.#namespaces.get(namespace);
    if (rooms === undefined) return;
    for (const room of rooms.sequenceByRoom.keys()) this.#note(rooms, room, false);
    this.#roomCount -= rooms.sequenceByRoom.size;
    rooms.sequenceByRoom.clear();
    rooms.dueMsByLeftRoom.clear();
    this.#forgetIfEmpty(namespace, rooms);
  }

  #forgetIfEmpty(namespace: string, rooms: NamespaceRooms): void {
    if (rooms.sequenceByRoom.size === 0 && rooms.pending.length === 0) this.#namespaces.delete(namespace);
  }

  /** Leaves that are due, and joins that have waited long enough. */
  tick(nowMs: number): void {
    for (const [namespace, rooms] of this.#namespaces) this.#announceLeaves(namespace, rooms, nowMs);
    const overdue = this.#waiters.filter((waiter) => waiter.deadlineMs <= nowMs);
    if (overdue.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.deadlineMs > nowMs);
    this.lateJoins += overdue.length;
    for (const waiter of overdue) waiter.resolve();
  }

  #announceLeaves(namespace: string, rooms: NamespaceRooms, nowMs: number): void {
    for (const [room, dueMs] of rooms.dueMsByLeftRoom) {
      if (dueMs > nowMs) return;
      rooms.dueMsByLeftRoom.delete(room);
      if (this.#isWanted(namespace, room)) continue;
      rooms.sequenceByRoom.delete(room);
      this.#roomCount--;
      this.#note(rooms, room, false);
      this.#forgetIfEmpty(namespace, rooms);
    }
  }

  /** When `tick` has something to do next. */
  nextDueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const waiter of this.#waiters) dueMs = Math.min(dueMs, waiter.deadlineMs);
    for (const rooms of this.#namespaces.values()) {
      for (const leftMs of rooms.dueMsByLeftRoom.values()) {
        dueMs = Math.min(dueMs, leftMs);
        break;
      }
    }
    return dueMs;
  }

  /**
   * Says what is new, as frames. `setFlooded` is called in between, where the router is to hear of it.
   */
  flush(send: (frame: Buffer) => void, setFlooded: (isOn: boolean) => void): void {
    if (!this.hasNews) return;
    const { maxRooms } = this.#settings;
    if (!this.#isFlooded && this.#roomCount > maxRooms) {
      this.#beginFlood(send, setFlooded);
    } else if (this.#isFlooded && this.#roomCount * 2 <= maxRooms) {
      // The truth first, then the end of the flood: in between is no moment with too little.
      this.#isFlooded = false;
      this.#sendAll(send);
      setFlooded(false);
    }
    if (this.#isFlooded) this.#skipPending();
    else this.#sendPending(send);
    // Those who wait need an acknowledgement even if nothing was left to say.
    if (this.#waiters.some((waiter) => waiter.sequence === undefined)) {
      if (this.#sentSequence === this.#takenSequence) this.#sendMark(send);
      for (const waiter of this.#waiters) waiter.sequence ??= this.#sentSequence;
    }
  }

  /** Whoever waits need not wait any more. */
  release(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.resolve();
  }

  /** The connection is gone. */
  stop(): void {
    this.#isConnected = false;
    for (const [namespace, rooms] of this.#namespaces) {
      rooms.pending = [];
      this.#forgetIfEmpty(namespace, rooms);
    }
    this.#hasPending = false;
  }

  /** Everything that is true, after the connection is new. Nothing that was said before counts. */
  restart(send: (frame: Buffer) => void, setFlooded: (isOn: boolean) => void): void {
    this.stop();
    this.#isConnected = true;
    this.#takenSequence = this.#sentSequence;
    for (const waiter of this.#waiters) waiter.sequence = undefined;
    this.#isFlooded = this.#roomCount > this.#settings.maxRooms;
    if (this.#isFlooded) this.#beginFlood(send, setFlooded);
    else this.#sendAll(send);
    this.flush(send, setFlooded);
  }

  /** From now on everything comes, which the router has taken when it has taken the mark behind that. */
  #beginFlood(send: (frame: Buffer) => void, setFlooded: (isOn: boolean) => void): void {
    this.#isFlooded = true;
    setFlooded(true);
    this.#sendMark(send);
    for (const rooms of this.#namespaces.values()) {
      rooms.pending = [];
      for (const room of rooms.sequenceByRoom.keys()) rooms.sequenceByRoom.set(room, this.#sentSequence);
    }
    this.#hasPending = false;
  }

  /** Says nothing, for the sake of its acknowledgement. */
  #sendMark(send: (frame: Buffer) => void): void {
    send(new InterestFrameWriter(++this.#sentSequence, "").finish());
  }

  /** The router has taken everything up to this sequence. */
  take(sequence: number): void {
    this.#takenSequence = Math.max(this.#takenSequence, Math.min(sequence, this.#sentSequence));
    if (this.#waiters.length === 0) return;
    const isTaken = (waiter: Waiter) => waiter.sequence !== undefined && waiter.sequence <= this.#takenSequence;
    const served = this.#waiters.filter(isTaken);
    this.#waiters = this.#waiters.filter((waiter) => !isTaken(waiter));
    for (const waiter of served) waiter.resolve();
  }

  #findRooms(namespace: string): NamespaceRooms {
    let rooms = this.#namespaces.get(namespace);
    if (rooms === undefined) {
      rooms = { sequenceByRoom: new Map(), pending: [], dueMsByLeftRoom: new Map() };
      this.#namespaces.set(namespace, rooms);
    }
    return rooms;
  }

  #sendAll(send: (frame: Buffer) => void): void {
    for (const [namespace, rooms] of this.#namespaces) {
      const all = [...rooms.sequenceByRoom.keys()].map((room) => ({ room, isJoined: true }));
      rooms.pending = [];
      this.#sendChanges(namespace, rooms, all, send);
    }
    this.#hasPending = false;
  }

  #sendPending(send: (frame: Buffer) => void): void {
    if (!this.#hasPending) return;
    this.#hasPending = false;
    for (const [namespace, rooms] of this.#namespaces) {
      const { pending } = rooms;
      rooms.pending = [];
      this.#sendChanges(namespace, rooms, pending, send);
      this.#forgetIfEmpty(namespace, rooms);
    }
  }

  #skipPending(): void {
    this.#hasPending = false;
    for (const [namespace, rooms] of this.#namespaces) {
      for (const { room } of rooms.pending) {
        if (rooms.sequenceByRoom.has(room)) rooms.sequenceByRoom.set(room, this.#sentSequence);
      }
      rooms.pending = [];
      this.#forgetIfEmpty(namespace, rooms);
    }
  }

  #sendChanges(
    namespace: string,
    rooms: NamespaceRooms,
    changes: readonly { readonly room: RoomName; readonly isJoined: boolean }[],
    send: (frame: Buffer) => void,
  ): void {
    let writer: InterestFrameWriter | undefined;
    for (const { room, isJoined } of changes) {
      const bytes = encodeRoom(room);
      if (bytes === undefined) continue;
      writer ??= new InterestFrameWriter(++this.#sentSequence, namespace);
      writer.add({ room: bytes, isJoined });
      if (rooms.sequenceByRoom.has(room)) rooms.sequenceByRoom.set(room, this.#sentSequence);
      if (!writer.isFull) continue;
      send(writer.finish());
      writer = undefined;
    }
    if (writer !== undefined) send(writer.finish());
  }
}
