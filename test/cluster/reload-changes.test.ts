/** What a reload brings: a new configuration, new variables, another number of workers; and what it cannot bring. */

import assert from "node:assert/strict";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { findFreePorts } from "../support/cli-process.js";
import { pidsOf, ReloadHost } from "../support/reload-host.js";

const settings = { workers: 2, drainTimeoutMs: 400 };

/** Two hosts at a time: most of it is waiting. */
describe("reloads", { concurrency: 2 }, () => {
  test("a reload brings other variables if it is to, and the files of its release are watched", {
    timeout: 60_000,
  }, async () => {
    const port = { SIGNALBOX_PORT: String(await findFreePorts(1)) };
    const env = { ...port, APP_VARIABLE: "of the host" };
    await using reloadHost = await ReloadHost.start({ workers: 1, watch: true }, { env });
    const ports = { ...port, SIGNALBOX_ADMIN_PORT: "0" };
    const brought = { ...ports, APP_VARIABLE: "not for it" };
    const link = join(reloadHost.directory, "link");
    symlinkSync(reloadHost.host.runtimeDir, link);
    for (const [variables, code, reason] of [
      [{ ...brought, SIGNALBOX_RUNTIME_DIR: link }, 4, /link is not a directory of this user/],
      [{ ...brought, SIGNALBOX_PORT: "1" }, 6, /127\.0\.0\.1-1\/control\.sock: there is no such socket.\nAnother host/],
      [{ APP_VARIABLE: "not for it" }, 6, /there is no such socket.\nAnother host/],
    ] as const) {
      const refused = await reloadHost.reload(["--with-variables"], variables);
      assert.equal(refused.code, code);
      assert.match(refused.stderr, reason);
    }
    assert.equal((await reloadHost.reload(["--port", "1"])).code, 6, "another address is another host");
    assert.equal((await reloadHost.host.readStatus()).reload, null);
    const reloadWith = async (variables: Readonly<Record<string, string>>): Promise<void> => {
      const { code, stderr } = await reloadHost.reload(["--with-variables"], { ...ports, ...variables });
      assert.deepEqual(
        [code, stderr],
        [0, "signalbox: changed, and in force only after a restart: logLevel, logFormat\n"],
      );
    };
    await reloadWith({ APP_VARIABLE: "brought", SIGNALBOX_WORKERS: "2" });
    assert.equal((await reloadHost.readFacts()).variable, "brought");
    assert.equal((await reloadHost.host.readStatus()).workers.length, 2);
    reloadHost.release("broken", { code: 'if (process.env.APP_VARIABLE === "bad") throw new Error("bad variable");' });
    const failed = await reloadHost.reload(["--with-variables"], { ...ports, APP_VARIABLE: "bad" });
    assert.equal(failed.code, 7);
    assert.match(failed.stderr, /bad variable/);
    assert.equal((await reloadHost.reload([], port)).code, 0, "those of a reload that failed do not stay");
    assert.equal((await reloadHost.readFacts()).variable, "brought");
    reloadHost.release("2");
    await reloadWith({});
    const { release, variable } = await reloadHost.readFacts();
    assert.deepEqual([release, variable], ["2", undefined]);
    writeFileSync(join(reloadHost.directory, "releases", "2", "other.mjs"), "");
    await reloadHost.host.waitForLog(({ msg }) => msg.startsWith("other.mjs changed"), "the change");
  });

  describe("a reload", { concurrency: 1, timeout: 60_000 }, () => {
    let reloadHost: ReloadHost;

    before(async () => {
      reloadHost = await ReloadHost.start(settings, { variables: "APP_VARIABLE=old" });
    });
    after(async () => await reloadHost[Symbol.asyncDispose]());

    for (const workers of [3, 1]) {
      test(`changes the number of workers to ${workers}`, async () => {
        reloadHost.configure({ ...settings, workers });
        const before = pidsOf(await reloadHost.host.readStatus());
        const { code, stdout, stderr } = await reloadHost.reload();
        assert.deepEqual([code, stderr], [0, ""]);
        const after = await reloadHost.host.readStatus();
        const [chosen] = stdout.split("\n");
        assert.equal(chosen, `reloads host ${after.hostKey} at ${reloadHost.host.url}, the only one running`);
        assert.equal(after.workers.length, workers);
        assert.ok(after.workers.every(({ pid, state }) => state === "ready" && !before.includes(pid)));
      });
    }

    test("reads the variables again, resolves the release anew, takes over what it can, and names what needs a restart", async () => {
      assert.deepEqual((await reloadHost.readFacts()).variable, "old");
      writeFileSync(reloadHost.envPath, "APP_VARIABLE=new");
      reloadHost.release("2");
      reloadHost.configure({ ...settings, workers: 1, maxHeadBytes: 2_048, region: "eu", keepAliveTimeoutMs: 1_000 });
      const { code, stderr } = await reloadHost.reload();
      assert.equal(code, 0);
      assert.equal(stderr, "signalbox: changed, and in force only after a restart: region, maxHeadBytes\n");
      const { variable, release } = await reloadHost.readFacts();
      assert.deepEqual({ variable, release }, { variable: "new", release: "2" });
      const { app, reload } = await reloadHost.host.readStatus();
      assert.match(app, /releases.2.app\.mjs$/);
      assert.deepEqual(reload?.restartNeeded, ["region", "maxHeadBytes"]);
    });

    test("by SIGHUP, sent three times at once, is one reload, and one more for what has changed since it began", async () => {
      reloadHost.configure(settings);
      const gate = join(reloadHost.directory, "gate");
      reloadHost.release("3", { gate });
      const { host } = reloadHost;
      const reloads = (): number => host.log.filter(({ msg }) => msg === "SIGHUP: reloading").length;
      host.process.kill("SIGHUP");
      await host.waitForStatus(({ workers }) => workers.length === 2, "a new worker");
      host.process.kill("SIGHUP");
      // Signals of one kind are merged while the first waits to be handled: it has been, when the host answers again.
      await host.readStatus();
      host.process.kill("SIGHUP");
      await host.readStatus();
      reloadHost.release("4", { gate });
      writeFileSync(gate, "");
      // Three came before, by the command.
      const ended = (): number => host.log.filter(({ msg }) => msg.startsWith("Reloaded in ")).length;
      await host.waitForStatus(() => ended() === 3 + 2, "the end of the second reload");
      assert.equal((await host.readStatus()).reload?.state, "done", "no third one follows");
      assert.equal(reloads(), 2);
      assert.equal((await reloadHost.readFacts()).release, "4");
      assert.equal(host.stderr, "");
    });

    test("is followed by crashes as before: the worker comes back with the same release", async () => {
      reloadHost.release("5");
      const { host } = reloadHost;
      const { workers } = await host.readStatus();
      process.kill(workers[0]?.pid ?? 0, "SIGKILL");
      await host.waitForStatus(
        ({ workers: now }) => now[0]?.restarts === 1 && now[0].state === "ready",
        "a new worker",
      );
      const releaseByWorker = new Map<number, string>();
      while (releaseByWorker.size < 2) {
        const { worker, release } = await reloadHost.readFacts();
        releaseByWorker.set(worker, release);
      }
      assert.deepEqual([...releaseByWorker.values()], ["4", "4"]);
    });
  });
});
