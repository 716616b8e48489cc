/**
 * A worker that is stopped under load: memory stays bounded, its siblings' messages are as fast as before, it is reported,
 * and when it runs again it has all its messages, or has told its clients to come back.
 */

import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { io as connectClient, type Socket } from "socket.io-client";
import type { HostStatus } from "../../src/protocol/host-status.js";
import type { FabricCounts } from "../../src/protocol/worker-messages.js";
import { FabricHost, percentile } from "../support/fabric-host.js";
import { pause } from "../support/host.js";
import type { LightSocket } from "../support/light-socket.js";
import { readRssKib } from "../support/memory.js";

const isFull = process.env["TEST_SIZE"] === "full";
const windowMs = 500;
const maxWarmUpWindows = 16;
const windowsBefore = isFull ? 10 : 5;
const windowsStopped = isFull ? 40 : 12;
const stoppedSlot = 3;
const siblingSlots = [0, 1, 2];
const perSecond = 350;
const bytes = 1_024;
/** The first holds all that waits for the stopped worker, the second does not. */
const roomyMib = 64;
const narrowMib = 3;
/** A stalled sibling costs the others nothing: three times is what the machine's noise may cost. */
const maxSlowdown = 3;
/** Below this a difference is the scheduler's. */
const leastLatencyMs = 10;
/** Beside what waits for the stopped worker: buffers of the kernel and of Node, garbage that waits for its collector. */
const memorySlackMib = 64;

const readClockMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** What a client hears of the load. */
class LoadListener {
  readonly socket: LightSocket;
  readonly slot: number;
  latencies: number[] = [];
  readonly lastBySender = new Map<number, number>();
  readonly faults: string[] = [];

  constructor(socket: LightSocket, slot: number) {
    this.socket = socket;
    this.slot = slot;
    socket.on("said", (name, ...values) => {
      if (name === "load") this.#take(...(values as [number, number, number]));
    });
  }

  #take(sender: number, number: number, sentMs: number): void {
    const last = this.lastBySender.get(sender) ?? 0;
    if (number !== last + 1) this.faults.push(`${number} of worker ${sender} came after ${last}`);
    this.lastBySender.set(sender, number);
    if (sender !== this.slot) this.latencies.push(readClockMs() - sentMs);
  }
}

/** One window after the other: the 99th percentile of the latencies among siblings in each, and the most memory held. */
async function watch(
  host: FabricHost,
  siblings: readonly LoadListener[],
  windows: number,
): Promise<{ p99s: number[]; medians: number[]; routerMib: number; siblingMib: number }> {
  const { pid } = await host.readRouter();
  const p99s: number[] = [];
  const medians: number[] = [];
  let routerMib = 0;
  let siblingMib = 0;
  for (let window = 0; window < windows; window++) {
    for (const sibling of siblings) sibling.latencies = [];
    await pause(windowMs);
    const latencies = siblings.flatMap((sibling) => sibling.latencies);
    p99s.push(percentile(latencies, 0.99));
    medians.push(percentile(latencies, 0.5));
    routerMib = Math.max(routerMib, readRssKib(pid ?? 0) / 1_024);
    for (const slot of siblingSlots) siblingMib = Math.max(siblingMib, readRssKib(host.worker(slot).pid) / 1_024);
  }
  return { p99s, medians, routerMib, siblingMib };
}

/** Code that is compiled while it runs, and ten processes that do so at once, are not what is measured. */
async function warmUp(host: FabricHost, siblings: readonly LoadListener[]): Promise<void> {
  for (let window = 0; window < maxWarmUpWindows; window++) {
    const { medians } = await watch(host, siblings, 1);
    if ((medians[0] ?? 0) < leastLatencyMs / 2) return;
  }
}

interface Scene {
  readonly host: FabricHost;
  readonly siblings: readonly LoadListener[];
  readonly stopped: LoadListener;
  /** Ends the load, and resolves when the siblings have heard all of it. */
  readonly endLoad: () => Promise<Map<number, number>>;
}

