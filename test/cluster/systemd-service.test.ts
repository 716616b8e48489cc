/** The shipped units under a real systemd, as install.mjs puts them on a machine: start, restart, crashes, stop, journal, rights. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fixturePath, pause } from "../support/host.js";
import { projectInside, type SystemdSandbox, startSandbox } from "../support/systemd-sandbox.js";

const service = "signalbox.service";
const url = "http://127.0.0.1:3000";
const dropIn = "/etc/systemd/system/signalbox.service.d/test.conf";
const drainTimeoutMs = 1_000;
const isFull = process.env["TEST_SIZE"] === "full";
/** Enough to see that each is replaced. */
const workerCount = isFull ? 2 : 1;
const allReady = isFull ? "2 of 2 workers ready" : "1 of 1 worker ready";
const atFullSize = { skip: isFull ? false : "at full size" };
/** What systemd tells the primary alone. */
const serviceVariables = [
  "LISTEN_PID",
  "LISTEN_FDS",
  "LISTEN_FDNAMES",
  "NOTIFY_SOCKET",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
];

interface Facts {
  readonly release: string;
  readonly pid: number;
  readonly environment: readonly string[];
  readonly cpus: number;
  readonly interfaces: readonly string[];
  readonly home: unknown;
  readonly temporary: unknown;
}

