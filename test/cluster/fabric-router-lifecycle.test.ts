/** The router begins before the workers and ends after them, and whatever happens to the primary, none is left. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import type { Socket } from "socket.io-client";
import { fetchText, fixturePath, isAlive, startHost, type TestHost, waitUntilGone } from "../support/host.js";
import { connectToEachWorker, listRouters, readRouter, sendAcross, startRoutedHost } from "../support/routed-host.js";
import { awaitEvent, connectOver } from "../support/use-sockets.js";

const drainApp = fixturePath("drain-message-app.mjs");
const lifecycleApp = fixturePath("lifecycle-app.mjs");

async function readRouterPid(host: TestHost): Promise<number> {
  return (await readRouter(host)).pid ?? 0;
}

function findLine(host: TestHost, text: string): number {
  return host.log.findIndex(({ msg }) => msg.startsWith(text));
}

test("the host says who its router is, and how it does", async () => {
  await using host = await startRoutedHost({ workers: 2 });
  const clients = await connectToEachWorker(host, 2);
  try {
    await clients[0]?.emitWithAck("join", "room");
    const { router, fabric } = await host.waitForStatus(({ router }) => router?.announcedRooms === 1, "the room");
    assert.equal(fabric, "routed");
    assert.deepEqual(listRouters(host.pid), [router?.pid]);
    const { stateSeconds, queuedBytes, ...rest } = await readRouter(host);
    assert.ok(stateSeconds > 0);
    // A ping may be on its way out.
    assert.deepEqual(Object.keys(queuedBytes), ["0", "1"]);
    assert.ok(Object.values(queuedBytes).every((bytes) => bytes < 100));
    assert.deepEqual(rest, {
      pid: router?.pid,
      state: "ready",
      restarts: 0,
      stalledWorkers: [],
      lostFrames: 0,
      announcedRooms: 1,
    });
    const { body } = await fetchText(`http://127.0.0.1:${host.adminPort}/metrics`);
    for (const line of ["up 1", "restarts_total 0", "connected_workers 2", "stalled_workers 0", "announced_rooms 1"]) {
      assert.match(body, new RegExp(`^signalbox_router_${line}$`, "m"));
    }
    assert.match(body, /^signalbox_router_queued_bytes\{worker="1"\} \d+$/m);
    const [one, other] = clients as [Socket, Socket];
    await sendAcross(one, other, "room", "counted");
    await host.waitForStatus(({ counters }) => counters.signalbox_fabric_broadcasts_received_total === 1, "the count");
  } finally {
    for (const client of clients) client.disconnect();
  }
});

test("a host with the fabric stock has no router: neither process, nor status, nor metrics", async () => {
  await using host = await startHost({
    app: fixturePath("echo-app.mjs"),
    workers: 2,
    env: { SIGNALBOX_FABRIC: "stock" },
  });
  assert.deepEqual(listRouters(host.pid), []);
  assert.equal((await host.readStatus()).router, null);
  assert.doesNotMatch(
    (await fetchText(`http://127.0.0.1:${host.adminPort}/metrics`)).body,
    /signalbox_(router|fabric)/,
  );
});

test("a worker that hangs is named as stalled, and the others go on", async () => {
  await using host = await startRoutedHost({ workers: 2 });
  const clients = await connectToEachWorker(host, 2);
  try {
    clients[1]?.emit("block", 4_000);
    const status = await host.waitForStatus(({ router }) => router?.stalledWorkers.length === 1, "the stalled worker");
    assert.deepEqual(status.router?.stalledWorkers, [1]);
    await host.waitForLog(({ msg, level }) => level === 40 && msg.startsWith("worker 1 does not answer the router"));
    await host.waitForLog(({ msg, level }) => level === 30 && msg.startsWith("worker 1 answers the router again"));
    await host.waitForStatus(({ router }) => router?.stalledWorkers.length === 0, "its return");
  } finally {
    for (const client of clients) client.disconnect();
  }
});

test("a worker that is replaced has left the router, and the next one takes its place", async () => {
  await using host = await startRoutedHost({ workers: 2 });
  const { workers } = await host.readStatus();
  process.kill(workers[1]?.pid ?? 0, "SIGKILL");
  await host.waitForLog(({ msg }) => msg.startsWith("worker 1 has left the router"));
  await host.waitForStatus((status) => status.workers[1]?.state === "ready" && status.workers[1].restarts === 1);
  const connections = (): number => host.log.filter(({ msg }) => msg === "worker 1 has connected to the router").length;
  await host.waitForLog(() => connections() === 2, "its connection");
  const clients = await connectToEachWorker(host, 2);
  for (const client of clients) client.disconnect();
  assert.equal((await readRouter(host)).restarts, 0);
});

test("SIGTERM: workers exchange messages while they drain, then the router ends, then the host", async () => {
  await using host = await startRoutedHost({ app: drainApp, workers: 2 });
  const routerPid = await readRouterPid(host);
  assert.deepEqual(await host.stop(), { code: 0, signal: null });
  assert.deepEqual(await waitUntilGone([routerPid], 0), [], "no router outlives the primary");
  assert.equal(host.stderr, "");
  assert.deepEqual(readdirSync(host.runtimeDir), [], "the directory of the host is gone, the router's socket with it");

  const drained = host.log.filter(({ msg }) => msg.startsWith("while draining: ")).map(({ msg }) => msg);
  assert.deepEqual(drained.sort(), ["while draining: 1 answer", "while draining: 1 answer"]);
  for (const slot of [0, 1]) {
    const line = host.log[findLine(host, `worker ${slot} has left the router`)];
    assert.equal(line?.pid, routerPid, "the router was there when the worker ended");
  }
  assert.ok(findLine(host, "All workers have ended") > 0);
});

test("at the deadline of a drain the router ends with the workers that are killed", async () => {
  const env = { SIGNALBOX_DRAIN_TIMEOUT_MS: "200", APP_DRAIN: "never" };
  await using host = await startRoutedHost({ app: lifecycleApp, workers: 2, env });
  const routerPid = await readRouterPid(host);
  assert.deepEqual(await host.stop(), { code: 0, signal: null });
  assert.deepEqual(await waitUntilGone([routerPid], 1_000), []);
});

test("a host that is told to end while its router hangs ends all the same", async (t) => {
  await using host = await startRoutedHost({ workers: 1 });
  const routerPid = await readRouterPid(host);
  process.kill(routerPid, "SIGSTOP");
  const startedMs = performance.now();
  assert.deepEqual(await host.stop(), { code: 0, signal: null });
  t.diagnostic(`SIGTERM to exit with a router that hangs: ${Math.round(performance.now() - startedMs)} ms`);
  assert.deepEqual(await waitUntilGone([routerPid], 0), []);
});

test("kill -9 of the primary ends the router", async (t) => {
  await using host = await startRoutedHost({ workers: 2 });
  const routerPid = await readRouterPid(host);
  assert.ok(isAlive(routerPid));
  const startedMs = performance.now();
  host.process.kill("SIGKILL");
  await host.exited;
  assert.deepEqual(await waitUntilGone([routerPid], 6_000), []);
  t.diagnostic(`kill -9 of the primary to the end of the router: ${Math.round(performance.now() - startedMs)} ms`);
});

test("Ctrl-C, which the terminal sends to every process, is the primary's to obey", async () => {
  await using host = await startRoutedHost({ workers: 2 });
  const routerPid = await readRouterPid(host);
  const client: Socket = await connectOver(host.url, ["websocket"]);
  const disconnected = awaitEvent(client, "disconnect");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(routerPid, signal);
  assert.deepEqual(await client.emitWithAck("echo", "still there"), "still there");
  assert.deepEqual(listRouters(host.pid), [routerPid]);
  assert.equal((await readRouter(host)).restarts, 0);
  assert.deepEqual(await host.stop("SIGINT"), { code: 0, signal: null });
  assert.equal(await disconnected, "transport close");
});
