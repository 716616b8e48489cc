/** What dies is replaced, and whatever dies, nothing is left behind. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { io as connectClient, type Socket } from "socket.io-client";
import type { HostStatus } from "../../src/protocol/host-status.js";
import { fixturePath, startHost, type TestHost, waitUntilGone } from "../support/host.js";
import { awaitEvent } from "../support/use-sockets.js";

const app = fixturePath("lifecycle-app.mjs");
const pidOf = (status: HostStatus, slot: number): number => status.workers[slot]?.pid ?? 0;

async function connectWebSocket(host: TestHost): Promise<{ client: Socket; worker: number; pid: number }> {
  const client = connectClient(host.url, { transports: ["websocket"], forceNew: true, reconnectionDelay: 50 });
  await awaitEvent(client, "connect");
  return { client, ...((await client.emitWithAck("who")) as { worker: number; pid: number }) };
}

/** Kills the worker of a slot and resolves when another is ready in its place. */
async function killAndAwaitNext(host: TestHost, slot: number): Promise<HostStatus> {
  const pid = pidOf(await host.readStatus(), slot);
  process.kill(pid, "SIGKILL");
  return await host.waitForStatus((status) => pidOf(status, slot) !== pid && status.workers[slot]?.state === "ready");
}

test("kill -9 of the primary leaves no process, a worker in an endless loop included", async (t) => {
  await using host = await startHost({ app, workers: 3 });
  const workers = (await host.readStatus()).workers.map((worker) => worker.pid ?? 0);
  get(`${host.url}/loop`, { agent: false }).on("error", () => {});
  const { worker: looping } = await host.waitForLog((record) => record.msg === "looping");
  const startedMs = performance.now();
  host.process.kill("SIGKILL");
  await host.exited;
  const healthy = workers.filter((_, slot) => slot !== looping);
  assert.deepEqual(await waitUntilGone(healthy, 6_000), []);
  t.diagnostic(`kill -9 of the primary to the end of healthy workers: ${Math.round(performance.now() - startedMs)} ms`);
  assert.deepEqual(await waitUntilGone(workers, 6_000), []);
  t.diagnostic(`and of the worker in an endless loop: ${Math.round(performance.now() - startedMs)} ms`);
});

test("a host that starts where one was killed takes the place over", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-"));
  try {
    const env = { SIGNALBOX_LISTEN: join(directory, "public.sock"), SIGNALBOX_RUNTIME_DIR: join(directory, "run") };
    await using killed = await startHost({ app, workers: 1, env });
    killed.process.kill("SIGKILL");
    await killed.exited;
    await using next = await startHost({ app, workers: 1, env });
    assert.equal((await next.readStatus()).state, "running");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("a killed worker is replaced, and the clients of the others notice nothing", async () => {
  await using host = await startHost({ app, workers: 3, env: { SIGNALBOX_RESTART_BACKOFF_MIN_MS: "20" } });
  const before = await host.readStatus();
  const clients = await Promise.all(Array.from({ length: 6 }, async () => await connectWebSocket(host)));
  try {
    const victim = clients[0] as (typeof clients)[number];
    const lost: string[] = [];
    const others = clients.filter((entry) => entry.worker !== victim.worker);
    assert.ok(others.length > 0);
    for (const { client } of others) client.on("disconnect", (reason) => lost.push(reason));

    const back = new Promise((resolve) => victim.client.io.once("reconnect", resolve));
    const after = await killAndAwaitNext(host, victim.worker);
    await back;
    await host.waitForLog(
      (record) =>
        record.msg === `worker ${victim.worker} ended (SIGKILL); started again in 20 ms (restart 1)` &&
        record.worker === victim.worker,
      "the line about the restart",
    );
    assert.deepEqual(
      after.workers.map((worker) => worker.restarts),
      [0, 1, 2].map((slot) => (slot === victim.worker ? 1 : 0)),
    );
    for (const { client, pid, worker } of others) {
      assert.equal(pidOf(after, worker), pidOf(before, worker));
      assert.deepEqual(await client.emitWithAck("who"), { worker, pid }, "still on the same worker");
    }
    assert.deepEqual(lost, []);
    assert.equal(after.counters.signalbox_worker_restarts_total, 1);
  } finally {
    for (const { client } of clients) client.disconnect();
  }
});
