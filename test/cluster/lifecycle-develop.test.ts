/** What a developer uses: a debugger in each worker, and workers that follow the files. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { findFreePorts } from "../support/cli-process.js";
import { fetchText, fixturePath, startHost, type TestHost, waitForPorts, waitUntilGone } from "../support/host.js";

describe("--inspect", () => {
  test("opens a debugger in each worker, on a port of its own, which a replaced worker gets again", async () => {
    const first = await findFreePorts(3);
    await using host = await startHost({
      app: fixturePath("lifecycle-app.mjs"),
      workers: 3,
      args: ["--inspect"],
      env: { SIGNALBOX_INSPECT_PORT: String(first), SIGNALBOX_RESTART_BACKOFF_MIN_MS: "20" },
    });
    const { workers } = await host.readStatus();
    const readIds = async (): Promise<string[]> =>
      await Promise.all(
        workers.map(async ({ slot }) => {
          const { status, body } = await fetchText(`http://127.0.0.1:${first + slot}/json/list`);
          assert.equal(status, 200);
          return (JSON.parse(body) as [{ id: string }])[0].id;
        }),
      );
    const before = await readIds();
    assert.equal(new Set(before).size, 3, "three debuggers");
    process.kill(workers[1]?.pid ?? 0, "SIGKILL");
    await host.waitForStatus((status) => status.workers[1]?.restarts === 1 && status.workers[1].state === "ready");
    const after = await readIds();
    assert.deepEqual(
      after.map((id, slot) => id === before[slot]),
      [true, false, true],
    );
    assert.equal((await host.stop()).code, 0, "a debugger does not hold the host");
  });
});

describe("--watch", { concurrency: 2 }, () => {
  const appText = (version: string): string =>
    `export default (io, { httpServer }) => httpServer.on("request", (_, response) => response.end("${version}"));\n`;

  async function withWatchedApp(use: (file: string, start: () => Promise<TestHost>) => Promise<void>): Promise<void> {
    const directory = mkdtempSync(join(tmpdir(), "sbx-app-"));
    try {
      const file = join(directory, "app.mjs");
      writeFileSync(file, appText("one"));
      const start = async (): Promise<TestHost> =>
        await startHost({
          app: file,
          workers: 2,
          args: ["--watch"],
          isReadyAwaited: false,
          env: { SIGNALBOX_RESTART_BACKOFF_MIN_MS: "20" },
        });
      await use(file, start);
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  async function awaitReady(host: TestHost): Promise<number[]> {
    await waitForPorts(host);
    return (await host.waitUntilReady(2)).workers.map(({ pid }) => pid ?? 0);
  }

  /** Both workers are others than these, and ready. */
  async function awaitNext(host: TestHost, pids: readonly number[]): Promise<number[]> {
    const { workers } = await host.waitForStatus(
      (status) => status.workers.every(({ pid, state }) => state === "ready" && !pids.includes(pid ?? 0)),
      "new workers",
    );
    return workers.map(({ pid }) => pid ?? 0);
  }

  test("a change of the application brings new workers with the new code", async () => {
    await withWatchedApp(async (file, start) => {
      await using host = await start();
      const before = await awaitReady(host);
      assert.equal((await fetchText(host.url)).body, "one");
      writeFileSync(file, appText("two"));
      await host.waitForLog(({ msg }) => msg.startsWith("app.mjs changed"), "the line about the change");
      await awaitNext(host, before);
      assert.equal((await fetchText(host.url)).body, "two");
      assert.deepEqual(await waitUntilGone(before, 1_000), []);
      assert.equal((await host.stop()).code, 0);
    });
  });

  test("a broken change is told, and the host waits for the next one and recovers", async () => {
    await withWatchedApp(async (file, start) => {
      await using host = await start();
      const before = await awaitReady(host);
      writeFileSync(file, "export default () => { throw new Error('broken by a change'); };\n");
      const told = await host.waitForLog(({ msg }) => msg.includes("broken by a change"), "the fault");
      assert.ok(told.level >= 50 && told.msg.includes(file));
      const waiting = "waiting for a change before it is started again";
      for (const slot of [0, 1]) {
        await host.waitForLog(({ msg }) => msg.startsWith(`worker ${slot} ended`) && msg.endsWith(waiting), "the wait");
      }
      assert.equal((await fetchText(`http://127.0.0.1:${host.adminPort}/readyz`)).status, 503);
      writeFileSync(file, appText("repaired"));
      await awaitNext(host, before);
      assert.equal((await fetchText(host.url)).body, "repaired");
      assert.equal((await host.stop()).code, 0);
    });
  });

  test("an application that is broken from the start is waited for as well", async () => {
    await withWatchedApp(async (file, start) => {
      writeFileSync(file, "export default () => {\n");
      await using host = await start();
      await host.waitForLog(({ msg }) => msg.includes(file) && msg.includes("SyntaxError"), "the fault");
      for (const slot of [0, 1]) await host.waitForLog(({ msg }) => msg.startsWith(`worker ${slot} ended`), "the wait");
      writeFileSync(file, appText("repaired"));
      await awaitReady(host);
      assert.equal((await fetchText(host.url)).body, "repaired");
    });
  });

  test("SIGTERM ends a host that waits for a change", async () => {
    await withWatchedApp(async (file, start) => {
      writeFileSync(file, "throw new Error('broken');\n");
      await using host = await start();
      for (const slot of [0, 1]) await host.waitForLog(({ msg }) => msg.startsWith(`worker ${slot} ended`), "the wait");
      const startedMs = performance.now();
      assert.equal((await host.stop()).code, 0);
      assert.ok(performance.now() - startedMs < 2_000);
    });
  });
});
