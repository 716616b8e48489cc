/** Nothing that an application does keeps a host from ending: the drain has a limit, and a second signal is at once. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { get } from "node:http";
import { describe, test } from "node:test";
import { fetchText, fixturePath, pause, startHost, type TestHost, waitUntilGone } from "../support/host.js";

const app = fixturePath("lifecycle-app.mjs");
const drainTimeoutMs = 1_500;
/** What the primary adds before it kills, and what a busy machine takes. */
const guardMs = 500 + 2_000;

/** Has an answer in progress that never ends. */
async function holdOpen(host: TestHost): Promise<void> {
  const request = get(`${host.url}/never`, { agent: false });
  request.on("error", () => {});
  const [response] = await once(request, "response");
  response.on("error", () => {});
  response.resume();
}

async function readWorkerPids(host: TestHost): Promise<number[]> {
  return (await host.readStatus()).workers.map((worker) => worker.pid ?? 0);
}

describe("the host ends within the drain timeout", { concurrency: 3 }, () => {
  const hold = {
    "an answer never ends": {
      env: {},
      begin: holdOpen,
      words: /the drain took longer than 1500 ms: 1 connections are cut/,
    },
    "a drain hook never resolves": {
      env: { APP_DRAIN: "never" },
      begin: async () => {},
      words: /the drain took longer than 1500 ms/,
    },
    "a worker is in an endless loop": {
      env: {},
      begin: async (host: TestHost) => {
        const request = get(`${host.url}/loop`, { agent: false });
        request.on("error", () => {});
        await host.waitForLog((record) => record.msg === "looping", "the loop");
      },
      words: /not all workers ended within 1500 ms: they are killed/,
    },
  };
  for (const [why, { env, begin, words }] of Object.entries(hold)) {
    test(`when ${why}`, async (t) => {
      await using host = await startHost({ app, env: { ...env, SIGNALBOX_DRAIN_TIMEOUT_MS: String(drainTimeoutMs) } });
      const workers = await readWorkerPids(host);
      await begin(host);
      const startedMs = performance.now();
      const { code } = await host.stop();
      const tookMs = performance.now() - startedMs;
      t.diagnostic(`SIGTERM to exit when ${why}: ${Math.round(tookMs)} ms (drain timeout ${drainTimeoutMs} ms)`);
      assert.equal(code, 0);
      assert.ok(tookMs >= drainTimeoutMs - 50 && tookMs < drainTimeoutMs + guardMs, `${tookMs} ms`);
      await host.waitForLog((record) => words.test(record.msg), "the reason");
      assert.deepEqual(await waitUntilGone(workers, 1_000), []);
      assert.deepEqual(readdirSync(host.runtimeDir), []);
    });
  }
});

describe("a second signal", { concurrency: 3 }, () => {
  const cases = [
    { first: "SIGTERM", second: "SIGTERM", code: 143 },
    { first: "SIGINT", second: "SIGINT", code: 130 },
    { first: "SIGTERM", second: "SIGINT", code: 130 },
  ] as const;
  for (const { first, second, code } of cases) {
    test(`${second} after ${first} is ignored in the first second, later it ends the host at once with ${code}`, async (t) => {
      await using host = await startHost({ app });
      const workers = await readWorkerPids(host);
      await holdOpen(host);
      host.process.kill(first);
      // Pending signals are delivered by number, not in their order: the first must have been taken.
      await host.waitForLog((record) => record.msg.startsWith(`${first}: no new sessions`), "the drain line");
      host.process.kill(second);
      // The host that has answered this has seen both signals.
      assert.equal((await host.readStatus()).state, "draining");

      // The second is what the rule is about.
      await pause(1_050);
      assert.equal((await host.readStatus()).state, "draining", "the signal just after the first was ignored");
      const startedMs = performance.now();
      host.process.kill(second);
      assert.deepEqual(await host.exited, { code, signal: null });
      assert.deepEqual(await waitUntilGone(workers, 1_000), []);
      t.diagnostic(`second ${second} to no process: ${Math.round(performance.now() - startedMs)} ms`);
      assert.ok(performance.now() - startedMs < 2_000);
      assert.deepEqual(readdirSync(host.runtimeDir), []);
    });
  }
});

describe("a host that is told to stop before it is ready", { concurrency: 2 }, () => {
  test("ends at once while its application starts", async () => {
    await using host = await startHost({ app, isReadyAwaited: false, env: { APP_GATE: "/nonexistent/gate" } });
    await host.waitForLog((record) => record.msg.includes(" starts "), "the start line");
    const startedMs = performance.now();
    const { code } = await host.stop();
    assert.equal(code, 0);
    assert.ok(performance.now() - startedMs < 5_000);
  });

  test("ends at once while a worker waits to be started again", async () => {
    await using host = await startHost({
      app,
      workers: 1,
      env: { SIGNALBOX_RESTART_BACKOFF_MIN_MS: "60000", SIGNALBOX_RESTART_BACKOFF_MAX_MS: "60000" },
    });
    const { pid } = JSON.parse((await fetchText(`${host.url}/who`)).body) as { pid: number };
    process.kill(pid, "SIGKILL");
    await host.waitForLog((record) => record.msg.includes("started again in 60000 ms"), "the backoff line");
    const startedMs = performance.now();
    assert.equal((await host.stop()).code, 0);
    assert.ok(performance.now() - startedMs < 2_000);
  });
});
