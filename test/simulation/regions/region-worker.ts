/** A worker of a simulated region: the real session, a namespace with rooms and no sockets, and a connection that its router's death breaks. */

import { encodePlace } from "../../../src/address/address.js";
import type { RequestHead } from "../../../src/protocol/exchange-frames.js";
import {
  commands,
  encodeResponse,
  readCommand,
  readCommandRooms,
  requests,
  responses,
} from "../../../src/protocol/exchange-frames.js";
import type { RoomName } from "../../../src/protocol/room-key.js";
import type { RoutedView } from "../../../src/protocol/routed-frame.js";
import { HostSession } from "../../../src/worker/fabric/host-session.js";
import { encodeBroadcast, encodeCommand, encodeRequest } from "../../support/fabric-frames.js";
import { SimulatedProcess, type VirtualTime } from "../virtual-time.js";

/** The host that a worker is of, as the worker uses it. */
export interface WorkerSurroundings {
  readonly time: VirtualTime;
  readonly region: string;
  readonly hostKey: string;
  /** The router reads what a worker has written. */
  read(connection: number, bytes: Buffer): void;
}

export interface WorkerEvents {
  readonly onMessage: (worker: RegionWorker, messageId: number) => void;
  readonly onMissed: (worker: RegionWorker, frames: number) => void;
  readonly fail: (text: string) => void;
}

export class RegionWorker {
  readonly place: string;
  readonly uid: string;
  readonly host: WorkerSurroundings;
  readonly session: HostSession;
  /** When each room was joined. */
  readonly joinedMs = new Map<RoomName, number>();
  readonly #time: VirtualTime;
  readonly #process: SimulatedProcess;
  /** Of the router; undefined while there is none. */
  connection: { readonly id: number; isOpen: boolean } | undefined;
  #isWriting = false;

  constructor(host: WorkerSurroundings, slot: number, events: WorkerEvents) {
    this.host = host;
    this.#time = host.time;
    this.#process = new SimulatedProcess(host.time);
    this.uid = `${encodePlace({ hostKey: host.hostKey, workerSlot: slot })}${"0".repeat(14)}`;
    this.place = this.uid.slice(0, 6);
    this.session = new HostSession(
      {
        workerId: this.uid,
        outbox: { maxBytes: 4_000_000, maxVolatileBytes: 1_000_000 },
        leaveCooldownMs: 100,
        maxRooms: 10_000,
        joinLimitMs: 1_000,
      },
      {
        wake: () => this.#process.after(0.05, () => this.#write()),
        schedule: (dueMs) =>
          this.#process.after(Math.max(dueMs - this.#time.nowMs, 0), () => this.session.tick(this.#time.nowMs)),
        raise: (error) => events.fail(`${this.place} throws ${String(error)}`),
        refused: (code, reason) => events.fail(`${this.place} is refused (${code}): ${reason}`),
        note: (note) => {
          if (note.type === "missed") events.onMissed(this, note.frames);
          else if (note.type === "unreadable") events.fail(`${this.place} cannot read: ${note.reason}`);
        },
      },
    );
    this.session.add({
      uid: this.uid,
      namespace: "/",
      parserId: 0,
      isRoomWanted: (room) => this.joinedMs.has(room),
      takeBroadcast: (view) => {
        const { rooms } = view.readRooms();
        if (rooms.size > 0 && ![...rooms].some((room) => this.joinedMs.has(room) || room === this.uid)) return;
        events.onMessage(this, Number(readBody(view)));
      },
      takeCommand: (view) => this.#obey(view),
      takeRequest: (view, head) => this.#answer(view, head),
      takeEmitterMessage: () => {},
    });
  }

  // The connection.

  connect(id: number): void {
    this.connection = { id, isOpen: true };
    this.session.connected(this.place);
    this.#write();
  }

  /** The router is dead: what it had written comes, and then the end. */
  disconnect(): void {
    const { connection } = this;
    if (connection === undefined) return;
    connection.isOpen = false;
    this.#process.after(3, () => {
      this.connection = undefined;
      this.#isWriting = false;
      this.session.closed();
    });
  }

  receive(bytes: Buffer): void {
    this.session.received(bytes);
    this.#write();
  }

  #write(): void {
    const { connection } = this;
    if (connection?.isOpen !== true || this.#isWriting || !this.session.hasWrites) return;
    const blocks = this.session.takeWrites();
    if (blocks.length === 0) return;
    this.#isWriting = true;
    const bytes = Buffer.concat(blocks);
    this.#process.after(0.2, () => {
      this.#isWriting = false;
      this.session.written(blocks);
      if (connection.isOpen) this.host.read(connection.id, bytes);
      this.#write();
    });
  }

  // The application.

  join(room: RoomName): void {
    if (this.joinedMs.has(room)) return;
    this.joinedMs.set(room, this.#time.nowMs);
    void this.session.joined("/", [room], this.#time.nowMs);
  }

  leave(room: RoomName): void {
    if (this.joinedMs.delete(room)) this.session.left("/", [room], this.#time.nowMs);
  }

  send(messageId: number, rooms: readonly RoomName[], padding: number): void {
    this.session.send(encodeBroadcast({ rooms, body: `${messageId}${" ".repeat(padding)}` }));
  }

  /** Whoever is in the room joins another. */
  sendJoin(room: RoomName, joined: RoomName): void {
    this.session.send(encodeCommand(commands.socketsJoin, [joined], { rooms: [room] }));
  }

  /** Asks everybody; answers the uids that have answered, when all have or time is up. */
  ask(deadlineMs: number, onEnd: (end: string, uids: readonly string[]) => void): void {
    const uids: string[] = [];
    const id = this.session.openRequest(
      { onAnswer: (_type, value) => uids.push(value.toString()), onEnd: (end) => onEnd(end, uids) },
      deadlineMs,
    );
    this.session.send(encodeRequest(this.uid, id, { type: requests.fetchSockets }));
  }

  #obey(view: RoutedView): void {
    const { rooms } = view.readRooms();
    if (readCommand(view.bytes, view.bodyStart, view.end) !== commands.socketsJoin) return;
    if (![...rooms].some((room) => this.joinedMs.has(room))) return;
    for (const room of readCommandRooms(view.bytes, view.bodyStart, view.end)) this.join(room);
  }

  #answer(_view: RoutedView, head: RequestHead): void {
    this.session.send(encodeResponse(head.uid, this.uid, head.requestId, responses.answer, Buffer.from(this.uid)));
  }
}

function readBody(view: RoutedView): string {
  return view.bytes.toString("latin1", view.bodyStart, view.end).trim();
}
