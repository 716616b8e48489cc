/** What dies is replaced, and whatever dies, nothing is left behind. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { io as connectClient, type Socket } from "socket.io-client";
import type { HostStatus } from "../../src/protocol/host-status.js";
import { fixturePath, type LogRecord, startHost, type TestHost, waitUntilGone } from "../support/host.js";
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

test("the wait before a restart doubles from crash to crash, up to its limit", async () => {
  const env = { SIGNALBOX_RESTART_BACKOFF_MIN_MS: "20", SIGNALBOX_RESTART_BACKOFF_MAX_MS: "100" };
  await using host = await startHost({ app, workers: 1, env });
  for (let crash = 0; crash < 5; crash++) await killAndAwaitNext(host, 0);
  const waits = host.log.flatMap(
    (record) => /started again in (\d+) ms \(restart (\d+)\)/.exec(record.msg)?.slice(1) ?? [],
  );
  assert.deepEqual(waits, ["20", "1", "40", "2", "80", "3", "100", "4", "100", "5"]);
});

test("the first restart waits for half a second by default", async (t) => {
  await using host = await startHost({ app, workers: 1 });
  await killAndAwaitNext(host, 0);
  const timeOf = (record: LogRecord): number => Number(record.time);
  const ended = await host.waitForLog((record) => record.msg.endsWith("started again in 500 ms (restart 1)"));
  const ready = await host.waitForLog(
    (record) => /worker 0 is ready/.test(record.msg) && timeOf(record) > timeOf(ended),
  );
  const waitedMs = timeOf(ready) - timeOf(ended) - Number(ready.bootMs);
  t.diagnostic(`from end to fork: ${waitedMs} ms`);
  assert.ok(waitedMs >= 495 && waitedMs < 1_500, `${waitedMs} ms`);
});

test("workers that never get ready are given up with exit code 5 after the restarts that are allowed", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-flag-"));
  try {
    const flag = join(directory, "flag");
    writeFileSync(flag, "");
    const env = { ...quickRestarts, APP_EXIT_FLAG: flag };
    await using host = await startHost({ app, workers: 1, isReadyAwaited: false, env });
    assert.deepEqual(await host.exited, { code: 5, signal: null });
    assert.equal(host.stderr, giveUpMessage);
    assert.equal(countRestarts(host), 3);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("the same holds for a host that has served before", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-flag-"));
  try {
    const flag = join(directory, "flag");
    await using host = await startHost({ app, workers: 2, env: { ...quickRestarts, APP_EXIT_FLAG: flag } });
    const { workers } = await host.readStatus();
    writeFileSync(flag, "");
    for (const { pid } of workers) process.kill(pid ?? 0, "SIGKILL");
    assert.deepEqual(await host.exited, { code: 5, signal: null });
    assert.equal(host.stderr, giveUpMessage);
    // The limit is each worker's own: the first that reaches it ends the host.
    assert.ok(countRestarts(host) >= 3 && countRestarts(host) <= 6, `${countRestarts(host)} restarts`);
    assert.ok(host.log.some(({ msg }) => msg.endsWith("(restart 3)")));
    assert.ok(!host.log.some(({ msg }) => msg.endsWith("(restart 4)")));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("one worker that cannot start again does not end a host whose other workers serve", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-flag-"));
  try {
    const flag = join(directory, "flag");
    await using host = await startHost({ app, workers: 2, env: { ...quickRestarts, APP_EXIT_FLAG: flag } });
    const { workers } = await host.readStatus();
    writeFileSync(flag, "");
    process.kill(workers[1]?.pid ?? 0, "SIGKILL");
    await host.waitForStatus((status) => (status.workers[1]?.restarts ?? 0) > 4, "more restarts than the limit");
    rmSync(flag);
    const status = await host.waitUntilReady(2);
    assert.equal(pidOf(status, 0), workers[0]?.pid);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

const quickRestarts = {
  SIGNALBOX_MAX_RESTARTS: "3",
  SIGNALBOX_RESTART_BACKOFF_MIN_MS: "5",
  SIGNALBOX_RESTART_BACKOFF_MAX_MS: "10",
};
const giveUpMessage = "signalbox: no worker became ready in 3 restarts (the last ended with exit code 7): giving up.\n";

function countRestarts(host: TestHost): number {
  return host.log.filter((record) => record.msg.includes("started again in")).length;
}
