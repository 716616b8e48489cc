/**
 * Exactly once, in order: numbered messages of all workers to overlapping rooms, while sockets join and leave and a worker
 * is killed in the middle. Who stays connected and stays a member misses nothing, gets nothing twice, and in order.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FabricHost, slotOf } from "../support/fabric-host.js";
import { LightSocket } from "../support/light-socket.js";
import { NumberedAudit } from "../support/numbered-audit.js";
import { timed } from "../support/stopwatch.js";

const isFull = process.env["TEST_SIZE"] === "full";
const messagesPerWorker = isFull ? 28_000 : 10_000;
const perSecond = isFull ? 1_500 : 2_000;
/** Of the worker that takes the place of the killed one. */
const messagesOfReplacement = messagesPerWorker / 5;
const doomedSlot = 3;
const livingSlots = [0, 1, 2];
const roomCount = 24;
const patienceMs = isFull ? 180_000 : 60_000;

const roomName = (number: number): string => `room-${number % roomCount}`;
/** One to three rooms each: a socket that is in two of them gets the message once. */
const targets = Array.from({ length: roomCount }, (_, number) =>
  [roomName(number), roomName(number + 5), roomName(number + 9)].slice(0, 1 + (number % 3)),
);

interface Listener {
  readonly socket: LightSocket;
  readonly audit: NumberedAudit;
  readonly rooms: readonly string[];
  /** Resolves when that sender has said that it is done. */
  readonly ended: (sender: string) => Promise<void>;
}

function listen(socket: LightSocket, rooms: readonly string[]): Listener {
  const audit = new NumberedAudit();
  const endings = new Map<string, PromiseWithResolvers>();
  const ending = (sender: string): PromiseWithResolvers => {
    const known = endings.get(sender) ?? withResolvers();
    endings.set(sender, known);
    return known;
  };
  socket.on("said", (name, sender, ...rest) => {
    if (name === "end") ending(String(sender)).resolve();
    else audit.take(String(sender), ...(rest as [number, string[], number[]]));
  });
  return { socket, audit, rooms, ended: async (sender) => await ending(sender).promise };
}

interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function withResolvers(): PromiseWithResolvers {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Sockets that stay, in rooms that overlap. */
async function gatherStayers(host: FabricHost): Promise<Listener[]> {
  const sockets = await host.openOn([...host.slots, ...host.slots, ...host.slots, ...host.slots, ...host.slots]);
  const listeners = sockets.map((socket, index) =>
    listen(
      socket,
      [0, 5, 11].map((step) => roomName(index + step)),
    ),
  );
  for (const { socket, audit, rooms } of listeners) {
    for (const room of rooms) audit.enter(room);
    await Promise.all(rooms.map(async (room) => await socket.call("join", room)));
  }
  return listeners;
}

/** Where the living senders are in a room. */
async function readNumbers(host: FabricHost, room: string): Promise<Map<string, number>> {
  const numbers = livingSlots.map(async (slot) => await host.ask<number>(slot, "numbers", { room }));
  return new Map((await Promise.all(numbers)).map((number, index) => [`worker-${livingSlots[index]}`, number]));
}

/** Sockets that join and leave, and clients that come and go, until it is disposed of. */
class Unrest implements AsyncDisposable {
  readonly #host: FabricHost;
  readonly #running: Promise<void>;
  stays = 0;
  visits = 0;
  #isOver = false;

  constructor(host: FabricHost, guests: readonly Listener[]) {
    this.#host = host;
    const running = [...guests.map(async (guest) => await this.#comeAndGo(guest)), this.#visit(), this.#visit()];
    this.#running = Promise.all(running).then(() => {});
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#running.catch(() => {});
  }

  /** Joins a room, stays until it has heard what was sent after the acknowledgement, and leaves; again and again. */
  async #comeAndGo({ socket, audit }: Listener): Promise<void> {
    for (let round = 0; !this.#isOver; round++) {
      const room = roomName(round * 7);
      audit.enter(room);
      await socket.call("join", room);
      const atJoin = await readNumbers(this.#host, room);
      const atLeave = await readNumbers(this.#host, room);
      for (const [sender, number] of atLeave) {
        if (number > (atJoin.get(sender) ?? 0)) await audit.reach(room, sender, number);
        audit.expect(room, sender, atJoin.get(sender) ?? 0, number);
      }
      await socket.call("leave", room);
      audit.leave(room);
      this.stays++;
    }
  }

  /** New clients, each of which is in a room for a moment and goes without a word. */
  async #visit(): Promise<void> {
    while (!this.#isOver) {
      // Its worker may be the one that is killed.
      const socket = await LightSocket.open(this.#host.host).catch(() => undefined);
      await socket?.call("join", roomName(this.visits)).catch(() => {});
      socket?.close();
      this.visits++;
    }
  }
}

describe("Audit of the routed fabric", { timeout: 300_000 }, () => {
  test("of the numbered messages of all workers none is lost, doubled or out of order", async (t) => {
    await using host = await FabricHost.start();
    const stayers = await gatherStayers(host);
    const living = stayers.filter(({ socket }) => slotOf(socket) !== doomedSlot);
    const guests = (await host.openOn([...livingSlots, ...livingSlots])).map((socket) => listen(socket, []));

    const startedMs = performance.now();
    const number = async (slot: number, sender: string, messages: number): Promise<unknown> =>
      await host.ask(slot, "number", { sender, messages, perSecond, targets }, patienceMs);
    const sending = livingSlots.map(async (slot) => await number(slot, `worker-${slot}`, messagesPerWorker));
    const doomed = number(doomedSlot, "doomed", 100 * messagesPerWorker).then(
      () => assert.fail("it was to be killed before it is done"),
      () => "killed",
    );
    await using unrest = new Unrest(host, guests);

    // In the middle of what it has to say, by what somebody has heard of it.
    const [witness] = living as [Listener];
    await witness.audit.reach(witness.rooms[0] as string, "doomed", Math.floor(messagesPerWorker / roomCount));
    const killed = host.signal(doomedSlot, "SIGKILL");
    assert.equal(await doomed, "killed");
    await host.waitUntilReplaced(doomedSlot, killed);
    const heir = number(doomedSlot, "heir", messagesOfReplacement);

    await timed(Promise.all([...sending, heir]), patienceMs, "the end of the sending");
    await timed(unrest.end(), patienceMs, "the end of coming and going");
    const senders = [...livingSlots.map((slot) => `worker-${slot}`), "heir"];
    const endings = living.flatMap(({ ended }) => senders.map(async (sender) => await ended(sender)));
    await timed(Promise.all(endings), patienceMs, "the last message at every client");
    const seconds = (performance.now() - startedMs) / 1_000;

    for (const { audit } of guests) assert.deepEqual(audit.faults, []);
    const finals = new Map<string, ReadonlyMap<string, number>>();
    for (const slot of host.slots) {
      const name = slot === doomedSlot ? "heir" : `worker-${slot}`;
      finals.set(name, await host.ask<Map<string, number>>(slot, "allNumbers"));
    }
    const prefixes = new Map<string, Set<number>>();
    for (const { audit, rooms, socket } of living) {
      assert.equal(socket.isClosed, false);
      for (const room of rooms) {
        for (const sender of senders) audit.expect(room, sender, 0, finals.get(sender)?.get(room) ?? 0);
        const last = audit.lastOf(room, "doomed");
        // A prefix: it begins with the first, and has no hole.
        audit.expect(room, "doomed", 0, last);
        prefixes.set(room, (prefixes.get(room) ?? new Set()).add(last));
      }
      assert.deepEqual(audit.faults, []);
    }
    for (const [room, lasts] of prefixes)
      assert.equal(lasts.size, 1, `${room} has one end of the killed worker's messages`);

    const sent = [...finals.values()].flatMap((byRoom) => [...byRoom.values()]).reduce((sum, count) => sum + count, 0);
    const heard = [...living, ...guests].reduce((sum, { audit }) => sum + audit.heard, 0);
    const prefix = [...prefixes.values()].flatMap((lasts) => [...lasts]).reduce((sum, last) => sum + last, 0);
    t.diagnostic(
      `${sent} (room, number) pairs sent; ${heard} messages heard by ${living.length} staying and ${guests.length} changing clients in ${seconds.toFixed(1)} s ` +
        `(${Math.round(heard / seconds)}/s): 0 lost, 0 twice, 0 out of order; ${unrest.stays} joins, ${unrest.visits} visitors; ` +
        `of the killed worker a prefix of ${prefix} pairs`,
    );
    for (const { socket } of [...stayers, ...guests]) socket.close();
  });
});
