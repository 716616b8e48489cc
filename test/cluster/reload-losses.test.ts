/** New workers that were ready and end in the middle of a reload: it stops, says so, and leaves as many workers as there are to be. */

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { exitCodes } from "../../src/cli/exit-codes.js";
import { ReloadHost } from "../support/reload-host.js";

describe("a reload whose new worker ends", { timeout: 60_000 }, () => {
  test("while the only old one drains: it is not done, and the new one is started again", async () => {
    await using reloadHost = await ReloadHost.start({ workers: 1 });
    const { host } = reloadHost;
    const held = await reloadHost.holdDrain(0);
    const reloading = reloadHost.reload();
    const { workers } = await host.waitForStatus(({ workers: now }) => now[0]?.state === "draining", "a drain");
    process.kill(workers[1]?.pid ?? 0, "SIGKILL");
    await host.waitForStatus(({ workers: now }) => now[1]?.restarts === 1, "a restart");
    held.destroy();
    const { code, stderr } = await reloading;
    assert.equal(code, exitCodes.reloadFailed, stderr);
    assert.match(stderr, /the new worker 1 was ready and then ended, the log says how; workers not replaced: 0/);
    await host.waitForStatus(({ workers: [only, ...others] }) => only?.state === "ready" && others.length === 0);
  });

  test("before the next old one drains: that one stays, and the place of the new one is given up", async () => {
    await using reloadHost = await ReloadHost.start({ workers: 2, restartBackoffMinMs: 30_000 });
    const { host } = reloadHost;
    const gate = join(reloadHost.directory, "gate");
    writeFileSync(gate, "");
    reloadHost.release("2", { gate });
    const held = await reloadHost.holdDrain(0);
    const reloading = reloadHost.reload();
    const { workers } = await host.waitForStatus(({ workers: now }) => now[0]?.state === "draining", "a drain");
    rmSync(gate);
    held.destroy();
    const { workers: grown } = await host.waitForStatus(({ workers: now }) => now[0]?.state === "starting", "a start");
    process.kill(workers[2]?.pid ?? 0, "SIGKILL");
    await host.waitForStatus(({ workers: now }) => now[2]?.restarts === 1, "the end of the first new worker");
    writeFileSync(gate, "");
    const { code, stderr } = await reloading;
    assert.equal(code, exitCodes.reloadFailed, stderr);
    assert.match(stderr, /the new worker 2 was ready and then ended, .* workers not replaced: 1/);
    const { workers: left } = await host.readStatus();
    assert.deepEqual(
      left.map(({ pid, state }) => ({ pid, state })),
      [grown[0], grown[1]].map((worker) => ({ pid: worker?.pid, state: "ready" })),
    );
  });
});
