/** Workers that grow too large or too old, or whose event loop hangs, are replaced, and the others' clients do not notice. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { WorkerStatus } from "../../src/protocol/host-status.js";
import { fixturePath, startHost, type TestHost } from "../support/host.js";
import { LightSocket, openManyAtOnce } from "../support/light-socket.js";

const app = fixturePath("hygiene-app.mjs");
const limitBytes = 256 * 1024 * 1024;
/** Far more than an event loop waits for a processor while the tests keep all of them busy. */
const hangTimeoutMs = 2_000;
const timeout = 60_000;

const isFull = process.env["TEST_SIZE"] === "full";
/** Their time passes with waiting. */
const concurrency = 3;

describe("a worker is replaced", { concurrency }, () => {
  test("when it has grown too large: a new one is ready before it drains; one that grows at once as well stays", {
    timeout,
  }, async () => {
    await using host = await startHost({
      app,
      workers: 2,
      env: { SIGNALBOX_MAX_WORKER_RSS_BYTES: String(limitBytes), SIGNALBOX_DRAIN_TIMEOUT_MS: "500" },
    });
    const client = await LightSocket.open(host);
    const grown = await client.call<number>("grow", limitBytes);
    const record = await host.waitForLog(
      ({ msg }) => msg.includes("(maxWorkerRssBytes): it is replaced"),
      "the reason",
    );
    assert.equal(record.worker, grown);
    await client.closed;
    const status = await host.waitForStatus(
      ({ workers }) => workers.length === 2 && workers.every(({ slot }) => slot !== grown),
    );
    assert.ok(status.workers.every(({ state, restarts }) => state === "ready" && restarts === 0));
    const [ready, left] = await Promise.all(
      ["worker 2 is ready", `worker ${grown} has left`].map(async (text) =>
        host.log.indexOf(await host.waitForLog(({ msg }) => msg.startsWith(text), text)),
      ),
    );
    assert.ok(ready !== undefined && left !== undefined && ready < left);
    assert.equal(status.reload, null);

    // One for each worker, the new one included.
    const others = await openManyAtOnce(host, 2);
    const slots = await Promise.all(others.map(async (other) => await other.call<number>("slot")));
    await others[slots.indexOf(2)]?.call("grow", limitBytes);
    await host.waitForLog(
      ({ msg }) => /^worker 2 has replaced another and holds \d+ bytes .*\(maxWorkerRssBytes\): raise that/.test(msg),
      "a word on the limit",
    );
    const { counters } = await host.readStatus();
    assert.equal(counters['signalbox_workers_retired_total{reason="memory"}'], 1);
    assert.ok(others.every(({ isClosed }) => !isClosed));
    for (const other of others) other.close();
  });

  test("when it is too old, one after the other", { timeout }, async () => {
    await using host = await startHost({ app, workers: 2, env: { SIGNALBOX_MAX_WORKER_AGE_MS: "1000" } });
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

  describe("when its event loop hangs", { concurrency: true }, () => {
    let host: TestHost;
    let clients: LightSocket[] = [];

    before(async () => {
      const workers = isFull ? 5 : 4;
      host = await startHost({ app, workers, env: { SIGNALBOX_HANG_TIMEOUT_MS: String(hangTimeoutMs) } });
      clients = await openManyAtOnce(host, workers);
    });
    after(async () => {
      for (const client of clients) client.close();
      await host[Symbol.asyncDispose]();
    });

    function takeClient(): LightSocket {
      const client = clients.pop();
      assert.ok(client !== undefined);
      return client;
    }

    async function readWorker(slot: number): Promise<WorkerStatus> {
      const worker = (await host.readStatus()).workers.find((each) => each.slot === slot);
      assert.ok(worker !== undefined);
      return worker;
    }

    async function waitForRestart(slot: number): Promise<void> {
      await host.waitForStatus(
        ({ workers }) =>
          workers.some((worker) => worker.slot === slot && worker.restarts === 1 && worker.state === "ready"),
        `another worker ${slot}`,
      );
    }

    for (const how of ["endless loop", "endless expression"]) {
      test(`in an ${how}, with its stack in the log`, { timeout }, async (t) => {
        const hanging = takeClient();
        const slot = await hanging.call<number>("slot");
        const startedMs = performance.now();
        hanging.emitTo("hang", how);
        await hanging.closed;
        const endedMs = Math.round(performance.now() - startedMs);
        t.diagnostic(`ended ${endedMs} ms after it began to hang`);
        // On a busy machine its event loop may have stood still before, for want of a processor.
        assert.ok(endedMs >= hangTimeoutMs / 2, "not before the limit");
        const fits = (pattern: RegExp) => (record: { msg: string; worker?: number }) =>
          record.worker === slot && pattern.test(record.msg);
        await host.waitForLog(fits(/blocked for 2000 ms \(hangTimeoutMs\)/), "the report");
        await host.waitForLog(fits(/^ *at hangHere \(file:.*hygiene-app\.mjs:\d+:\d+\)$/), "the stack");
        await waitForRestart(slot);
      });
    }

    test("and its own watch with it", { timeout, skip: isFull ? false : "at full size" }, async () => {
      const slot = await takeClient().call<number>("slot");
      process.kill((await readWorker(slot)).pid ?? 0, "SIGSTOP");
      await host.waitForLog(({ msg }) => msg.startsWith(`worker ${slot} says nothing for much longer`), "the report");
      await waitForRestart(slot);
    });

    test("but not while it runs, however busy", { timeout }, async () => {
      const client = takeClient();
      const slot = await client.call<number>("slot");
      // Longer than the limit, in parts that are shorter.
      for (let part = 0; part < 3; part++) await client.call("busy", hangTimeoutMs / 2);
      assert.equal((await readWorker(slot)).restarts, 0);
      assert.equal(client.isClosed, false);
    });

    test("but not while its debugger is open", { timeout }, async () => {
      const client = takeClient();
      const slot = await client.call<number>("slot");
      await client.call("inspect");
      // The watch would have noticed within a second of the limit.
      await client.call("busy", hangTimeoutMs + 1_200);
      assert.equal((await readWorker(slot)).restarts, 0);
      assert.equal(client.isClosed, false);
    });
  });
});