/** Runs the load, stops a worker for a while, and looks at everybody else. */
async function stopUnderLoad(t: TestContext, host: FabricHost, maxOutboxMib: number): Promise<Scene> {
  const sockets = await host.openOn(host.slots);
  await Promise.all(sockets.map(async (socket) => await socket.call("join", "load")));
  const listeners = sockets.map((socket, slot) => new LoadListener(socket, slot));
  const siblings = listeners.slice(0, stoppedSlot);
  for (const slot of siblingSlots) await host.ask(slot, "startLoad", { perSecond, bytes });
  await warmUp(host, siblings);
  const calm = await watch(host, siblings, windowsBefore);

  host.signal(stoppedSlot, "SIGSTOP");
  const during = await watch(host, siblings, windowsStopped);
  await host.host.waitForLog(({ msg }) => msg.startsWith("worker 3 does not answer the router"), "the report");
  const { stalledWorkers, queuedBytes } = await host.readRouter();
  assert.deepEqual(stalledWorkers, [stoppedSlot]);

  const p99 = { before: percentile(calm.p99s, 0.5), during: percentile(during.p99s, 0.5) };
  // Other processes of the machine disturb some windows; what a stopped worker costs would be in all of them.
  const quiet = { before: percentile(calm.p99s, 0.25), during: percentile(during.p99s, 0.25) };
  const median = { before: percentile(calm.medians, 0.5), during: percentile(during.medians, 0.5) };
  const show = (value: number): string => value.toFixed(1);
  const sentMib = (siblingSlots.length * perSecond * bytes * windowsStopped * windowMs) / 1_000 / 1_048_576;
  t.diagnostic(
    `outbox of ${maxOutboxMib} MiB for ${show(sentMib)} MiB in ${(windowsStopped * windowMs) / 1_000} s. Among siblings, medians of windows: ` +
      `p99 ${show(p99.before)} ms before, ${show(p99.during)} ms during (quiet windows ${show(quiet.before)} and ${show(quiet.during)}); p50 ${show(median.before)} and ${show(median.during)} ms. ` +
      `Router ${show(calm.routerMib)} MiB before, at most ${show(during.routerMib)} MiB during; ` +
      `siblings ${show(calm.siblingMib)} and ${show(during.siblingMib)} MiB; ${queuedBytes[stoppedSlot] ?? 0} bytes wait`,
  );
  const limitMs = maxSlowdown * Math.max(quiet.before, leastLatencyMs);
  assert.ok(quiet.during <= limitMs, `the siblings' p99 rose to ${quiet.during} ms`);
  const routerGrowthMib = during.routerMib - calm.routerMib;
  assert.ok(
    routerGrowthMib < Math.min(maxOutboxMib, sentMib) + memorySlackMib,
    `the router grew by ${routerGrowthMib} MiB`,
  );
  assert.ok(during.siblingMib - calm.siblingMib < memorySlackMib, `a sibling has ${during.siblingMib} MiB`);

  const endLoad = async (): Promise<Map<number, number>> => {
    const totals = new Map<number, number>();
    for (const slot of siblingSlots) totals.set(slot, await host.ask<number>(slot, "stopLoad"));
    for (const listener of siblings) await waitForTotals(listener, totals);
    for (const { faults } of siblings) assert.deepEqual(faults, []);
    return totals;
  };
  return { host, siblings, stopped: listeners[stoppedSlot] as LoadListener, endLoad };
}

/** Resolves when the client has heard the last of each sender. */
async function waitForTotals(
  { socket, lastBySender }: LoadListener,
  totals: ReadonlyMap<number, number>,
): Promise<void> {
  const isDone = (): boolean => [...totals].every(([slot, total]) => (lastBySender.get(slot) ?? 0) >= total);
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (!isDone()) return;
      socket.removeListener("said", look);
      resolve();
    };
    void socket.closed.then(() => reject(new Error("the connection closed before all had come")));
    socket.on("said", look);
    look();
  });
}

async function sumCounts(host: FabricHost, name: keyof FabricCounts): Promise<number[]> {
  return await Promise.all(host.slots.map(async (slot) => (await host.ask<FabricCounts>(slot, "fabricCounts"))[name]));
}