test("under a real systemd", async (t) => {
  await using sandbox = await startSandbox(t);
  if (sandbox === undefined) return;
  // As shipped, but for patience that a test does not have.
  sandbox.write(dropIn, "[Service]\nWatchdogSec=2\nTimeoutAbortSec=300ms\nRestartSec=100ms\n");
  await install(sandbox);

  await t.test("install starts the service, which says how it is", async () => {
    await sandbox.waitFor(service, "StatusText", (text) => text === `${allReady}, 0 sessions`);
    assert.equal(await sandbox.show(service, "ActiveState"), "active");
    assert.match(
      await sandbox.check(["systemctl", "status", "--no-pager", service]),
      new RegExp(`Status: "${allReady}`),
    );
  });

  await t.test(
    "installing again replaces the files, keeps the settings, and the service runs",
    atFullSize,
    async () => {
      const settings = "/etc/signalbox/signalbox.env";
      const before = readFileSync(sandbox.path(settings), "utf8");
      const said = await install(sandbox);
      assert.match(said, /signalbox\.env is there already, and stays/);
      assert.equal(readFileSync(sandbox.path(settings), "utf8"), before);
      assert.equal(await sandbox.show(service, "ActiveState"), "active");
    },
  );

  await t.test(
    "services that share a prefix get a new version together, and keep it while one is left",
    atFullSize,
    async () => {
      const script = `${projectInside}/scripts/install.mjs`;
      const own = ["--app", "/srv/app/app.mjs", "--name", "second", "--workers", "1", "--admin-port", "0"];
      const before = await sandbox.show(service, "MainPID");
      const refused = await sandbox.run(["node", script, "--", ...own, "--port", "3100"]);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /signalbox\.service run from \/opt\/signalbox: give --start/);
      assert.equal(await sandbox.show(service, "MainPID"), before);
      await sandbox.check(["node", script, "--start", "--", ...own, "--port", "3100"]);
      for (const name of [service, "second.service"]) assert.equal(await sandbox.show(name, "ActiveState"), "active");
      assert.notEqual(await sandbox.show(service, "MainPID"), before);
      const moved = await sandbox.check(["node", script, "--start", "--", ...own, "--port", "3200"]);
      assert.match(moved, /the old address holds until systemctl restart second\.socket/);
      const said = await sandbox.check([
        "node",
        `${projectInside}/scripts/uninstall.mjs`,
        "--name",
        "second",
        "--purge",
      ]);
      assert.match(said, /\/opt\/signalbox stays: signalbox\.service use it/);
      await sandbox.waitFor(service, "StatusText", (text) => text.startsWith(allReady));
      // systemd counts starts, and would refuse the next ones.
      await sandbox.check(["systemctl", "reset-failed", service]);
    },
  );

  await t.test("a connection to the socket starts the service, and waits for it", async () => {
    await sandbox.check(["systemctl", "stop", "signalbox.socket"]);
    assert.equal(await sandbox.show(service, "ActiveState"), "inactive", "the service ends with its socket");
    await sandbox.check(["systemctl", "start", "signalbox.socket"]);
    assert.equal(await sandbox.show(service, "ActiveState"), "inactive");
    assert.ok((await readFacts(sandbox)).pid > 0);
    await sandbox.waitFor(service, "ActiveState", (state) => state === "active");
  });

  await t.test(
    "the application sees nothing of the machine that is not its business, and what Node needs",
    async () => {
      const facts = await readFacts(sandbox);
      assert.deepEqual(
        facts.environment.filter((name) => serviceVariables.includes(name)),
        [],
      );
      assert.ok(facts.cpus > 0);
      assert.deepEqual(facts.interfaces, ["lo"]);
      assert.deepEqual([facts.home, facts.temporary], ["EACCES", []]);
      const { router, workers } = await readPids(sandbox);
      for (const pid of [router, ...workers]) {
        const variables: string[] = readFileSync(sandbox.path(`/proc/${pid}/environ`), "utf8").split("\0");
        assert.deepEqual(
          variables.filter((line) => serviceVariables.some((name) => line.startsWith(`${name}=`))),
          [],
        );
      }
      // The public socket: who holds it keeps connections waiting that nobody will take.
      const inode = /ino:(\d+)/.exec(await sandbox.check(["ss", "-ltne", "sport = :3000"]))?.[1];
      const holders = (
        await sandbox.check(["sh", "-c", `ls -l /proc/[0-9]*/fd 2>&1 | grep -c 'socket:\\[${inode}\\]'`])
      ).trim();
      assert.equal(holders, "2", "systemd and the primary hold the public socket");
    },
  );

  await t.test("a restart refuses no connection: they wait", async (subtest) => {
    const load = await startLoad(sandbox);
    for (let round = 0; round < (isFull ? 5 : 1); round++) {
      // systemd counts starts, and refuses the sixth within 10 s.
      await sandbox.check(["systemctl", "reset-failed", service]);
      await sandbox.check(["systemctl", "restart", service]);
      await load.next(50);
    }
    const { outcomes, slowestMs } = await load.end();
    subtest.diagnostic(`outcomes ${JSON.stringify(outcomes)}, the longest wait ${slowestMs} ms`);
    assert.equal(outcomes["ECONNREFUSED"], undefined);
    assert.ok((outcomes["200"] ?? 0) >= 100);
  });

  await t.test("a worker or the router that is killed is replaced, and the service stays what it is", async () => {
    const primary = await sandbox.show(service, "MainPID");
    const before = await readPids(sandbox);
    await sandbox.check(["kill", "-9", String(before.workers[0]), String(before.router)]);
    await waitForPids(sandbox, ({ router, workers }) => {
      return (
        router !== undefined &&
        router !== before.router &&
        workers.length === workerCount &&
        !workers.includes(before.workers[0] ?? 0)
      );
    });
    assert.equal(await sandbox.show(service, "MainPID"), primary);
    assert.equal(await sandbox.show(service, "NRestarts"), "0");
    await sandbox.waitFor(service, "StatusText", (text) => text.startsWith(allReady));
  });

  await t.test(
    "when the primary is killed, all of it is started anew, without a refused connection",
    atFullSize,
    async () => {
      const load = await startLoad(sandbox);
      const before = await sandbox.show(service, "MainPID");
      await sandbox.check(["kill", "-9", before]);
      await sandbox.waitFor(service, "MainPID", (pid) => pid !== before && pid !== "0");
      await sandbox.waitFor(service, "ActiveState", (state) => state === "active");
      assert.equal((await load.end()).outcomes["ECONNREFUSED"], undefined);
    },
  );

  await t.test(
    "a primary that hangs is ended by the watchdog, and started anew, without a refused connection",
    async () => {
      const load = await startLoad(sandbox);
      const before = await sandbox.show(service, "MainPID");
      // Up to now it has lived longer than the limit: it gives signs of life.
      assert.equal(await hasTimedOut(sandbox), false);
      await sandbox.check(["kill", "-STOP", before]);
      await sandbox.waitFor(service, "MainPID", (pid) => pid !== before && pid !== "0");
      await sandbox.waitFor(service, "ActiveState", (state) => state === "active");
      assert.equal(await hasTimedOut(sandbox), true);
      assert.equal((await load.end()).outcomes["ECONNREFUSED"], undefined);
    },
  );

  await t.test("reload brings new code and variables to every worker, and nobody notices", async (subtest) => {
    const before = await readPids(sandbox);
    const load = await startLoad(sandbox);
    writeApp(sandbox, "second");
    await sandbox.check(["sh", "-c", "echo ADDED_LATER=yes >> /etc/signalbox/signalbox.env"]);
    const { durationMs } = await sandbox.run(["systemctl", "reload", service]);
    await load.next(50);
    const { outcomes, slowestMs } = await load.end();
    subtest.diagnostic(
      `${Math.round(durationMs)} ms; outcomes ${JSON.stringify(outcomes)}, the longest ${slowestMs} ms`,
    );
    assert.deepEqual(Object.keys(outcomes), ["200"]);
    const after = await readPids(sandbox);
    assert.equal(after.workers.length, workerCount);
    assert.deepEqual(
      after.workers.filter((pid) => before.workers.includes(pid)),
      [],
    );
    const { release, environment } = await readFacts(sandbox);
    assert.equal(release, "second");
    assert.ok(environment.includes("ADDED_LATER"), "the environment file is read again");
    assert.deepEqual(
      environment.filter((name) => serviceVariables.includes(name)),
      [],
    );
    await sandbox.waitFor(service, "StatusText", (text) => text.startsWith(allReady));
    await sandbox.waitFor(service, "ActiveState", (state) => state === "active");
  });

  await t.test("a reload of what does not start fails, says why, and leaves the old in place", async () => {
    const before = await readPids(sandbox);
    sandbox.write("/srv/app/app.mjs", "throw new Error('a broken release');\n");
    assert.notEqual((await sandbox.run(["systemctl", "reload", service])).code, 0);
    // The host says that it is ready again as soon as the command says why it failed.
    await sandbox.waitFor(service, "ActiveState", (state) => state === "active");
    assert.deepEqual((await readPids(sandbox)).workers, before.workers);
    assert.equal((await readFacts(sandbox)).release, "second");
    const journal = await sandbox.readJournal(service);
    assert.ok(journal.some((entry) => entry.MESSAGE.includes("a broken release")));
    writeApp(sandbox, "third");
    await sandbox.check(["systemctl", "kill", "--signal=HUP", "--kill-who=main", service]);
    await waitForPids(
      sandbox,
      ({ workers }) => workers.length === workerCount && !workers.some((pid) => before.workers.includes(pid)),
    );
    assert.equal((await readFacts(sandbox)).release, "third");
  });

  await t.test("stopping takes no longer than the drain, and leaves nothing", async (subtest) => {
    const { durationMs } = await sandbox.run(["systemctl", "stop", "signalbox.socket"]);
    subtest.diagnostic(`${Math.round(durationMs)} ms`);
    assert.ok(durationMs < drainTimeoutMs + 2_000);
    assert.equal(await sandbox.show(service, "Result"), "success");
    assert.deepEqual(await readPids(sandbox), { router: undefined, workers: [] });
  });

  await t.test("a configuration that is wrong is said, and not tried again", async () => {
    sandbox.write(dropIn, "[Service]\nEnvironment=SIGNALBOX_REGION=NOT/ONE\n");
    await sandbox.check(["systemctl", "daemon-reload"]);
    assert.notEqual((await sandbox.run(["systemctl", "start", service])).code, 0);
    assert.equal(await sandbox.show(service, "ActiveState"), "failed");
    const faults = (await sandbox.readJournal(service)).filter((entry) => entry.MESSAGE.includes("NOT/ONE"));
    assert.deepEqual(
      faults.map((entry) => entry.PRIORITY),
      ["3"],
    );
  });

  await t.test("the journal is readable: no colours, no JSON, and the priorities that were meant", async () => {
    const entries = (await sandbox.readJournal(service)).filter((entry) => entry.SYSLOG_IDENTIFIER === "signalbox");
    const priorities = (words: string): string[] => [
      ...new Set(entries.filter((entry) => entry.MESSAGE.includes(words)).map((entry) => entry.PRIORITY)),
    ];
    assert.deepEqual(
      entries.filter((entry) => /^\{|^<\d>/.test(entry.MESSAGE) || entry.MESSAGE.includes("\u001b")),
      [],
    );
    assert.deepEqual(priorities("primary   Ready at "), ["6"]);
    assert.deepEqual(priorities("green words"), ["6"]);
    assert.deepEqual(priorities("a complaint"), ["3"]);
    assert.deepEqual(priorities("ended (SIGKILL)"), ["4"]);
  });

  await t.test("what is exposed stays within the bound", async (subtest) => {
    const { code, stdout } = await sandbox.run([
      "systemd-analyze",
      "security",
      "--no-pager",
      "--threshold=25",
      service,
    ]);
    subtest.diagnostic(stdout.trim().split("\n").at(-1) ?? "");
    assert.equal(code, 0);
  });

  await t.test("uninstall leaves the settings, and nothing else", async () => {
    await sandbox.check(["node", `${projectInside}/scripts/uninstall.mjs`]);
    assert.equal(await sandbox.show(service, "LoadState"), "not-found");
    const left = await sandbox.check([
      "sh",
      "-c",
      "ls -d /opt/signalbox* /etc/systemd/system/*/signalbox* /etc/signalbox/* 2>/dev/null || true",
    ]);
    assert.equal(left.trim(), "/etc/signalbox/signalbox.env");
  });
});

