/** Reloads that cannot be, or are cut short: nobody notices, and the host says why. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { exitCodes } from "../../src/cli/exit-codes.js";
import type { HostStatus } from "../../src/protocol/host-status.js";
import { LightSocket } from "../support/light-socket.js";
import { pidsOf, ReloadHost } from "../support/reload-host.js";

const settings = { workers: 2, drainTimeoutMs: 400, startTimeoutMs: 1_500 };

/** Two hosts at a time: most of it is waiting. */
describe("reloads", { concurrency: 2 }, () => {
  describe("a reload that cannot be", { concurrency: 1, timeout: 60_000 }, () => {
    const directory = mkdtempSync(join(tmpdir(), "sbx-gate-"));
    let reloadHost: ReloadHost;
    let clients: LightSocket[];
    let atStart: HostStatus;

    before(async () => {
      reloadHost = await ReloadHost.start(settings);
      clients = await Promise.all([1, 2, 3, 4].map(async () => await LightSocket.open(reloadHost.host)));
      atStart = await reloadHost.host.waitForStatus(({ workers }) => workers.every(({ sessions }) => sessions === 2));
    });

    afterEach(async () => {
      const status = await reloadHost.host.readStatus();
      assert.deepEqual(pidsOf(status), pidsOf(atStart), "the same workers serve");
      assert.equal(status.app, atStart.app);
      assert.ok(clients.every(({ isClosed }) => !isClosed));
      // They take sessions as before.
      const others = await Promise.all([1, 2].map(async () => await LightSocket.open(reloadHost.host)));
      assert.equal(new Set(others.map(({ sid }) => sid.slice(0, 6))).size, 2);
      for (const other of others) other.close();
      await reloadHost.host.waitForStatus(({ workers }) => workers.every(({ sessions }) => sessions === 2));
    });

    after(async () => {
      for (const client of clients) client.close();
      await reloadHost[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    });

    async function assertRefused(...reasons: readonly RegExp[]): Promise<void> {
      const { code, stderr } = await reloadHost.reload();
      assert.equal(code, exitCodes.reloadFailed, stderr);
      const { reload } = await reloadHost.host.readStatus();
      assert.equal(reload?.state, "failed");
      assert.equal(reload.reason, "`signalbox status` tells why", "others than the host's user read this");
      for (const reason of reasons) assert.match(stderr, reason);
    }

    test("a release that throws when it starts", async () => {
      reloadHost.release("broken", { code: 'throw new Error("no database");' });
      await assertRefused(/a new worker did not become ready: the application .*broken.app\.mjs threw .*no database/);
    });

    test("a release that never becomes ready", async () => {
      reloadHost.release("stuck", { gate: join(directory, "never") });
      await assertRefused(/a new worker did not become ready: .*did not resolve within 1500 ms \(startTimeoutMs\)/);
    });

    test("a release that takes longer than the reload may", async () => {
      reloadHost.release("slow", { gate: join(directory, "never") });
      reloadHost.configure({ ...settings, reloadTimeoutMs: 1_000 });
      await assertRefused(/cannot end within 1000 ms \(reloadTimeoutMs\): raise that; workers not replaced: 2/);
    });

    test("a release that is not there", async () => {
      reloadHost.release("gone");
      rmSync(join(reloadHost.directory, "releases", "gone"), { recursive: true });
      await assertRefused(/the application .*current.app\.mjs does not exist/);
    });

    test("a new worker that is killed while it starts", async () => {
      reloadHost.release("killed", { gate: join(directory, "never") });
      const refused = assertRefused(
        /a new worker did not become ready: worker 2 ended \(SIGKILL\) before it was ready/,
      );
      const { workers } = await reloadHost.host.waitForStatus((status) => status.workers.length === 3, "a new worker");
      process.kill(workers[2]?.pid ?? 0, "SIGKILL");
      await refused;
    });

    test("variables that are longer than the system takes", async () => {
      reloadHost.release("good");
      writeFileSync(reloadHost.envPath, `APP_VARIABLE=${"x".repeat(200_000)}`);
      await assertRefused(/a new worker did not become ready: worker 2 could not be started: spawn E2BIG/);
      writeFileSync(reloadHost.envPath, "");
    });

    test("a configuration with faults, each of which is named", async () => {
      reloadHost.release("good");
      reloadHost.configure({ ...settings, workers: 0, drainTimeout: 1 });
      await assertRefused(
        /"drainTimeout" is not a setting/,
        /workers: 0 is not "auto" or a whole number from 1 to 256/,
      );
      writeFileSync(reloadHost.configPath, "{");
      await assertRefused(/is not JSON at line 1/);
    });
  });

  test("a host that is told to end in the middle of a reload ends, and the reload is told so", {
    timeout: 60_000,
  }, async () => {
    await using reloadHost = await ReloadHost.start(settings);
    reloadHost.release("2", { gate: join(reloadHost.directory, "never") });
    const reloading = reloadHost.reload();
    await reloadHost.host.waitForStatus((status) => status.workers.length === 3, "a new worker");
    assert.deepEqual(await reloadHost.host.stop(), { code: 0, signal: null });
    const { code, stderr } = await reloading;
    assert.equal(code, exitCodes.reloadFailed, stderr);
    assert.match(stderr, /the host was told to end/);
    assert.equal(reloadHost.host.stderr, "");
  });
});
