/** Many arrivals at once are spread over the workers by what was handed off, not by what workers have reported yet. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseAddress } from "../../src/address/address.js";
import type { HostStatus } from "../../src/protocol/host-status.js";
import { readHandshake, renderHandshake } from "../support/engine-polling.js";
import { fixturePath, startHost } from "../support/host.js";
import { killWorker } from "../support/kill-worker.js";
import { closeAll, countByWorker, openManyAtOnce } from "../support/light-socket.js";
import { RawConnection } from "../support/raw-http.js";

const workers = 4;
const echoApp = fixturePath("echo-app.mjs");

describe("spread over workers", () => {
  test("60 clients at once on 4 workers: none gets more than 20", async (t) => {
    await using host = await startHost({ app: echoApp, workers });
    const sockets = await openManyAtOnce(host, 60);
    const counts = await countByWorker(sockets, workers);
    t.diagnostic(`60 at once: ${counts.join("/")}`);
    assert.ok(Math.max(...counts) <= 20, counts.join("/"));
    closeAll(sockets);
  });

  test("a replaced worker beside loaded ones gets at most half of a burst, and later arrivals even out", async (t) => {
    // Long enough for the burst to be inside of it on a busy machine.
    const slowStartMs = 4_000;
    const env = { SIGNALBOX_SLOW_START_MS: String(slowStartMs) };
    await using host = await startHost({ app: echoApp, workers, env });
    const sockets = await openManyAtOnce(host, 160);
    const placed = await countByWorker(sockets, workers);
    const killed = placed[1] ?? 0;
    t.diagnostic(`160 at once: ${placed.join("/")}`);
    const { restarts } = await killWorker(host, 1);
    const status = await host.waitForStatus(
      (s) => s.workers[1]?.state === "ready" && s.workers[1].restarts === restarts,
    );
    const readyMs = performance.now();
    assert.equal(status.workers[1]?.sessions, 0);
    const burst = await openManyAtOnce(host, 40);
    const burstMs = performance.now() - readyMs;
    const counts = await countByWorker(burst, workers);
    t.diagnostic(`40 at once, ${Math.round(burstMs)} ms after worker 1 was ready again: ${counts.join("/")}`);
    assert.ok(burstMs < slowStartMs, `the burst took ${burstMs} ms, longer than the slow start`);
    assert.ok((counts[1] ?? 0) <= 20, counts.join("/"));
    // No event tells the end of the slow start: it ends by the clock.
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, slowStartMs - (performance.now() - readyMs)) + 50));
    const later = await openManyAtOnce(host, 30);
    const laterCounts = await countByWorker(later, workers);
    t.diagnostic(`30 more after the slow start: ${laterCounts.join("/")}`);
    // 120 / 3 + the burst's share is above what worker 1 has: all go there until it has caught up.
    assert.ok((laterCounts[1] ?? 0) >= 20, laterCounts.join("/"));
    const countSessions = ({ workers }: HostStatus): number => workers.reduce((sum, { sessions }) => sum + sessions, 0);
    const alive = 160 + 40 + 30 - killed;
    const settled = await host.waitForStatus((s) => countSessions(s) === alive, `${alive} sessions`);
    const evened = settled.workers.map((worker) => worker.sessions);
    t.diagnostic(`sessions in the end: ${evened.join("/")}`);
    assert.ok(Math.max(...evened) - Math.min(...evened) <= 10, evened.join("/"));
    closeAll([...sockets, ...burst, ...later]);
  });

  test("60 handshakes over 2 kept-alive connections on 4 workers: none gets more than 20", async (t) => {
    await using host = await startHost({ app: echoApp, workers });
    const handshakeOver = async (connection: RawConnection): Promise<number[]> => {
      const slots: number[] = [];
      for (let index = 0; index < 30; index++) {
        slots.push(parseAddress(readHandshake(await connection.exchange(renderHandshake())))?.workerSlot ?? -1);
      }
      return slots;
    };
    const connections = [await RawConnection.open(host), await RawConnection.open(host)];
    const slots = (await Promise.all(connections.map(handshakeOver))).flat();
    const counts = Array.from({ length: workers }, (_, slot) => slots.filter((other) => other === slot).length);
    t.diagnostic(`60 over 2 connections: ${counts.join("/")}`);
    assert.equal(slots.length, 60);
    assert.ok(Math.max(...counts) <= 20, counts.join("/"));
    const { counters } = await host.readStatus();
    assert.equal(counters.signalbox_connections_accepted_total, 2);
    for (const connection of connections) connection.destroy();
  });
});
