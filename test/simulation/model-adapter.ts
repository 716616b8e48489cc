/** A namespace of a simulated worker: rooms and sockets as Socket.IO's in-memory adapter has them, and what others ask of them. */

import { commands, type RequestHead, readCommand, readCommandRooms } from "../../src/protocol/exchange-frames.js";
import { encodeRoom, type RoomName } from "../../src/protocol/room-key.js";
import type { RoutedView } from "../../src/protocol/routed-frame.js";
import type { SessionEndpoint } from "../../src/worker/fabric/endpoint-table.js";
import type { HostSession } from "../../src/worker/fabric/host-session.js";
import { type AdapterRecord, type Message, type Selection, SocketRecord, type WorkerRecord } from "./records.js";
import { readTagged } from "./tagged-frames.js";
import type { Truth } from "./truth.js";

const nobody: ReadonlySet<string> = new Set();

/** What an adapter needs of the worker that it is part of. */
export interface AdapterSurroundings extends WorkerRecord {
  readonly session: HostSession;
  readonly truth: Truth;
  /** Waits for an `await join`; `certain` when it came back because the router has taken the rooms. */
  awaitJoin(promise: Promise<void>, certain: () => void): void;
  /** Hosts that may not know what this worker's router knows. */
  readonly doubtedBy: ReadonlySet<string>;
  isOwnAddress(id: string): boolean;
  answer(adapter: ModelAdapter, head: RequestHead, message: Message, sockets: readonly SocketRecord[]): void;
  /** A frame came that nobody here is a receiver of. */
  noteUnwanted(message: Message): void;
  readonly nowMs: number;
  readonly log: ((text: string) => void) | undefined;
}

export class ModelAdapter implements SessionEndpoint, AdapterRecord {
  uid: string;
  readonly namespace: string;
  readonly parserId = 0;
  readonly worker: AdapterSurroundings;
  openSinceMs = 0;
  readonly sockets = new Map<string, SocketRecord>();
  readonly rooms = new Map<RoomName, Set<SocketRecord>>();
  readonly #lastSequences = new Map<string, number>();

  constructor(worker: AdapterSurroundings, namespace: string, uid: string) {
    this.worker = worker;
    this.namespace = namespace;
    this.uid = uid;
  }

  // Sockets and rooms, as RoutedAdapter announces them.

  connect(id: string): SocketRecord {
    const socket = new SocketRecord(id, this);
    this.sockets.set(id, socket);
    this.join(socket, [id]);
    return socket;
  }

  disconnect(socket: SocketRecord): void {
    const rooms = [...socket.rooms.keys()];
    for (const room of rooms) this.#remove(socket, room);
    this.sockets.delete(socket.id);
    this.worker.truth.releaseSocket(socket);
    this.worker.session.left(this.namespace, rooms, this.worker.nowMs);
  }

  join(socket: SocketRecord, rooms: readonly RoomName[]): void {
    const { worker } = this;
    const announced: RoomName[] = [];
    for (const room of rooms) {
      if (!socket.rooms.has(room)) this.#add(socket, room);
      if (room === socket.id && worker.isOwnAddress(socket.id)) this.#makeCertain(socket, [room]);
      else announced.push(room);
    }
    worker.truth.recheck(socket);
    if (announced.length > 0) this.#announce(socket, announced);
  }

