/** Workers that grow too large or too old, or whose event loop hangs, are replaced, and the others' clients do not notice. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fixturePath, startHost } from "../support/host.js";
import { LightSocket } from "../support/light-socket.js";

const app = fixturePath("hygiene-app.mjs");
const limitBytes = 256 * 1024 * 1024;

test("a worker that has grown too large is replaced: a new one is ready before it drains", {
  timeout: 60_000,
}, async () => {
  await using host = await startHost({
    app,
    workers: 2,
    env: { SIGNALBOX_MAX_WORKER_RSS_BYTES: String(limitBytes), SIGNALBOX_DRAIN_TIMEOUT_MS: "500" },
  });
  const client = await LightSocket.open(host);
  const grown = await client.call<number>("grow", limitBytes);
  const record = await host.waitForLog(({ msg }) => msg.includes("(maxWorkerRssBytes): it is replaced"), "the reason");
  assert.equal(record.worker, grown);
  await client.closed;
  const status = await host.waitForStatus(
    ({ workers }) => workers.length === 2 && workers.every(({ slot }) => slot !== grown),
  );
  assert.ok(status.workers.every(({ state, restarts }) => state === "ready" && restarts === 0));
  assert.equal(status.counters['signalbox_workers_retired_total{reason="memory"}'], 1);
  const [ready, left] = ["worker 2 is ready", `worker ${grown} has left`].map((text) =>
    host.log.findIndex(({ msg }) => msg.startsWith(text)),
  );
  assert.ok(ready !== undefined && left !== undefined && ready >= 0 && ready < left);
  assert.equal(status.reload, null);
});

test("workers that are too old are replaced one after the other", { timeout: 60_000 }, async () => {
  await using host = await startHost({ app, workers: 2, env: { SIGNALBOX_MAX_WORKER_AGE_MS: "1500" } });
  const before = await host.readStatus();
  const pids = before.workers.map(({ pid }) => pid);
  let most = 0;
  await host.waitForStatus(({ workers, counters }) => {
    most = Math.max(most, workers.length);
    return (
      (counters['signalbox_workers_retired_total{reason="age"}'] ?? 0) >= 2 &&
      workers.every(({ pid }) => !pids.includes(pid))
    );
  });
  assert.ok(most <= 3, `${most} workers at a time`);
});

for (const how of ["endless loop", "endless expression"]) {
  test(`a worker that hangs in an ${how} is replaced, with its stack in the log`, { timeout: 60_000 }, async (t) => {
    await using host = await startHost({ app, workers: 2, env: { SIGNALBOX_HANG_TIMEOUT_MS: "1000" } });
    const clients = await Promise.all([LightSocket.open(host), LightSocket.open(host)]);
    const [hanging, other] = clients as [LightSocket, LightSocket];
    const startedMs = performance.now();
    hanging.emitTo("hang", how);
    await hanging.closed;
    const endedMs = Math.round(performance.now() - startedMs);
    t.diagnostic(`ended ${endedMs} ms after it began to hang`);
    assert.ok(endedMs >= 1_000, "not before the limit");
    const said = await host.waitForLog(({ msg }) => msg.includes("blocked for 1000 ms (hangTimeoutMs)"), "the report");
    await host.waitForLog(
      ({ msg, worker }) => worker === said.worker && /^ *at hangHere \(file:.*hygiene-app\.mjs:\d+:\d+\)$/.test(msg),
      "the stack",
    );
    await host.waitForStatus(({ workers }) =>
      workers.some(({ restarts, state }) => restarts === 1 && state === "ready"),
    );
    assert.equal(other.isClosed, false);
  });
}

test("a worker whose event loop runs, however busy, is left alone", { timeout: 60_000 }, async () => {
  await using host = await startHost({ app, workers: 1, env: { SIGNALBOX_HANG_TIMEOUT_MS: "1000" } });
  const client = await LightSocket.open(host);
  // Twice as long as the limit, in parts that are shorter.
  for (let part = 0; part < 4; part++) await client.call("busy", 500);
  const { workers } = await host.readStatus();
  assert.equal(workers[0]?.restarts, 0);
  assert.equal(client.isClosed, false);
});