function writeApp(sandbox: SystemdSandbox, release: string): void {
  const source = readFileSync(fixturePath("systemd/service-app.mjs"), "utf8");
  sandbox.write("/srv/app/app.mjs", source.replace('const release = "first"', `const release = "${release}"`));
}

async function install(sandbox: SystemdSandbox): Promise<string> {
  writeApp(sandbox, "first");
  const settings = [
    "--app",
    "/srv/app/app.mjs",
    "--workers",
    String(workerCount),
    "--drain-timeout-ms",
    String(drainTimeoutMs),
  ];
  return await sandbox.check(["node", `${projectInside}/scripts/install.mjs`, "--start", "--", ...settings]);
}

async function readFacts(sandbox: SystemdSandbox): Promise<Facts> {
  return JSON.parse(await sandbox.check(["curl", "-sS", "--max-time", "10", `${url}/facts`])) as Facts;
}

/** Of the running service, as its sandbox numbers them. */
async function readPids(sandbox: SystemdSandbox): Promise<{ router: number | undefined; workers: number[] }> {
  const group = await sandbox.run(["cat", "/sys/fs/cgroup/system.slice/signalbox.service/cgroup.procs"]);
  const pids = group.stdout.split("\n").filter(Boolean).map(Number);
  const runs = (pid: number, file: string): boolean => {
    try {
      return readFileSync(sandbox.path(`/proc/${pid}/cmdline`), "utf8").includes(file);
    } catch {
      return false;
    }
  };
  return {
    router: pids.find((pid) => runs(pid, "router-main.js")),
    workers: pids.filter((pid) => runs(pid, "worker-main.js")),
  };
}

