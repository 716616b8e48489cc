/** The supervisor of the router, with real processes: what it waits for, what it tells the next one, how it ends them. */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import type { RouterLogSink } from "../../src/primary/router-process.js";
import { RouterSupervisor } from "../../src/primary/router-supervisor.js";
import type { RouterReport } from "../../src/protocol/router-messages.js";
import { encodeBroadcast } from "../support/fabric-frames.js";
import { fixturePath, isAlive, projectDir, waitUntilGone } from "../support/host.js";
import { connectAsWorker, connectRaw } from "../support/raw-port.js";

const realRouter = join(projectDir, "dist/router/router-main.js");
let directory = "";
let socketPath = "";
let lines: string[] = [];
let supervisor: RouterSupervisor;

const sink: RouterLogSink = {
  debug: (text) => lines.push(`debug ${text}`),
  info: (text) => lines.push(`info ${text}`),
  warn: (text) => lines.push(`warn ${text}`),
  error: (text) => lines.push(`error ${text}`),
};

function supervise(routerMain: string, options: { backoffMinMs?: number; isDirectoryOwn?: boolean } = {}): void {
  const { backoffMinMs = 1, isDirectoryOwn = false } = options;
  supervisor = new RouterSupervisor(
    {
      routerMain,
      isUnreferenced: false,
      init: {
        socketPath,
        hostKey: "host",
        log: null,
        maxOutboxBytes: 65_536,
        maxRoomsPerWorker: 100,
        isDirectoryOwn,
        bus: null,
        links: null,
      },
      restart: { backoffMinMs, backoffMaxMs: 1_000 },
    },
    sink,
    sink,
  );
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sbx-router-"));
  socketPath = join(directory, "router.sock");
  lines = [];
});

afterEach(async () => {
  const pid = supervisor.pid;
  await supervisor.stop();
  rmSync(directory, { recursive: true, force: true });
  if (pid !== undefined) assert.deepEqual(await waitUntilGone([pid], 0), [], "no router is left");
});

async function nextEvent(name: "ready" | "ended"): Promise<void> {
  await new Promise<void>((resolve) => supervisor.once(name, resolve));
}

/** The next report in which the ports are as wanted. */
async function waitForReport(fits: (report: RouterReport) => boolean): Promise<RouterReport> {
  return await new Promise((resolve) => {
    supervisor.on("reported", function look(report) {
      if (!fits(report)) return;
      supervisor.off("reported", look);
      resolve(report);
    });
  });
}

async function killAndAwaitNext(): Promise<void> {
  const ready = nextEvent("ready");
  process.kill(supervisor.pid ?? 0, "SIGKILL");
  await ready;
}

test("the start is over when the router listens, and from then on it is not absent", async () => {
  supervise(realRouter);
  assert.equal(supervisor.state, "ended");
  await supervisor.start();
  assert.equal(supervisor.state, "ready");
  assert.equal(supervisor.absentSinceMs, undefined);
  await (await connectRaw(socketPath)).close();
});

test("each new router expects the workers that there are, and not those that have ended", async () => {
  supervise(realRouter);
  supervisor.expect("hostAA");
  await supervisor.start();
  supervisor.expect("hostAB");
  supervisor.expect("hostAC");
  supervisor.forget("hostAB");
  const placesOf = ({ ports }: RouterReport): string[] => ports.map(({ place }) => place).sort();
  const wanted = (report: RouterReport): boolean => placesOf(report).join() === "hostAA,hostAC";
  const first = await waitForReport(wanted);
  assert.ok(first.ports.every(({ isConnected }) => !isConnected));
  await killAndAwaitNext();
  await waitForReport(wanted);
  supervisor.forget("hostAA");
  supervisor.forget("hostAC");
  await waitForReport(({ ports }) => ports.length === 0);
});

test("what is sent to a worker that is expected back waits for it", async () => {
  supervise(realRouter);
  supervisor.expect("hostAA");
  supervisor.expect("hostAB");
  await supervisor.start();
  const sender = await connectAsWorker(socketPath, "hostAA");
  const message = encodeBroadcast({ rooms: ["room"], body: "while it was away" });
  sender.send(message);
  await waitForReport(({ ports }) => ports.some(({ place, queuedBytes }) => place === "hostAB" && queuedBytes > 0));
  const receiver = await connectAsWorker(socketPath, "hostAB");
  assert.deepEqual((await receiver.waitFor("passed-on")).bytes, message);
  await Promise.all([sender.close(), receiver.close()]);
});

