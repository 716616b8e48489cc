/**
 * A router's core with the process around it played by the test: connections are numbers, time is a number, and what the
 * core asks for is recorded. It fails by itself when the core wakes a connection that is gone, or twice.
 */

import { decodeResponse } from "../../src/protocol/exchange-frames.js";
import { frameKinds, protocolVersion } from "../../src/protocol/frame.js";
import { findInnerStart } from "../../src/protocol/regional-frame.js";
import type { RoomName } from "../../src/protocol/room-key.js";
import { RoutedView } from "../../src/protocol/routed-frame.js";
import {
  decodeRouterToWorker,
  encodeWorkerToRouter,
  type RouterToWorker,
  readFrameKind,
  type WorkerToRouter,
} from "../../src/protocol/worker-port-frames.js";
import { RouterCore, type RouterSettings, type RouterWays } from "../../src/router/core.js";
import type { RouterNote } from "../../src/router/router-effects.js";
import { encodeInterest, splitFrames } from "./fabric-frames.js";

/** What a worker reads: news of its router, or a frame of another worker with its body as text. */
export type Seen =
  | RouterToWorker
  | { readonly type: "broadcast" | "command" | "request" | "response"; readonly body: string };

export const defaultSettings: RouterSettings = {
  hostKey: "host",
  incarnation: "router-1",
  outbox: { maxBytes: 64 * 1024, maxVolatileBytes: 16 * 1024 },
  maxRoomsPerPort: 1_000,
  stalledAfterMs: 2_000,
  expectBackMs: 5_000,
};

const routedTypes = new Map<number, "broadcast" | "command" | "request">([
  [frameKinds.broadcast, "broadcast"],
  [frameKinds.command, "command"],
  [frameKinds.request, "request"],
]);

export class RouterHarness {
  readonly core: RouterCore;
  readonly notes: RouterNote[] = [];
  readonly wakes: number[] = [];
  /** Connections that the core has closed, at once or after a farewell. */
  readonly closedByCore = new Set<number>();
  nowMs = 1_000;
  readonly #openIds = new Set<number>();
  readonly #awakeIds = new Set<number>();
  readonly #closingIds = new Set<number>();
  #lastId = 0;

