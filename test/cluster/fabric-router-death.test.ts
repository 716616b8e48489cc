/**
 * kill -9 of the router: no client notices, workers go on with their own clients, messages between workers wait for the
 * next router, and nothing is left over of the one that died.
 */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import type { FabricCounts } from "../../src/protocol/worker-messages.js";
import { FabricHost } from "../support/fabric-host.js";
import { pause } from "../support/host.js";
import type { LightSocket } from "../support/light-socket.js";
import { readRssKib } from "../support/memory.js";
import { timed } from "../support/stopwatch.js";

const isFull = process.env["TEST_SIZE"] === "full";
const deaths = isFull ? 20 : 5;
/** Meant to be within a second; a loaded machine gets three. */
const resumeLimitMs = 3_000;
/** `await socket.join()` waits for the router at most a second; a loaded machine gets two more. */
const joinLimitMs = 3_000;
/** Compiled code and garbage that waits for its collector; a leak of any size shows in more deaths. */
const memorySlackMib = 48;
const keptCount = 200;
const stoppedSlot = 3;

const readClockMs = (): number => Number(process.hrtime.bigint()) / 1e6;

interface Heard {
  readonly name: string;
  readonly values: readonly unknown[];
}

/** Resolves with the next event that fits. */
async function hear(socket: LightSocket, fits: (heard: Heard) => boolean): Promise<Heard> {
  return await new Promise((resolve) => {
    const look = (name: string, ...values: unknown[]): void => {
      if (!fits({ name, values })) return;
      socket.removeListener("said", look);
      resolve({ name, values });
    };
    socket.on("said", look);
  });
}

async function gather(host: FabricHost, room: string): Promise<LightSocket[]> {
  const sockets = await host.openOn(host.slots);
  await Promise.all(sockets.map(async (socket) => await socket.call("join", room)));
  return sockets;
}

async function awaitNotices(host: FabricHost, text: string): Promise<void> {
  await Promise.all(
    host.slots.map(async (slot) => {
      await host.host.waitForLog(({ msg, worker }) => worker === slot && msg.startsWith(text), `"${text}" of ${slot}`);
    }),
  );
}

/** The fewest of some looks: a question about the host's state is a connection as well, for a moment. */
async function countDescriptors(pids: readonly number[]): Promise<number[]> {
  const fewest = pids.map(() => Number.POSITIVE_INFINITY);
  for (let look = 0; look < 10; look++) {
    for (const [index, pid] of pids.entries()) {
      fewest[index] = Math.min(fewest[index] ?? 0, readdirSync(`/proc/${pid}/fd`).length);
    }
    await pause(20);
  }
  return fewest;
}