async function waitForPids(
  sandbox: SystemdSandbox,
  fits: (pids: Awaited<ReturnType<typeof readPids>>) => boolean,
): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (fits(await readPids(sandbox))) return;
    await pause(50);
  }
  throw new Error(`still ${JSON.stringify(await readPids(sandbox))}`);
}

async function hasTimedOut(sandbox: SystemdSandbox): Promise<boolean> {
  return (await sandbox.readJournal(service)).some((entry) => entry.MESSAGE.includes("Watchdog timeout"));
}

interface LoadOutcome {
  readonly outcomes: Readonly<Record<string, number>>;
  readonly slowestMs: number;
}

interface Load {
  /** Resolves when so many more connections have been answered with 200. */
  next: (count: number) => Promise<void>;
  end: () => Promise<LoadOutcome>;
}

/** Connections one after another, four at a time, to the public address; resolves when 50 have been answered. */
async function startLoad(sandbox: SystemdSandbox): Promise<Load> {
  const script = `${projectInside}/test/fixtures/systemd/connect-loop.mjs`;
  const child = sandbox.spawn(["node", script, `${url}/facts`, "4"]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async (): Promise<LoadOutcome> => {
    const { value, done } = await lines.next();
    assert.ok(done !== true, "the load goes on");
    return JSON.parse(value as string) as LoadOutcome;
  };
  const next = async (count: number): Promise<void> => {
    child.stdin.write(`${count}\n`);
    await read();
  };
  await next(50);
  return {
    next,
    end: async () => {
      child.stdin.end();
      return await read();
    },
  };
}