  constructor(settings: Partial<RouterSettings> = {}, ways: RouterWays = {}) {
    this.core = new RouterCore(
      { ...defaultSettings, ...settings },
      {
        wake: (id) => {
          if (!this.#openIds.has(id)) throw new Error(`connection ${id} was woken after its end`);
          if (this.#awakeIds.has(id)) throw new Error(`connection ${id} was woken twice`);
          this.#awakeIds.add(id);
          this.wakes.push(id);
        },
        closeAfterWrite: (id) => {
          if (this.#closingIds.has(id)) throw new Error(`connection ${id} is closed twice`);
          this.closedByCore.add(id);
          this.#closingIds.add(id);
        },
        note: (note) => this.notes.push(note),
      },
      ways,
    );
  }

  /** A connection that has said nothing yet. */
  open(place = "host??"): TestWorker {
    const id = ++this.#lastId;
    this.#openIds.add(id);
    this.core.opened(id, this.nowMs);
    return new TestWorker(this, id, place);
  }

  /** A worker that has said hello, serves the namespaces with one adapter each, and whose announcements are complete. */
  join(
    place: string,
    options: { readonly namespaces?: readonly string[]; readonly isComplete?: boolean } = {},
  ): TestWorker {
    const worker = this.open(place);
    worker.sayHello();
    for (const [index, namespace] of (options.namespaces ?? ["/"]).entries()) worker.serve(namespace, index);
    if (options.isComplete ?? true) worker.say({ type: "interest-complete" });
    return worker;
  }

  takeWrites(id: number): Buffer {
    const all: Buffer[] = [];
    // A core that always has more to say would never come to an end here.
    for (let turn = 0; this.core.hasWrites(id) && turn < 10_000; turn++) {
      const blocks = this.core.takeWrites(id);
      this.#awakeIds.delete(id);
      all.push(Buffer.concat(blocks));
      this.core.written(id, blocks);
    }
    if (this.core.hasWrites(id)) throw new Error(`connection ${id} has writes without end`);
    if (this.#closingIds.delete(id)) {
      this.#openIds.delete(id);
      this.core.closed(id, this.nowMs);
    }
    return Buffer.concat(all);
  }

  noteClosed(id: number): void {
    if (!this.#openIds.delete(id)) return;
    this.#awakeIds.delete(id);
    this.#closingIds.delete(id);
    this.core.closed(id, this.nowMs);
  }

  tick(afterMs: number): void {
    this.nowMs += afterMs;
    this.core.tick(this.nowMs);
  }

  /** Notes of one type. */
  notesOf<Type extends RouterNote["type"]>(type: Type): Extract<RouterNote, { type: Type }>[] {
    return this.notes.filter((note): note is Extract<RouterNote, { type: Type }> => note.type === type);
  }
}

export class TestWorker {
  readonly id: number;
  readonly place: string;
  readonly #harness: RouterHarness;
  #sequence = 0;

  constructor(harness: RouterHarness, id: number, place: string) {
    this.#harness = harness;
    this.id = id;
    this.place = place;
  }

  /** Uid of one of its adapters. */
  uid(index = 0): string {
    return `${this.place}${String(index).padStart(14, "u")}`;
  }

  /** An id of one of its sockets. */
  socketId(index = 0): string {
    return `${this.place}${String(index).padStart(14, "s")}`;
  }

  sayHello(version = protocolVersion): void {
    this.say({ type: "hello", version, place: this.place, workerId: this.uid(99) });
  }

  serve(namespace: string, index = 0, parserId = 0): void {
    this.say({ type: "namespace-up", uid: this.uid(index), parserId, namespace });
  }

  say(...messages: WorkerToRouter[]): void {
    this.send(...messages.map(encodeWorkerToRouter));
  }

  /** Has members in these rooms from now on; answers the announcement's sequence. */
  want(rooms: readonly RoomName[], namespace = "/"): number {
    this.send(encodeInterest(++this.#sequence, namespace, { joined: rooms }));
    return this.#sequence;
  }

  /** Has no members in these rooms any more. */
  leave(rooms: readonly RoomName[], namespace = "/"): number {
    this.send(encodeInterest(++this.#sequence, namespace, { left: rooms }));
    return this.#sequence;
  }

  /** In one chunk. */
  send(...frames: Uint8Array[]): void {
    const { core, nowMs } = this.#harness;
    core.received(this.id, Buffer.concat(frames), nowMs);
    // The turn in which it was read, and the next one.
    core.endTurn(nowMs);
    core.endTurn(nowMs);
  }

  /** Reads everything that waits for it. */
  read(): Seen[] {
    return splitFrames(this.#harness.takeWrites(this.id)).map(readSeen);
  }

  /** Bodies of what other workers sent to it; news is passed over. */
  readBodies(): string[] {
    return this.read().flatMap((seen) => ("body" in seen ? [seen.body] : []));
  }

  /** News of the given types; the rest is passed over. */
  readNews<Type extends RouterToWorker["type"]>(...types: Type[]): Extract<RouterToWorker, { type: Type }>[] {
    return this.read().filter((seen): seen is Extract<RouterToWorker, { type: Type }> =>
      types.includes(seen.type as Type),
    );
  }

  close(): void {
    this.#harness.noteClosed(this.id);
  }
}

function readSeen(frame: Buffer): Seen {
  const start = findInnerStart(frame, 0, frame.length);
  const kind = readFrameKind(frame, start);
  if (kind === frameKinds.response)
    return { type: "response", body: decodeResponse(frame, start, frame.length).value.toString() };
  const type = routedTypes.get(kind);
  if (type !== undefined) {
    const view = new RoutedView();
    view.read(frame, start, frame.length);
    return { type, body: frame.toString("utf8", view.bodyStart) };
  }
  const news = decodeRouterToWorker(frame, start, frame.length);
  if (news === undefined) throw new Error(`a frame of kind ${kind} for a worker`);
  return news;
}
