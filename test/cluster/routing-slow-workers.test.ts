/** Workers that boot slowly or do not run their event loop cost nobody a connection. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fixturePath, startHost } from "../support/host.js";
import { killWorker } from "../support/kill-worker.js";
import { closeAll, countByWorker, LightSocket, openManyAtOnce } from "../support/light-socket.js";
import { timed } from "../support/stopwatch.js";

const echoApp = fixturePath("echo-app.mjs");

describe("workers that take 2 s to boot", () => {
  for (const count of [1, 4]) {
    test(`none of 50 connections is lost while 1 of ${count} such is started again`, async (t) => {
      const directory = mkdtempSync(join(tmpdir(), "sbx-flag-"));
      const flag = join(directory, "slow");
      await using host = await startHost({
        app: fixturePath("slow-boot-app.mjs"),
        workers: count,
        env: { TEST_SLOW_BOOT_FLAG: flag },
      });
      writeFileSync(flag, "");
      const { pid, restarts } = await killWorker(host, 0);
      // The replacement is forked, and boots: the moment in which stock hands connections to it.
      await host.waitForStatus(
        ({ workers: [first] }) => first?.state === "starting" && first.pid !== pid,
        "the new fork",
      );
      const { value: sockets, ms } = await timed(openManyAtOnce(host, 50), 15_000, "50 connections");
      const counts = await countByWorker(sockets, count);
      t.diagnostic(`50 of 50 connected after ${ms} ms: ${counts.join("/")}`);
      assert.equal(
        counts.reduce((sum, each) => sum + each, 0),
        50,
      );
      // With others ready nobody waits for the one that boots.
      if (count > 1) assert.equal(counts[0], 0);
      else assert.equal((await host.readStatus()).workers[0]?.restarts, restarts);
      closeAll(sockets);
      rmSync(directory, { recursive: true });
    });
  }
});

describe("a worker whose event loop is blocked", () => {
  const workers = 4;
  const blockMs = 3_000;

  test("new connections go to the others, all but the 2 that its channel holds", async (t) => {
    await using host = await startHost({ app: echoApp, workers });
    const blocker = await LightSocket.open(host);
    const { worker } = await blocker.who();
    blocker.emitTo("block", blockMs);
    const startedMs = performance.now();
    const sockets = Array.from({ length: 40 }, () => new LightSocket(host));
    const readyAfterMs = await Promise.all(
      sockets.map(async (socket) => {
        await socket.ready();
        return performance.now() - startedMs;
      }),
    );
    const late = readyAfterMs.filter((ms) => ms > blockMs - 200).length;
    const counts = await countByWorker(sockets, workers);
    t.diagnostic(
      `${late} of 40 waited for the blocked worker ${worker}; the others came in ${Math.round(
        Math.max(...readyAfterMs.filter((ms) => ms <= blockMs - 200)),
      )} ms; ${counts.join("/")}`,
    );
    assert.ok(late <= 2, `${late} connections waited for the blocked worker`);
    const { counters } = await host.readStatus();
    assert.ok((counters['signalbox_hand_offs_rerouted_total{reason="worker-stalled"}'] ?? 0) > 0);
    closeAll([blocker, ...sockets]);
  });
});
