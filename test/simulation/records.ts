/** What the simulation remembers of sockets and messages, to judge what the fabric did with them. */

import type { RoomName } from "../../src/protocol/room-key.js";

export interface WorkerRecord {
  /** Slot and life, for people: `w2.3`. */
  readonly name: string;
  readonly place: string;
  readonly hostKey: string;
  readonly adapters: readonly AdapterRecord[];
  /** Serves clients: alive, and said so. */
  readonly isServing: boolean;
  /** Whether nothing happened to it since then that may keep answers of it away. */
  isSteadySince(timeMs: number): boolean;
}

export interface AdapterRecord {
  readonly uid: string;
  readonly namespace: string;
  readonly worker: WorkerRecord;
  /** Since when it serves the namespace. */
  readonly openSinceMs: number;
  readonly sockets: ReadonlyMap<string, SocketRecord>;
}

export interface Membership {
  /** Since when the application could know that the router knows: `await join` has come back. */
  certainSince: number;
  /** The same of other hosts. */
  farSince: number;
  /** Keys of hosts that could not be waited for. */
  doubtedBy: ReadonlySet<string>;
}

export class SocketRecord {
  readonly id: string;
  readonly adapter: AdapterRecord;
  readonly rooms = new Map<RoomName, Membership>();
  /** Messages that it must get. */
  readonly owed = new Set<Message>();
  /** Per sender and lane, the number of the last message that it got. */
  readonly lastSequences = new Map<string, number>();

  constructor(id: string, adapter: AdapterRecord) {
    this.id = id;
    this.adapter = adapter;
  }

  isIn(rooms: Iterable<RoomName>): boolean {
    for (const room of rooms) if (this.rooms.has(room)) return true;
    return false;
  }

  /** Whether the router that a message is sent to must know that this socket is in one of the rooms. */
  isCertainlyIn(rooms: Iterable<RoomName>, { sender, order, isAtRest }: Message): boolean {
    const isFar = sender.hostKey !== this.adapter.worker.hostKey;
    for (const room of rooms) {
      const membership = this.rooms.get(room);
      if (membership === undefined || (isFar ? membership.farSince : membership.certainSince) > order) continue;
      if (!isFar || isAtRest || !membership.doubtedBy.has(sender.hostKey)) return true;
    }
    return false;
  }

  isSelected({ rooms, except }: Selection): boolean {
    return (rooms.size === 0 || this.isIn(rooms)) && !this.isIn(except);
  }
}

export interface Selection {
  readonly rooms: ReadonlySet<RoomName>;
  readonly except: ReadonlySet<RoomName>;
}

/** Requests may be held while the others pass; among themselves they keep their order, too. */
export type Lane = "message" | "request";

/** A broadcast, command or request that a worker sent. */
export class Message implements Selection {
  readonly id: number;
  /** What it is, for people. */
  readonly what: string;
  readonly lane: Lane;
  readonly sender: WorkerRecord;
  readonly sequence: number;
  readonly namespace: string;
  readonly rooms: ReadonlySet<RoomName>;
  readonly except: ReadonlySet<RoomName>;
  readonly isVolatile: boolean;
  /** When, in the order of all that happens. */
  readonly order: number;
  readonly sentMs: number;
  /** Who must get it, and by which commands each of them comes to be in its rooms. */
  readonly owedTo = new Map<SocketRecord, readonly Message[]>();
  /** Messages whose receivers this command makes. */
  readonly dependents: Message[] = [];
  /** Adapters that have carried it out. */
  readonly doneBy = new Set<AdapterRecord>();
  /** What came of it, or was there already: who is in the rooms for another reason only, is not among them. */
  readonly memberships = new Set<Membership>();
  /** The connection that it was written to. */
  connection: { readonly router: object } | undefined;
  /** The router has put it into the outbox of somebody, or into the session with a host. */
  isForwarded = false;
  /** Router processes that have it, or had. */
  readonly takenBy = new Set<object>();
  /** Sent when everything was at rest: whatever was in doubt before is not any more. */
  readonly isAtRest: boolean;
  /** It, or an answer to it, was given up. */
  isLossy = false;
  /** Emitted while there was no router to take it. */
  hadNoRouter = false;

  constructor(
    fields: Pick<
      Message,
      | "id"
      | "what"
      | "lane"
      | "sender"
      | "sequence"
      | "namespace"
      | "rooms"
      | "except"
      | "isVolatile"
      | "order"
      | "sentMs"
      | "isAtRest"
    >,
  ) {
    this.id = fields.id;
    this.what = fields.what;
    this.lane = fields.lane;
    this.sender = fields.sender;
    this.sequence = fields.sequence;
    this.namespace = fields.namespace;
    this.rooms = fields.rooms;
    this.except = fields.except;
    this.isVolatile = fields.isVolatile;
    this.order = fields.order;
    this.sentMs = fields.sentMs;
    this.isAtRest = fields.isAtRest;
  }

  toString(): string {
    const rooms = this.rooms.size === 0 ? "all" : [...this.rooms].map(describeRoom).join("+");
    const except = this.except.size === 0 ? "" : ` except ${[...this.except].map(describeRoom).join("+")}`;
    const flags = this.isVolatile ? " volatile" : "";
    return `m${this.id} (${this.what}${flags} of ${this.sender.name} in ${this.namespace} to ${rooms}${except})`;
  }
}

/** Numbers bare, text in quotes, addresses short. */
export function describeRoom(room: RoomName): string {
  if (typeof room === "number") return String(room);
  return room.length >= 20 ? `${room.slice(-20, -8)}…` : `"${room}"`;
}