/** A client that comes back by itself, on the worker that is going to be stopped. */
async function connectOnStopped(host: FabricHost): Promise<Socket> {
  const strays: Socket[] = [];
  for (;;) {
    const client = connectClient(host.host.url, { transports: ["websocket"], forceNew: true, reconnectionDelay: 50 });
    await new Promise<void>((resolve) => client.once("connect", resolve));
    if ((await client.emitWithAck("slot")) !== stoppedSlot) {
      strays.push(client);
      continue;
    }
    for (const stray of strays) stray.disconnect();
    return client;
  }
}

const startHost = async (maxOutboxMib: number): Promise<FabricHost> =>
  await FabricHost.start({ env: { SIGNALBOX_MAX_OUTBOX_BYTES: String(maxOutboxMib * 1_048_576) } });

// Both at once: most of the time they wait. Both are up before either measures.
describe("A worker that is stopped under load", { timeout: 240_000, concurrency: true }, () => {
  let roomy: FabricHost;
  let narrow: FabricHost;
  before(async () => {
    [roomy, narrow] = await Promise.all([startHost(roomyMib), startHost(narrowMib)]);
  });
  after(async () => {
    await Promise.all([roomy, narrow].map(async (host) => await host[Symbol.asyncDispose]()));
  });

  test("has all its messages in order when it runs again, if they fit the outbox", async (t) => {
    const host = roomy;
    const { siblings, stopped, endLoad } = await stopUnderLoad(t, host, roomyMib);
    const continued = host.signal(stoppedSlot, "SIGCONT");
    await host.host.waitForLog(({ msg }) => msg.startsWith("worker 3 answers the router again"), "its return");
    const totals = await endLoad();
    await waitForTotals(stopped, totals);
    const ms = Math.round(performance.now() - continued.atMs);
    assert.deepEqual(stopped.faults, []);
    assert.equal(stopped.socket.isClosed, false);
    const isCalm = ({ router }: HostStatus): boolean => router?.stalledWorkers.length === 0;
    assert.equal((await host.host.waitForStatus(isCalm, "no stalled worker")).router?.lostFrames, 0);
    assert.deepEqual(await sumCounts(host, "framesMissed"), [0, 0, 0, 0]);
    t.diagnostic(`${[...totals.values()].join(" + ")} messages heard in order, the last ${ms} ms after it was let run`);
    for (const { socket } of [...siblings, stopped]) socket.close();
  });

  test("closes its clients' connections when it runs again, if messages did not fit; both sides count the same", async (t) => {
    const host = narrow;
    const client = await connectOnStopped(host);
    const { siblings, stopped, endLoad } = await stopUnderLoad(t, host, narrowMib);
    await host.host.waitForLog(
      ({ msg }) => msg.startsWith("worker 3 does not take its messages fast enough"),
      "the report",
    );
    const left = new Promise<string>((resolve) => client.once("disconnect", resolve));
    const back = new Promise<void>((resolve) => client.once("connect", resolve));
    const continued = host.signal(stoppedSlot, "SIGCONT");
    assert.equal(await left, "transport close");
    await back;
    const backMs = Math.round(performance.now() - continued.atMs);
    await stopped.socket.closed;
    await client.emitWithAck("join", "load");
    // It is told of what comes from now on.
    await new Promise((resolve) => client.once("load", resolve));
    await endLoad();
    const missed = await sumCounts(host, "framesMissed");
    const total = missed[stoppedSlot] ?? 0;
    const isCounted = ({ router, counters }: HostStatus): boolean =>
      (router?.lostFrames ?? 0) >= total && (counters.signalbox_fabric_frames_missed_total ?? 0) >= total;
    const { router, counters } = await host.host.waitForStatus(isCounted, "the counts of both sides");
    t.diagnostic(
      `its client was back ${backMs} ms after it was let run; the router lost ${router?.lostFrames} frames, it missed ${total}`,
    );
    assert.ok(total > 0);
    assert.deepEqual(missed, [0, 0, 0, total]);
    const counted = [counters.signalbox_router_lost_frames_total, counters.signalbox_fabric_frames_missed_total];
    assert.deepEqual([router?.lostFrames, ...counted], [total, total, total]);
    client.disconnect();
    for (const { socket } of siblings) socket.close();
  });
});
