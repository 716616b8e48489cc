/** Namespaces that come and go leave nothing behind: no listeners, no handles, no members, no rooms; and they open again. */

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Manager, type Socket } from "socket.io-client";
import { parseAddress } from "../../src/address/address.js";
import { runProgram } from "../support/cli-process.js";
import { FabricHost } from "../support/fabric-host.js";
import { fixturePath, pause } from "../support/host.js";
import { timed } from "../support/stopwatch.js";

const isFull = process.env["TEST_SIZE"] === "full";
const namespaceCount = isFull ? 5_000 : 1_000;
const batchSize = 50;
const slots = [0, 1];
const patienceMs = 10_000;

interface Measures {
  readonly namespaces: readonly string[];
  readonly [name: string]: unknown;
}

const cleanup = { FABRIC_SERVER_OPTIONS: JSON.stringify({ cleanupEmptyChildNamespaces: true }) };

/** One connection, over which namespaces are opened and closed. */
class Visitor {
  readonly manager: Manager;

  constructor(url: string) {
    this.manager = new Manager(url, { transports: ["websocket"], reconnection: false });
  }

  /** Resolves when it is in the namespace; rejects when it is refused. */
  async enter(nsp: string, auth: Readonly<Record<string, unknown>> = {}): Promise<Socket> {
    const socket = this.manager.socket(nsp, { auth });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("connect_error", reject);
    });
    return socket;
  }

  /** The engine closes when the last namespace is left. */
  leave(): void {
    this.manager.engine.close();
  }
}

/** One on each worker; each stays in the main namespace, so that its connection stays. */
async function gatherVisitors(host: FabricHost): Promise<Visitor[]> {
  const bySlot = new Map<number, Visitor>();
  const strays: Visitor[] = [];
  while (bySlot.size < slots.length) {
    const visitor = new Visitor(host.host.url);
    const { id = "" } = await visitor.enter("/");
    const slot = parseAddress(id)?.workerSlot ?? -1;
    if (bySlot.has(slot)) strays.push(visitor);
    else bySlot.set(slot, visitor);
  }
  for (const stray of strays) stray.leave();
  return slots.map((slot) => bySlot.get(slot) as Visitor);
}

/** Opens namespaces on both workers, sends something in each, and closes them. */
async function comeAndGo(host: FabricHost, visitors: readonly Visitor[], from: number, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `/dynamic-${from + index}`);
  const sockets = await Promise.all(
    names.map(async (nsp) => await Promise.all(visitors.map(async (visitor) => await visitor.enter(nsp)))),
  );
  const told = sockets.flat().map(async (socket) => await new Promise((resolve) => socket.once("told", resolve)));
  await host.waitForServers(slots.length, slots, names.at(-1));
  for (const [socket] of sockets) socket?.emit("tell", "news");
  await timed(Promise.all(told), patienceMs, "the news in each namespace");
  for (const socket of sockets.flat()) socket.disconnect();
}

async function measure(host: FabricHost): Promise<Measures[]> {
  return await Promise.all(slots.map(async (slot) => await host.ask<Measures>(slot, "measure")));
}

/** What is measured when it fits, or at the end of patience: announcements of rooms that were left wait a second. */
async function measureUntil(
  host: FabricHost,
  fits: (measures: readonly Measures[]) => boolean,
): Promise<readonly Measures[]> {
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    const measures = await measure(host);
    if (fits(measures) || performance.now() > deadlineMs) return measures;
    await pause(50);
  }
}

/** No client, and no timer: the host may count no sessions before the workers have said that there are any. */
const areQuiet = (measures: readonly Measures[]): boolean =>
  measures.every(({ sids, resources }) => {
    const open = Object.keys(resources as object);
    return sids === 0 && !open.includes("TCPSocketWrap") && !open.includes("Timeout");
  });

describe("Dynamic namespaces on the routed fabric", { timeout: 240_000 }, () => {
  test(`${namespaceCount} that are opened and closed leave everything as it was`, async (t) => {
    await using host = await FabricHost.start({ workers: 2, env: cleanup });
    const settle = async (): Promise<void> => {
      await host.waitForNoSessions();
      await host.host.waitForStatus(({ router }) => router?.announcedRooms === 0, "no announced room");
    };
    const round = async (count: number): Promise<void> => {
      const visitors = await gatherVisitors(host);
      for (let done = 0; done < count; done += batchSize) await comeAndGo(host, visitors, done, batchSize);
      for (const visitor of visitors) visitor.leave();
      await settle();
    };
    await round(batchSize);
    const before = await measureUntil(host, areQuiet);
    assert.ok(areQuiet(before), JSON.stringify(before));
    const startedMs = performance.now();
    await round(namespaceCount);
    const seconds = (performance.now() - startedMs) / 1_000;
    assert.deepEqual(await measureUntil(host, (measures) => isDeepStrictEqual(measures, before)), before);
    // A namespace that had members on both workers has those that are there now.
    const [visitor] = await gatherVisitors(host);
    await visitor?.enter("/dynamic-1");
    assert.equal(await host.ask(0, "serverCount", { nsp: "/dynamic-1" }), 1);
    visitor?.leave();
    t.diagnostic(
      `${2 * namespaceCount} adapters came and went in ${seconds.toFixed(1)} s; as before: ${JSON.stringify(before)}`,
    );
  });

  test("one that is closed while another socket is on its way to it works again", async () => {
    await using host = await FabricHost.start({ workers: 2, env: cleanup });
    const [here, there] = (await gatherVisitors(host)) as [Visitor, Visitor];
    const nsp = "/dynamic-7";
    const arriving = here.enter(nsp, { hold: "arriving" });
    await host.worker(0).waitForNote(({ kind, key }) => kind === "held" && key === "arriving", "the socket on its way");
    // Refused on the same worker: it was the only one there, and the namespace is closed.
    const [refused, bystander] = (await gatherVisitors(host)) as [Visitor, Visitor];
    await assert.rejects(refused.enter(nsp, { refuse: true }), /refused/);
    assert.ok(!(await host.ask<Measures>(0, "measure")).namespaces.includes(nsp));
    await host.ask(0, "release", { key: "arriving" });
    const arrived = await arriving;
    const other = await there.enter(nsp);
    await host.waitForServers(2, [1], nsp);
    const hear = async (socket: Socket): Promise<unknown> =>
      await new Promise((resolve) => socket.once("told", resolve));
    const heard = Promise.all([hear(arrived), hear(other)]);
    other.emit("tell", "from there");
    assert.deepEqual((await timed(heard, patienceMs, "the news")).value, ["from there", "from there"]);
    const answered = Promise.all([hear(arrived), hear(other)]);
    arrived.emit("tell", "from here");
    assert.deepEqual((await timed(answered, patienceMs, "the answer")).value, ["from here", "from here"]);
    for (const visitor of [here, there, refused, bystander]) visitor.leave();
  });

  test("a program whose workers have closed their servers ends by itself", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "sbx-"));
    const program = fixturePath("fabric/closing-program.mjs");
    const { code, stdout, stderr, durationMs } = await runProgram(process.execPath, [program], {
      env: { TMPDIR: directory },
    });
    assert.deepEqual([code, stdout, stderr], [0, `${JSON.stringify({ codes: [0, 0] })}\n`, ""]);
    assert.deepEqual(readdirSync(directory), []);
    rmdirSync(directory);
    t.diagnostic(`it began and ended in ${Math.round(durationMs)} ms`);
  });
});
