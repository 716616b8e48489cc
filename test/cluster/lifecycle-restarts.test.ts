/** How often and when a worker that ended is started again, and when the host gives up. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { HostStatus } from "../../src/protocol/host-status.js";
import { fixturePath, type LogRecord, startHost, type TestHost } from "../support/host.js";

const app = fixturePath("lifecycle-app.mjs");
const pidOf = (status: HostStatus, slot: number): number => status.workers[slot]?.pid ?? 0;

const quickRestarts = {
  SIGNALBOX_MAX_RESTARTS: "3",
  SIGNALBOX_RESTART_BACKOFF_MIN_MS: "5",
  SIGNALBOX_RESTART_BACKOFF_MAX_MS: "10",
};
const giveUpMessage = "signalbox: no worker became ready in 3 restarts (the last ended with exit code 7): giving up.\n";

/** Kills the worker of a slot and resolves when another is ready in its place. */
async function killAndAwaitNext(host: TestHost, slot: number): Promise<HostStatus> {
  const pid = pidOf(await host.readStatus(), slot);
  process.kill(pid, "SIGKILL");
  return await host.waitForStatus((status) => pidOf(status, slot) !== pid && status.workers[slot]?.state === "ready");
}

function countRestarts(host: TestHost): number {
  return host.log.filter((record) => record.msg.includes("started again in")).length;
}

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