test("a router that says nothing holds the start up for some seconds only", async (t) => {
  supervise(fixturePath("routers/silent.mjs"));
  const startedMs = performance.now();
  await supervisor.start();
  const tookMs = performance.now() - startedMs;
  t.diagnostic(`waited for ${Math.round(tookMs)} ms`);
  assert.ok(tookMs >= 5_000 && tookMs < 15_000, `${tookMs} ms`);
  assert.equal(supervisor.state, "starting");
  assert.notEqual(supervisor.absentSinceMs, undefined);
  assert.deepEqual(lines, ["warn the router is not ready after 5000 ms: what waits for it goes on without"]);
});

test("a stop while the router starts ends the start and the router", async () => {
  supervise(fixturePath("routers/silent.mjs"));
  const started = supervisor.start();
  const pid = supervisor.pid ?? 0;
  assert.ok(isAlive(pid));
  await supervisor.stop();
  await started;
  assert.deepEqual(await waitUntilGone([pid], 0), []);
  assert.equal(supervisor.state, "ended");
});

test("a router that cannot even be loaded is tried again and again, later each time", async () => {
  supervise(join(directory, "missing.js"), { backoffMinMs: 20 });
  void supervisor.start();
  while (supervisor.restarts < 4) await nextEvent("ended");
  const attempts = lines.filter((line) =>
    line.startsWith("warn the router could not start (exit code 1); started again"),
  );
  assert.deepEqual(
    attempts.map((line) => /in (\d+) ms \(restart \d+\)$/.exec(line)?.[1]),
    ["20", "40", "80", "160"],
  );
  assert.ok(
    lines.some((line) => line.includes("Cannot find module")),
    "Node's own words are in the log",
  );
  // Between two attempts there is no process to end.
  assert.equal(supervisor.state, "backoff");
  await supervisor.stop();
  assert.equal(supervisor.state, "ended");
});

test("how long restarts wait can be changed while it runs, as a reload does", async () => {
  supervise(join(directory, "missing.js"), { backoffMinMs: 20 });
  void supervisor.start();
  await nextEvent("ended");
  supervisor.setBackoff({ backoffMinMs: 70, backoffMaxMs: 70 });
  while (supervisor.restarts < 3) await nextEvent("ended");
  const waits = lines.flatMap((line) => /started again in (\d+) ms/.exec(line)?.[1] ?? []);
  assert.deepEqual(waits, ["20", "70", "70"]);
  assert.equal(supervisor.backoff.backoffMaxMs, 70);
  await supervisor.stop();
});

test("a stopped supervisor starts none", async () => {
  supervise(realRouter);
  await supervisor.start();
  const pid = supervisor.pid ?? 0;
  await supervisor.stop();
  assert.deepEqual(await waitUntilGone([pid], 0), []);
  assert.deepEqual([supervisor.pid, supervisor.state, supervisor.restarts], [undefined, "ended", 0]);
  assert.ok(!existsSync(socketPath), "its socket is gone with it");
  await supervisor.stop();
});

test("a router that hangs when it is told to end is killed", async (t) => {
  supervise(realRouter);
  await supervisor.start();
  const pid = supervisor.pid ?? 0;
  process.kill(pid, "SIGSTOP");
  const startedMs = performance.now();
  await supervisor.stop();
  t.diagnostic(`stop of a router that hangs: ${Math.round(performance.now() - startedMs)} ms`);
  assert.deepEqual(await waitUntilGone([pid], 0), []);
});

test("killed, it is gone, and none comes after it", async () => {
  supervise(realRouter);
  await supervisor.start();
  const pid = supervisor.pid ?? 0;
  const ended = nextEvent("ended");
  supervisor.kill();
  await ended;
  assert.deepEqual(await waitUntilGone([pid], 0), []);
  assert.equal(supervisor.state, "ended");
});

test("without a log of the host, what the router has to say comes to the primary, once", async () => {
  supervise(realRouter);
  await supervisor.start();
  for (let attempt = 0; attempt < 3; attempt++) {
    const port = await connectRaw(socketPath);
    port.send(Buffer.alloc(6, 255));
    await port.closed;
  }
  const refusals = await waitForReport(({ counts }) => counts.refusals === 3);
  assert.equal(refusals.counts.badFrames, 3);
  assert.equal(
    lines.filter((line) => line.startsWith("warn a connection to the router's socket was refused")).length,
    1,
  );
});

test("a directory that was made for the socket goes with a router whose primary is gone", async () => {
  supervise(realRouter, { isDirectoryOwn: true });
  await supervisor.start();
  assert.ok(existsSync(socketPath));
  await supervisor.stop();
  assert.ok(!existsSync(directory));
});