// Both at once: most of the time they wait.
describe("Death of the router", { timeout: 240_000, concurrency: true }, () => {
  test("while it is away workers serve their own clients; what they have for others arrives afterwards, in order", async (t) => {
    // Long enough for all that is to happen in between.
    await using host = await FabricHost.start({ env: { SIGNALBOX_RESTART_BACKOFF_MIN_MS: "2000" } });
    const sockets = await gather(host, "all");
    const heard = sockets.map((socket) => {
      const events: Heard[] = [];
      socket.on("said", (name, ...values) => events.push({ name, values }));
      return events;
    });
    await host.killRouter();
    const killedMs = performance.now();
    await awaitNotices(host, "the connection to the router is gone");

    const local = sockets.map(async (socket) => await hear(socket, ({ name }) => name === "local"));
    const own = sockets.map(async (socket, slot) => {
      return await hear(socket, ({ name, values }) => name === "own" && values[0] === slot);
    });
    for (const slot of host.slots) {
      await host.ask(slot, "emit", { event: "local", isLocal: true });
      await host.ask(slot, "emit", { event: "own", rooms: ["all"], args: [slot] });
      await host.ask(slot, "emitBoth", { room: "all", count: keptCount });
    }
    await Promise.all([...local, ...own]);
    const joins = sockets.map(async (socket, slot) => {
      return await timed(socket.call("join", `late-${slot}`), joinLimitMs, "a join without a router");
    });
    assert.equal((await host.readRouter()).state, "backoff", "all of that was without a router");
    const joinTimes = (await Promise.all(joins)).map(({ ms }) => ms);

    await awaitNotices(host, "connected to the router again");
    const awayMs = Math.round(performance.now() - killedMs);
    const ends = sockets.map(async (socket) => {
      await Promise.all(
        host.slots.map(async (slot) => {
          await hear(socket, ({ name, values }) => name === "end" && values[0] === slot);
        }),
      );
    });
    for (const slot of host.slots) await host.ask(slot, "emit", { event: "end", rooms: ["all"], args: [slot] });
    await Promise.all(ends);

    const numbers = Array.from({ length: keptCount }, (_, index) => index + 1);
    for (const [listener, events] of heard.entries()) {
      for (const slot of host.slots) {
        const ofSlot = events.filter(({ values }) => values[0] === slot);
        const kept = ofSlot.filter(({ name }) => name === "kept").map(({ values }) => values[1]);
        assert.deepEqual(kept, numbers, `worker ${slot}'s messages at the client of ${listener}`);
        const volatile = ofSlot.filter(({ name }) => name === "volatile");
        if (slot !== listener) assert.equal(volatile.length, 0, `worker ${slot}'s volatile ones at ${listener}`);
      }
      assert.equal(sockets[listener]?.isClosed, false);
    }
    const late = sockets.map(async (socket) => await hear(socket, ({ name }) => name === "late"));
    for (const slot of host.slots) {
      await host.ask((slot + 1) % host.workerCount, "emit", { event: "late", rooms: [`late-${slot}`] });
    }
    await Promise.all(late);
    t.diagnostic(`away for ${awayMs} ms; joins without it took ${joinTimes.join(", ")} ms`);
    for (const socket of sockets) socket.close();
  });

  test("of a worker that is stopped meanwhile: it has what was sent if it runs again in time, else its clients are told to come back", async (t) => {
    await using host = await FabricHost.start();
    const sockets = await gather(host, "all");
    const stopped = sockets[stoppedSlot] as LightSocket;
    const heard: unknown[] = [];
    stopped.on("said", (name, number) => name === "kept" && heard.push(number));
    const isLast = ({ values: [number] }: Heard): boolean => number === keptCount - 1;
    const sendWhileStopped = async (): Promise<void> => {
      host.signal(stoppedSlot, "SIGSTOP");
      const former = await host.killRouter();
      await host.host.waitForStatus(
        ({ router }) => router?.state === "ready" && router.pid !== former,
        "another router",
      );
      const last = hear(sockets[1] as LightSocket, isLast);
      await host.ask(0, "emitMany", { event: "kept", room: "all", count: keptCount });
      await last;
    };
    await sendWhileStopped();
    const last = hear(stopped, isLast);
    host.signal(stoppedSlot, "SIGCONT");
    await last;
    assert.deepEqual(
      heard,
      Array.from({ length: keptCount }, (_, index) => index),
    );

    await sendWhileStopped();
    await host.host.waitForLog(({ msg }) => msg.startsWith("worker 3 has not come back"), "its absence");
    assert.equal(stopped.isClosed, false);
    const continued = host.signal(stoppedSlot, "SIGCONT");
    await stopped.closed;
    const closedMs = Math.round(performance.now() - continued.atMs);
    assert.equal(heard.length, keptCount);
    const { framesMissed } = await host.ask<FabricCounts>(stoppedSlot, "fabricCounts");
    assert.ok(framesMissed >= keptCount, `${framesMissed} frames missed`);
    const { counters } = await host.host.waitForStatus(
      (status) => status.counters.signalbox_fabric_frames_missed_total === framesMissed,
      "the worker's count",
    );
    assert.equal(counters.signalbox_router_lost_frames_total, framesMissed);
    t.diagnostic(`${framesMissed} frames missed, its client was closed ${closedMs} ms after it was let run`);
    for (const socket of sockets) socket.close();
  });

  test(`${deaths} times in a row: messages between workers resume, no client is cut off, nothing is left over`, async (t) => {
    await using host = await FabricHost.start({ env: { SIGNALBOX_RESTART_BACKOFF_MAX_MS: "40" } });
    const sockets = await gather(host, "load");
    const faults: string[] = [];
    let missing = 0;
    for (const socket of sockets) {
      const lastBySender = new Map<unknown, number>();
      socket.on("said", (_name, sender, value) => {
        const number = Number(value);
        const last = lastBySender.get(sender) ?? 0;
        if (number <= last) faults.push(`${number} of worker ${String(sender)} came after ${last}`);
        missing += Math.max(0, number - last - 1);
        lastBySender.set(sender, number);
      });
    }
    for (const slot of host.slots) await host.ask(slot, "startLoad", { perSecond: 50, bytes: 10 });
    const pids = [host.host.pid, ...host.slots.map((slot) => host.worker(slot).pid)];
    // Of the first death some things are made once.
    await dieOnce(host, sockets);
    const descriptors = await countDescriptors(pids);
    const rssKib = pids.map(readRssKib);
    const resumed: number[] = [];
    for (let death = 0; death < deaths; death++) resumed.push(await dieOnce(host, sockets));
    for (const slot of host.slots) await host.ask(slot, "stopLoad");
    assert.deepEqual(faults, []);
    assert.ok(sockets.every((socket) => !socket.isClosed));
    assert.deepEqual(await countDescriptors(pids), descriptors, "open descriptors of the primary and the workers");
    const grownMib = pids.map((pid, index) => (readRssKib(pid) - (rssKib[index] ?? 0)) / 1_024);
    assert.ok(Math.max(...grownMib) < memorySlackMib, `memory grew by ${grownMib.join(", ")} MiB`);
    t.diagnostic(
      `messages of all workers at all clients again ${resumed.join(", ")} ms after each kill; ${missing} went with the routers ` +
        `(of ${host.slots.length * 50}/s); descriptors ${descriptors.join(", ")} as before; memory grew by ` +
        `${grownMib.map((mib) => mib.toFixed(1)).join(", ")} MiB`,
    );
    for (const socket of sockets) socket.close();
  });
});

/** Kills the router, and resolves with the time until every client has heard a later message of every other worker. */
async function dieOnce(host: FabricHost, sockets: readonly LightSocket[]): Promise<number> {
  await host.killRouter();
  const killedMs = readClockMs();
  const isLater =
    (slot: number) =>
    ({ name, values }: Heard): boolean =>
      name === "load" && values[0] === slot && Number(values[2]) > killedMs;
  const all = sockets.flatMap((socket, at) =>
    host.slots.filter((slot) => slot !== at).map(async (slot) => await hear(socket, isLater(slot))),
  );
  const { ms } = await timed(Promise.all(all), resumeLimitMs, "messages of all workers at all clients");
  await host.host.waitForStatus(({ router }) => router?.state === "ready", "the router");
  return ms;
}
