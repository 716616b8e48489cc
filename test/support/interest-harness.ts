/**
 * An interest log, the members behind it, and a router that is as naive as can be and reads what was said when the test
 * lets it: what the log says is compared with what is true, and never with how the log works.
 */

import { encodeRoom, type RoomName } from "../../src/protocol/room-key.js";
import { InterestLog } from "../../src/routing/interest-log.js";
import { readInterest } from "./fabric-frames.js";

export interface Change {
  readonly room: RoomName;
  readonly isJoined: boolean;
}

export type Said =
  | { readonly type: "interest"; readonly sequence: number; readonly namespace: string; readonly changes: Change[] }
  | { readonly type: "flood"; readonly isOn: boolean }
  | { readonly type: "complete" };

/** Rooms as the wire tells them apart; undefined for those that cannot be encoded. */
function keyOf(namespace: string, room: unknown): string | undefined {
  const bytes = encodeRoom(room);
  return bytes === undefined ? undefined : `${namespace.length} ${namespace}${bytes.toString("latin1")}`;
}

/** What a router knows of one worker. */
class NaiveRouter {
  readonly rooms = new Set<string>();
  isComplete = false;
  isFlooded = false;
  taken = 0;

  apply(said: Said): void {
    switch (said.type) {
      case "complete":
        this.isComplete = true;
        break;
      case "flood":
        this.isFlooded = said.isOn;
        if (said.isOn) this.rooms.clear();
        break;
      case "interest":
        this.taken = said.sequence;
        for (const { room, isJoined } of said.changes) {
          const key = keyOf(said.namespace, room) as string;
          if (isJoined) this.rooms.add(key);
          else this.rooms.delete(key);
        }
    }
  }

  delivers(key: string): boolean {
    return !this.isComplete || this.isFlooded || this.rooms.has(key);
  }
}

export class InterestHarness {
  readonly log: InterestLog;
  /** All that was said, of this connection. */
  said: Said[] = [];
  router = new NaiveRouter();
  nowMs = 0;
  readonly #members = new Map<string, number>();
  readonly #leftMs = new Map<string, number>();
  readonly #cooldownMs: number;
  #tickedMs = 0;
  #unread: Said[] = [];

  constructor(settings: { readonly leaveCooldownMs?: number; readonly maxRooms?: number } = {}) {
    const { leaveCooldownMs = 1_000, maxRooms = 1_000 } = settings;
    this.#cooldownMs = leaveCooldownMs;
    this.log = new InterestLog({ leaveCooldownMs, maxRooms }, (namespace, room) => this.#count(namespace, room) > 0);
    this.restart();
  }

  #count(namespace: string, room: unknown): number {
    return this.#members.get(keyOf(namespace, room) ?? "") ?? 0;
  }

  /** Another member; answers what the log answers. */
  join(room: unknown, namespace = "/"): boolean {
    const key = keyOf(namespace, room);
    if (key !== undefined) {
      this.#members.set(key, this.#count(namespace, room) + 1);
      this.#leftMs.delete(key);
    }
    return this.log.join(namespace, room);
  }

  /** One member less, if there is any. */
  leave(room: unknown, namespace = "/"): void {
    const key = keyOf(namespace, room);
    const count = this.#count(namespace, room);
    if (key !== undefined && count > 0) {
      this.#members.set(key, count - 1);
      if (count === 1) this.#leftMs.set(key, this.nowMs);
    }
    this.log.leave(namespace, room, this.nowMs);
  }

  removeNamespace(namespace: string): void {
    for (const key of [...this.#members.keys(), ...this.#leftMs.keys()]) {
      if (!key.startsWith(`${namespace.length} ${namespace}`)) continue;
      this.#members.delete(key);
      this.#leftMs.delete(key);
    }
    this.log.removeNamespace(namespace);
  }

  /** Waits as `await socket.join()` does; the list gets the name when the wait is over. */
  wait(name: string, ended: string[], limitMs = 1_000): void {
    this.log.wait(this.nowMs + limitMs, () => ended.push(name));
  }

  tick(afterMs = 0): void {
    this.nowMs += afterMs;
    this.#tickedMs = this.nowMs;
    this.log.tick(this.nowMs);
  }

  /** What is new, which the router reads when `read` says so. */
  flush(): Said[] {
    const before = this.said.length;
    this.log.flush(this.#hear, this.#hearFlooded);
    return this.said.slice(before);
  }

  /** The router reads that many more things, and acknowledges them. */
  read(count = Number.POSITIVE_INFINITY): void {
    const taken = this.router.taken;
    for (const said of this.#unread.splice(0, count)) this.router.apply(said);
    if (this.router.taken !== taken) this.log.take(this.router.taken);
  }

  /** The connection is gone: nothing is read any more, nor said. */
  stop(): void {
    this.said = [];
    this.#unread = [];
    this.router = new NaiveRouter();
    this.log.stop();
  }

  /** A new connection, to a router that knows nothing. */
  restart(): Said[] {
    this.stop();
    this.log.restart(this.#hear, this.#hearFlooded);
    this.#record({ type: "complete" });
    return this.said;
  }

  readonly #hear = (frame: Buffer): void => this.#record({ type: "interest", ...readInterest(frame) });
  readonly #hearFlooded = (isOn: boolean): void => this.#record({ type: "flood", isOn });

  #record(said: Said): void {
    this.said.push(said);
    this.#unread.push(said);
  }

  /** Whether a message to the room would come to this worker now. */
  delivers(room: unknown, namespace = "/"): boolean {
    const key = keyOf(namespace, room);
    return key !== undefined && this.router.delivers(key);
  }

  hasMember(room: unknown, namespace = "/"): boolean {
    return this.#count(namespace, room) > 0;
  }

  /** Rooms that have members and are not to be delivered, and rooms that are although nobody has wanted them for long. */
  compareWithTruth(): { readonly missing: string[]; readonly tooMany: string[] } {
    const wanted = [...this.#members].filter(([, count]) => count > 0).map(([key]) => key);
    const isCooling = (key: string): boolean =>
      (this.#leftMs.get(key) ?? Number.NEGATIVE_INFINITY) + this.#cooldownMs > this.#tickedMs;
    return {
      missing: wanted.filter((key) => !this.router.delivers(key)),
      tooMany: [...this.router.rooms].filter((key) => !wanted.includes(key) && !isCooling(key)),
    };
  }
}

/** Changes as a test wants to write them: "+room" and "-room". */
export function namesOf(said: readonly Said[]): string[] {
  return said.flatMap((each) =>
    each.type === "interest"
      ? each.changes.map(({ room, isJoined }) => `${isJoined ? "+" : "-"}${room}`)
      : [each.type === "flood" ? `flood ${each.isOn ? "on" : "off"}` : each.type],
  );
}
