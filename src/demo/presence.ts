/** Keeps the people list of each room true across processes; must not remember people that no process vouches for. */

import type { SignalboxContext } from "../index.js";
import type { ChatServer, Member, PeopleList, SocketData } from "./chat-contract.js";

/** Changes that come together (a crowd reconnecting) become one refresh. */
const settleMs = 100;
/** At most one refresh per room in this time, however fast people come and go. */
const restMs = 1_000;
/** A worker that dies cannot say who left with it: what is shown is put right after at most this time. */
const recheckMs = 10_000;
const retryMs = 2_000;
const maxListed = 200;

/** What this process knows of one room that it has members in. */
interface RoomWatch {
  /** Members on other processes, as of the last refresh. */
  remote: readonly Member[];
  hasChanged: boolean;
  isRefreshing: boolean;
  timer: NodeJS.Timeout | undefined;
  dueAtMs: number;
  refreshedAtMs: number;
}

export class Presence {
  readonly #io: ChatServer;
  readonly #log: SignalboxContext["log"];
  readonly #watchByRoom = new Map<string, RoomWatch>();
  #isDraining = false;

  constructor(io: ChatServer, log: SignalboxContext["log"]) {
    this.#io = io;
    this.#log = log;
  }

  /** Somebody on this process came, left or changed their name: everybody in the room gets a fresh list soon. */
  announceChange(room: string): void {
    const watch = this.#watchByRoom.get(room) ?? this.#watch(room);
    watch.hasChanged = true;
    if (watch.isRefreshing) return;
    const earliestMs = Math.max(Date.now() + settleMs, watch.refreshedAtMs + restMs);
    if (earliestMs < watch.dueAtMs) this.#schedule(room, watch, earliestMs - Date.now());
  }

  /** The best list at hand without asking anybody: this process now, the others as of the last refresh. */
  known(room: string): PeopleList {
    return list([...this.#localMembers(room), ...(this.#watchByRoom.get(room)?.remote ?? [])]);
  }

  /** Stops the regular rechecks of a process that is about to end; changes are still announced. */
  drain(): void {
    this.#isDraining = true;
  }

  #watch(room: string): RoomWatch {
    const watch: RoomWatch = {
      remote: [],
      hasChanged: false,
      isRefreshing: false,
      timer: undefined,
      dueAtMs: Number.POSITIVE_INFINITY,
      refreshedAtMs: 0,
    };
    this.#watchByRoom.set(room, watch);
    return watch;
  }

  #schedule(room: string, watch: RoomWatch, delayMs: number): void {
    clearTimeout(watch.timer);
    watch.dueAtMs = Date.now() + delayMs;
    watch.timer = setTimeout(() => void this.#refresh(room, watch), delayMs);
    watch.timer.unref();
  }

  async #refresh(room: string, watch: RoomWatch): Promise<void> {
    const isChange = watch.hasChanged;
    watch.hasChanged = false;
    watch.isRefreshing = true;
    const everybody = await this.#fetchMembers(room);
    watch.isRefreshing = false;
    watch.refreshedAtMs = Date.now();
    if (everybody === undefined) {
      // Ask again soon, and then tell everybody what this round could not. Meanwhile the pages keep their lists: each
      // join and leave corrects them, and they are no worse than what this process remembers.
      watch.hasChanged ||= isChange;
    } else {
      watch.remote = everybody.filter((member) => !this.#io.of("/").sockets.has(member.id));
      // A change is news for the whole room. A recheck is not: every process with members does its own.
      const audience = isChange ? this.#io.to(roomKey(room)) : this.#io.local.to(roomKey(room));
      audience.emit("people", list(everybody));
    }
    this.#planNext(room, watch, everybody !== undefined);
  }

  #planNext(room: string, watch: RoomWatch, hasSucceeded: boolean): void {
    const isEmpty = this.#localMembers(room).length === 0;
    if (!watch.hasChanged && (isEmpty || this.#isDraining)) {
      this.#watchByRoom.delete(room);
    } else if (!hasSucceeded) {
      this.#schedule(room, watch, retryMs);
    } else {
      // Jitter keeps the processes' rechecks of one room apart.
      this.#schedule(room, watch, watch.hasChanged ? restMs : recheckMs * (0.8 + 0.2 * Math.random()));
    }
  }

  async #fetchMembers(room: string): Promise<Member[] | undefined> {
    try {
      const sockets = await this.#io.in(roomKey(room)).fetchSockets();
      return sockets.flatMap((socket) => describeMember(socket.id, socket.data) ?? []);
    } catch (error) {
      // Expected while a process is dying: its answer never comes. The last known list serves until the retry.
      this.#log.debug({ err: error, room }, "people of the room could not be fetched");
      return undefined;
    }
  }

  #localMembers(room: string): Member[] {
    const { adapter, sockets } = this.#io.of("/");
    const ids = [...(adapter.rooms.get(roomKey(room)) ?? [])];
    return ids.flatMap((id) => describeMember(id, sockets.get(id)?.data) ?? []);
  }
}

/** The Socket.IO room of a chat room: the prefix keeps people's room names apart from the rooms of socket ids. */
export function roomKey(room: string): string {
  return `chat:${room}`;
}

/** The member behind a socket, or undefined for a socket that has not told its name. */
export function describeMember(id: string, data: SocketData | undefined): Member | undefined {
  if (data?.name === undefined || data.host === undefined || data.worker === undefined) return undefined;
  return { id, name: data.name, host: data.host, worker: data.worker };
}

function list(members: readonly Member[]): PeopleList {
  return { members: members.slice(0, maxListed), total: members.length };
}
