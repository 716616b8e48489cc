/** A worker that is killed takes its connections with it at once, and nobody else's. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openPolling, type PollingSession } from "../support/engine-polling.js";
import { fixturePath, startHost, type TestHost } from "../support/host.js";
import { killWorker, waitUntilReplaced } from "../support/kill-worker.js";
import { closeAll, LightSocket, openManyAtOnce } from "../support/light-socket.js";
import { RawConnection } from "../support/raw-http.js";
import { readTextFrame, renderTextFrame } from "../support/raw-websocket.js";
import { timed } from "../support/stopwatch.js";

const echoApp = fixturePath("echo-app.mjs");
/** Meant to be within a second; a loaded machine gets three. */
const closeLimitMs = 3_000;
const uploadHead = "POST /upload HTTP/1.1\r\nHost: example.test\r\nContent-Length: 1000000\r\n\r\n";

/** The session among two that a slot has; the other's connection belongs to the other slot. */
async function openOnBoth(host: TestHost): Promise<[PollingSession, PollingSession]> {
  const bySlot = new Map<number, PollingSession>();
  while (bySlot.size < 2) {
    const session = await openPolling(host);
    bySlot.set((await session.who()).worker, session);
  }
  return [bySlot.get(0) as PollingSession, bySlot.get(1) as PollingSession];
}

/** Resolves when the worker holds what was sent: it has answered something sent after it, elsewhere. */
async function waitUntilTaken(host: TestHost, slot: number, handedOff: number): Promise<void> {
  await host.waitForStatus(({ workers }) => (workers[slot]?.handedOff ?? 0) > handedOff, "the hand-off");
  await (await openPolling(host)).who();
}

describe("a POST in flight when its worker is killed", { timeout: 180_000 }, () => {
  test("closes its connection at once: an upload to the worker", async (t) => {
    await using host = await startHost({ app: echoApp, workers: 1 });
    const connection = await RawConnection.open(host);
    connection.send(uploadHead);
    connection.send(Buffer.alloc(100_000));
    await waitUntilTaken(host, 0, 0);
    await killWorker(host, 0);
    const { ms } = await timed(connection.closed, closeLimitMs, "the close");
    t.diagnostic(`closed after ${ms} ms`);
  });

  test("closes its connection at once: a POST of the worker's own session", async (t) => {
    await using host = await startHost({ app: echoApp, workers: 2 });
    const [dying, living] = await openOnBoth(host);
    const post = dying.renderPost(`42["echo","${"x".repeat(1_000)}"]`);
    dying.connection.send(post.subarray(0, post.length - 500));
    const hanging = await openPolling(host);
    await hanging.who();
    await killWorker(host, 0);
    const { ms } = await timed(dying.connection.closed, closeLimitMs, "the close");
    t.diagnostic(`closed after ${ms} ms`);
    assert.equal(await living.call("echo", 1), 1);
    living.connection.destroy();
    hanging.connection.destroy();
  });

  test("is over at once when it was forwarded through a sibling: an answer or a close, and the sibling goes on", async (t) => {
    await using host = await startHost({ app: echoApp, workers: 2 });
    const [dying, living] = await openOnBoth(host);
    dying.connection.destroy();
    dying.connection = living.connection;
    assert.equal(await dying.call("echo", "warm"), "warm");
    const post = dying.renderPost(`42["echo","${"x".repeat(1_000)}"]`);
    living.connection.send(post.subarray(0, post.length - 500));
    // Something else through the same sibling to the same worker: it has read the first part by then.
    const beside = await openPolling(host);
    await beside.who();
    await killWorker(host, 0);
    const over = Promise.race([
      living.connection.closed.then(() => "a close"),
      living.connection.readResponse().then(
        ({ status }) => `the status ${status}`,
        () => "a close",
      ),
    ]);
    const { value, ms } = await timed(over, closeLimitMs, "the end of the request");
    t.diagnostic(`${value} after ${ms} ms`);
    assert.ok(value === "a close" || value === "the status 400", value);
    living.connection.destroy();
    // The session itself is unharmed: its worker lives.
    living.connection = await RawConnection.open(host);
    assert.equal(await living.call("echo", 2), 2);
    living.connection.destroy();
    beside.connection.destroy();
  });

  test("a poll that hangs at a killed sibling is over at once", async (t) => {
    await using host = await startHost({ app: echoApp, workers: 2 });
    const [dying, living] = await openOnBoth(host);
    dying.connection = living.connection;
    assert.equal(await dying.call("echo", "warm"), "warm");
    const hanging = dying.poll().then(
      () => "an answer",
      () => "an end",
    );
    await (await openPolling(host)).who();
    await killWorker(host, 0);
    const { value, ms } = await timed(hanging, closeLimitMs, "the end of the poll");
    t.diagnostic(`${value} after ${ms} ms`);
    assert.equal(value, "an end");
  });
});

