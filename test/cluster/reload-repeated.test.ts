/** Many reloads in a row under load leave nothing behind in the processes that stay. */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { fixturePath, pause } from "../support/host.js";
import { ReloadHost } from "../support/reload-host.js";
import { isFull, ReloadLoad } from "../support/reload-load.js";

const [webSockets, pollings, messagesPerSecond] = isFull ? [100, 40, 200] : [20, 10, 50];
/** One handle that is left by each worker is more than the tolerance. */
const [workers, reloads] = isFull ? [4, 20] : [1, 5];
/** What the collector leaves, and code that is compiled later. */
const heapToleranceBytes = 4 * 1024 * 1024;
/** Connections come and go with the load, and wait on a busy machine: what is left behind is there at every look. */
const leastLooks = 10;
const looksLimitMs = 15_000;
const handleTolerance = isFull ? 4 : 2;

interface Held {
  readonly listeners: number;
  readonly handles: number;
  readonly heapBytes: number;
  readonly descriptors: number;
}

function isWithin(held: Held, first: Held = held): boolean {
  return held.handles <= first.handles + handleTolerance && held.descriptors <= first.descriptors + handleTolerance;
}

test(`${reloads} reloads in a row leave memory, handles and listeners as the first has`, {
  timeout: 300_000,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-probe-"));
  t.after(() => rmSync(directory, { recursive: true }));
  await using reloadHost = await ReloadHost.start(
    { workers, drainTimeoutMs: 1_000 },
    {
      // Not as an argument of Node: the router has none.
      env: { PROBE_DIR: directory, NODE_OPTIONS: `--import ${pathToFileURL(fixturePath("reload/probe.mjs")).href}` },
    },
  );
  const { host } = reloadHost;
  const routerPid = (await host.readStatus()).router?.pid ?? 0;

  async function readHeld(pid: number): Promise<Held> {
    const path = join(directory, String(pid));
    rmSync(path, { force: true });
    process.kill(pid, "SIGUSR2");
    for (let looks = 0; !existsSync(path); looks++) {
      assert.ok(looks < 1_000, `process ${pid} does not say what it holds`);
      await pause(10);
    }
    const held = JSON.parse(readFileSync(path, "utf8")) as Omit<Held, "descriptors">;
    return { ...held, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  }

  /** The least of several looks; of more, while there is more than there may be. */
  async function readLeastHeld(pid: number, first: Held | undefined): Promise<Held> {
    const deadlineMs = performance.now() + looksLimitMs;
    let least = await readHeld(pid);
    for (let looks = 1; looks < leastLooks || (!isWithin(least, first) && performance.now() < deadlineMs); looks++) {
      // To look takes the process so long that it gets behind with its connections.
      await pause(looks < leastLooks ? 20 : 300);
      const held = await readHeld(pid);
      least = {
        listeners: Math.min(least.listeners, held.listeners),
        handles: Math.min(least.handles, held.handles),
        heapBytes: Math.min(least.heapBytes, held.heapBytes),
        descriptors: Math.min(least.descriptors, held.descriptors),
      };
    }
    return least;
  }

  await using load = await ReloadLoad.start(host.url, {
    webSockets,
    pollings,
    messagesPerSecond,
    leastMarginMs: isFull ? 1_000 : 500,
    reconnectionDelayMs: isFull ? 1_000 : 100,
  });
  const pids = { primary: host.pid, router: routerPid };
  const after: Record<string, Held[]> = { primary: [], router: [] };
  for (let round = 0; round < reloads; round++) {
    const { code, stderr } = await reloadHost.reload();
    assert.deepEqual([code, stderr], [0, ""]);
    if (round > 0 && round < reloads - 1) continue;
    await load.waitFor(({ open }) => open === webSockets + pollings, "everybody");
    for (const [name, pid] of Object.entries(pids)) after[name]?.push(await readLeastHeld(pid, after[name]?.[0]));
  }

  assert.equal((await host.readStatus()).router?.pid, routerPid, "it is the same router");
  for (const [name, history] of Object.entries(after)) {
    const [first, last] = [history[0], history.at(-1)];
    assert.ok(first !== undefined && last !== undefined);
    t.diagnostic(`${name}: ${JSON.stringify(first)} after the first, ${JSON.stringify(last)} after the last`);
    assert.equal(last.listeners, first.listeners, `listeners of the ${name}`);
    assert.ok(isWithin(last, first), `handles and descriptors of the ${name}`);
    assert.ok(last.heapBytes < first.heapBytes + heapToleranceBytes, `memory of the ${name}`);
  }
  const { faults, clients, lost } = await load.waitFor(({ due }) => due > 0, "a message that had to arrive");
  assert.deepEqual({ faults, lost }, { faults: [], lost: 0 });
  const moves = clients.map(({ sessions }) => sessions.length - 1);
  assert.ok(Math.max(...moves) <= reloads, "nobody moves twice in a reload");
  assert.equal(host.stderr, "");
});