  #announce(socket: SocketRecord, announced: readonly RoomName[]): void {
    const { worker } = this;
    const memberships = announced.map((room) => socket.rooms.get(room));
    const promise = worker.session.joined(this.namespace, announced, worker.nowMs);
    if (promise === undefined) {
      this.#makeCertain(socket, announced);
      return;
    }
    worker.awaitJoin(promise, () => {
      // A membership that began anew in the meantime has its own wait.
      this.#makeCertain(
        socket,
        announced.filter((room, index) => socket.rooms.get(room) === memberships[index]),
      );
    });
  }

  leave(socket: SocketRecord, room: RoomName): void {
    if (!socket.rooms.has(room)) return;
    this.#remove(socket, room);
    this.worker.truth.recheck(socket);
    this.worker.session.left(this.namespace, [room], this.worker.nowMs);
  }

  #makeCertain(socket: SocketRecord, rooms: readonly RoomName[]): void {
    const since = this.worker.truth.nextOrder;
    const { doubtedBy } = this.worker;
    for (const room of rooms) {
      const membership = socket.rooms.get(room);
      // What cannot be encoded is nobody's room elsewhere.
      if (membership === undefined || encodeRoom(room) === undefined) continue;
      membership.certainSince = Math.min(membership.certainSince, since);
      if (membership.farSince <= since && membership.doubtedBy.size <= doubtedBy.size) continue;
      membership.farSince = since;
      membership.doubtedBy = doubtedBy;
    }
  }

  /** The router has told other hosts that this worker is gone, and tells them that it is back: who is in which room, anew. */
  announceAnew(): void {
    for (const socket of this.sockets.values()) {
      const rooms = [...socket.rooms.keys()].filter(
        (room) => room !== socket.id || !this.worker.isOwnAddress(socket.id),
      );
      if (rooms.length > 0) this.#announce(socket, rooms);
    }
  }

  /** What is sent from elsewhere is not certain to come, until that is said anew. */
  forgetFar(): void {
    for (const socket of this.sockets.values()) {
      for (const [room, membership] of socket.rooms) {
        if (room !== socket.id || !this.worker.isOwnAddress(socket.id)) membership.farSince = Number.POSITIVE_INFINITY;
      }
      this.worker.truth.recheck(socket);
    }
  }

  #add(socket: SocketRecord, room: RoomName): void {
    socket.rooms.set(room, {
      certainSince: Number.POSITIVE_INFINITY,
      farSince: Number.POSITIVE_INFINITY,
      doubtedBy: nobody,
    });
    const members = this.rooms.get(room);
    if (members === undefined) this.rooms.set(room, new Set([socket]));
    else members.add(socket);
  }

  #remove(socket: SocketRecord, room: RoomName): void {
    socket.rooms.delete(room);
    const members = this.rooms.get(room);
    members?.delete(socket);
    if (members?.size === 0) this.rooms.delete(room);
  }

  isRoomWanted(room: RoomName): boolean {
    const members = this.rooms.get(room);
    if (members === undefined) return false;
    if (members.size > 1) return true;
    const [only] = members;
    return !(only?.id === room && this.worker.isOwnAddress(only.id));
  }

  select({ rooms, except }: Selection): SocketRecord[] {
    const selected = new Set<SocketRecord>();
    if (rooms.size === 0) for (const socket of this.sockets.values()) selected.add(socket);
    for (const room of rooms) for (const socket of this.rooms.get(room) ?? []) selected.add(socket);
    for (const room of except) for (const socket of this.rooms.get(room) ?? []) selected.delete(socket);
    return [...selected];
  }

  /** To local sockets. */
  deliver(message: Message, sockets: readonly SocketRecord[]): void {
    for (const socket of sockets) this.worker.truth.deliver(message, socket);
  }

  // What comes from other workers, as FrameReceiver carries it out.

  takeBroadcast(view: RoutedView): void {
    const { message, sockets } = this.#open(view);
    this.deliver(message, sockets);
  }

  takeCommand(view: RoutedView): void {
    const { message, sockets } = this.#open(view);
    let joined: RoomName[] = [];
    switch (readCommand(view.bytes, view.bodyStart, view.end)) {
      case commands.socketsJoin:
        joined = readCommandRooms(view.bytes, view.bodyStart, view.end);
        for (const socket of sockets) this.join(socket, joined);
        break;
      case commands.socketsLeave:
        for (const room of readCommandRooms(view.bytes, view.bodyStart, view.end)) {
          for (const socket of sockets) this.leave(socket, room);
        }
        break;
      case commands.disconnectSockets:
        for (const socket of sockets) this.disconnect(socket);
        break;
    }
    this.worker.truth.noteDone(message, this, sockets, joined);
  }

  takeEmitterMessage(): void {}

  takeRequest(view: RoutedView, head: RequestHead): void {
    const { message, sockets } = this.#open(view);
    this.worker.answer(this, head, message, sockets);
  }

  #open(view: RoutedView): { message: Message; sockets: SocketRecord[] } {
    const { id, selection } = readTagged(view);
    const message = this.worker.truth.messages[id];
    if (message === undefined) throw new Error(`a frame carries message ${id}, which was never sent`);
    this.worker.truth.noteArrival(message, this, this.#lastSequences);
    const sockets = this.select(selection);
    this.worker.log?.(`${message} arrives, for ${sockets.length} sockets`);
    if (sockets.length === 0) this.worker.noteUnwanted(message);
    return { message, sockets };
  }
}