describe("kill -9 of a worker", { timeout: 180_000 }, () => {
  test("closes its clients at once, the others' see nothing, and it is replaced", async (t) => {
    await using host = await startHost({ app: echoApp, workers: 4 });
    const sockets = await openManyAtOnce(host, 40);
    const slots = await Promise.all(sockets.map(async (socket) => (await socket.who()).worker));
    const doomed = sockets.filter((_, index) => slots[index] === 2);
    const safe = sockets.filter((_, index) => slots[index] !== 2);
    assert.equal(doomed.length, 10);
    let isOver = false;
    let pings = 0;
    let slowestMs = 0;
    const streams = safe.map(async (socket, index) => {
      for (let round = 0; !isOver; round++) {
        const sentMs = performance.now();
        assert.equal(await socket.call("echo", `${index} ${round}`), `${index} ${round}`);
        slowestMs = Math.max(slowestMs, performance.now() - sentMs);
        pings++;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    });
    const killed = await killWorker(host, 2);
    const { ms } = await timed(Promise.all(doomed.map((socket) => socket.closed)), closeLimitMs, "the close of all 10");
    await waitUntilReplaced(host, 2, killed);
    isOver = true;
    await Promise.all(streams);
    assert.equal(safe.filter((socket) => socket.isClosed).length, 0);
    t.diagnostic(
      `10 closed in ${ms} ms; ${pings} acknowledgements to the other 30, the slowest after ${Math.round(slowestMs)} ms`,
    );
    const status = await host.readStatus();
    assert.deepEqual(
      status.workers.map(({ state, restarts }) => `${state} ${restarts}`),
      ["ready 0", "ready 0", "ready 1", "ready 0"],
    );
    // And it serves: the least loaded gets the next.
    const next = await LightSocket.open(host);
    assert.equal((await next.who()).worker, 2);
    closeAll([...safe, next]);
  });

  test("leaves alone what it has given to its sibling: an upgraded session over a connection that was its own", async () => {
    await using host = await startHost({ app: echoApp, workers: 2 });
    const [carrying, other] = await openOnBoth(host);
    const { connection } = carrying;
    other.connection.destroy();
    other.connection = connection;
    assert.equal((await connection.exchange(other.renderUpgrade())).status, 101);
    connection.send(renderTextFrame("2probe"));
    assert.equal(await readTextFrame(connection), "3probe");
    connection.send(renderTextFrame("5"));
    await waitUntilReplaced(host, 0, await killWorker(host, 0));
    const { packet, ackId } = other.renderEmit("echo", "still here");
    connection.send(renderTextFrame(packet));
    assert.equal(await readTextFrame(connection), `43${ackId}["still here"]`);
    connection.destroy();
  });

  test("closes the client's side of an upgraded session that came to it from a sibling", async (t) => {
    await using host = await startHost({ app: echoApp, workers: 2 });
    const [dying, living] = await openOnBoth(host);
    dying.connection.destroy();
    dying.connection = living.connection;
    assert.equal((await living.connection.exchange(dying.renderUpgrade())).status, 101);
    await killWorker(host, 0);
    const { ms } = await timed(living.connection.closed, closeLimitMs, "the close");
    t.diagnostic(`closed after ${ms} ms`);
  });

  test("loses none of the connections on their way to it but the one on its channel, which is closed at once", async (t) => {
    await using host = await startHost({ app: echoApp, workers: 2 });
    const blocker = await LightSocket.open(host);
    const { worker } = await blocker.who();
    // Blocked, it takes none of what is handed to it; then it dies with all that in its lane.
    blocker.emitTo("block", 60_000);
    const sockets = Array.from({ length: 20 }, () => new LightSocket(host));
    const arrivals = Promise.allSettled(sockets.map((socket) => socket.ready()));
    await host.waitForStatus(
      ({ workers }) => (workers[worker]?.handedOff ?? 0) >= 3,
      "hand-offs to the blocked worker",
    );
    await killWorker(host, worker);
    const { value, ms } = await timed(arrivals, 5_000, "the end of waiting");
    const connected = value.filter(({ status }) => status === "fulfilled").length;
    const rerouted =
      (await host.readStatus()).counters['signalbox_hand_offs_rerouted_total{reason="worker-ended"}'] ?? 0;
    t.diagnostic(`${connected} of 20 connected, ${20 - connected} closed, all in ${ms} ms; ${rerouted} rerouted`);
    assert.ok(connected >= 19, `${connected} of 20 connected`);
    assert.ok(rerouted > 0);
    closeAll(sockets);
  });
});
