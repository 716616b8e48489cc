/** A router that dies, hangs or cannot start is replaced, while the workers serve their clients. */

import assert from "node:assert/strict";
import { mkdirSync, rmdirSync, rmSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Socket } from "socket.io-client";
import { fetchText, fixturePath, type TestHost, waitUntilGone } from "../support/host.js";
import {
  connectToEachWorker,
  findRouterSocket,
  listRouters,
  readRouter,
  sendAcross,
  startRoutedHost,
  waitForNextRouter,
  waitForWorkersAt,
} from "../support/routed-host.js";

/** What a restart takes on an idle machine is a seventh of this; a busy one may need three times as long. */
const restartLimitMs = 3 * 1_000;

async function readReadiness(host: TestHost): Promise<[status: number, reason: string]> {
  const { status, body } = await fetchText(`http://127.0.0.1:${host.adminPort}/readyz`);
  return [status, body.trimEnd()];
}

async function readRouterPid(host: TestHost): Promise<number> {
  return (await readRouter(host)).pid ?? 0;
}

/** Kills the router, and resolves when all workers have connected to the next. */
async function replaceRouter(
  host: TestHost,
  signal: NodeJS.Signals,
  workers: number,
): Promise<{ tookMs: number; pid: number }> {
  const former = await readRouterPid(host);
  const startedMs = performance.now();
  const pid = await waitForNextRouter(host, () => process.kill(former, signal));
  const tookMs = performance.now() - startedMs;
  await waitForWorkersAt(host, pid, workers);
  assert.deepEqual(await waitUntilGone([former], 0), []);
  return { tookMs, pid };
}

test("a killed router is replaced within a second, and the workers reach each other again", async (t) => {
  const workers = 2;
  await using host = await startRoutedHost({ workers });
  const clients = await connectToEachWorker(host, workers);
  const [one, other] = clients as [Socket, Socket];
  try {
    await sendAcross(one, other, "room", "before");
    await host.waitForStatus(({ counters }) => (counters.signalbox_router_frames_in_total ?? 0) > 0, "counts");
    const before = await host.readStatus();
    for (let restarts = 1; restarts <= 3; restarts++) {
      const { tookMs } = await replaceRouter(host, "SIGKILL", workers);
      t.diagnostic(`kill -9 of the router until the next one listens: ${Math.round(tookMs)} ms`);
      assert.ok(tookMs < restartLimitMs, `${tookMs} ms`);
      await sendAcross(one, other, "room", `after restart ${restarts}`);
      await sendAcross(other, one, "room", `after restart ${restarts}, back`);
      assert.deepEqual(await readReadiness(host), [200, "ok"]);
      assert.equal((await readRouter(host)).restarts, restarts);
    }
    assert.ok(
      host.log.some(
        ({ msg, level }) =>
          level === 40 && msg.startsWith("the router ended (SIGKILL); started again in 1 ms (restart 1)"),
      ),
    );
    const after = await host.waitForStatus(
      ({ counters }) =>
        (counters.signalbox_router_frames_in_total ?? 0) > (before.counters.signalbox_router_frames_in_total ?? 0),
      "counts that go on",
    );
    assert.equal(after.counters.signalbox_router_restarts_total, 3);
    assert.deepEqual(
      after.workers.map(({ pid, restarts }) => [pid, restarts]),
      before.workers.map(({ pid }) => [pid, 0]),
      "no worker had to be replaced",
    );
    assert.equal(listRouters(host.pid).length, 1);
  } finally {
    for (const client of clients) client.disconnect();
  }
});

test("a router that does not answer is killed and replaced", async (t) => {
  const workers = 2;
  await using host = await startRoutedHost({ workers });
  const clients = await connectToEachWorker(host, workers);
  const [one, other] = clients as [Socket, Socket];
  try {
    const { tookMs } = await replaceRouter(host, "SIGSTOP", workers);
    t.diagnostic(`SIGSTOP of the router until the next one listens: ${Math.round(tookMs)} ms`);
    assert.ok(tookMs > 4_000, "it was given time to answer");
    assert.ok(host.log.some(({ msg }) => msg.startsWith("the router ended (did not answer for 5 s, and was killed)")));
    await sendAcross(one, other, "room", "afterwards");
  } finally {
    for (const client of clients) client.disconnect();
  }
});

test("while no router can start, workers serve their own clients, readiness says why, and it heals by itself", async () => {
  const workers = 2;
  const env = { SIGNALBOX_RESTART_BACKOFF_MAX_MS: "50" };
  await using host = await startRoutedHost({ workers, env });
  const clients = await connectToEachWorker(host, workers);
  const [one, other] = clients as [Socket, Socket];
  try {
    const socketPath = findRouterSocket(host);
    const former = await readRouterPid(host);
    // Where a directory is, no socket can be made.
    rmSync(socketPath);
    mkdirSync(socketPath);
    process.kill(former, "SIGKILL");
    await host.waitForLog(
      ({ msg, level }) =>
        level === 40 && msg.startsWith(`the router could not start (cannot listen on ${socketPath}: `),
      "the reason",
    );
    await host.waitForLog(
      ({ msg, level }) => level === 50 && msg.startsWith("the router could not be started 10 times in a row"),
      "the alarm",
    );
    await host.waitForStatus(({ router }) => router !== null && router.restarts > 15, "further attempts");
    assert.equal(host.log.filter(({ level, msg }) => level === 50 && msg.includes("10 times in a row")).length, 1);

    await sendAcross(one, one, "own", "to a client of the same worker");
    let readiness = await readReadiness(host);
    while (readiness[0] === 200) readiness = await readReadiness(host);
    assert.equal(readiness[0], 503);
    assert.match(readiness[1], /^the router has been away for \d+ s: each worker serves its own clients/);
    assert.match((await fetchText(`http://127.0.0.1:${host.adminPort}/metrics`)).body, /^signalbox_router_up 0$/m);
    // A new client is let in all the same: who asks readiness has other hosts, who does not has only this one.
    for (const client of await connectToEachWorker(host, workers)) client.disconnect();

    const pid = await waitForNextRouter(host, () => rmdirSync(socketPath));
    await waitForWorkersAt(host, pid, workers);
    await sendAcross(one, other, "room", "afterwards");
    assert.deepEqual(await readReadiness(host), [200, "ok"]);
    assert.match((await fetchText(`http://127.0.0.1:${host.adminPort}/metrics`)).body, /^signalbox_router_up 1$/m);
  } finally {
    for (const client of clients) client.disconnect();
  }
});

test("a router that throws says so in the log, ends, and is replaced", async () => {
  const workers = 2;
  const fault = pathToFileURL(fixturePath("routers/throw-on-signal.mjs")).href;
  await using host = await startRoutedHost({ workers, env: { NODE_OPTIONS: `--import ${fault}` } });
  const clients = await connectToEachWorker(host, workers);
  const [one, other] = clients as [Socket, Socket];
  try {
    const former = await readRouterPid(host);
    const { pid } = await replaceRouter(host, "SIGUSR2", workers);
    assert.notEqual(pid, former);
    const line = await host.waitForLog(({ msg }) => msg.startsWith("the router failed: Error: a fault of its own"));
    assert.deepEqual([line.level, line.pid, line.router], [50, former, true]);
    assert.match(line.msg, /throw-on-signal\.mjs:4/, "with its stack");
    await host.waitForLog(({ msg }) => msg.startsWith("the router ended (exit code 1); started again"));
    await sendAcross(one, other, "room", "afterwards");
  } finally {
    for (const client of clients) client.disconnect();
  }
});
