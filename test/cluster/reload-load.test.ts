/** A reload under load: new code everywhere, and nobody but the clients that move once notices. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { percentile } from "../support/fabric-host.js";
import { pause } from "../support/host.js";
import { pidsOf, ReloadHost } from "../support/reload-host.js";
import { isFull, ReloadLoad } from "../support/reload-load.js";

const [webSockets, pollings, messagesPerSecond] = isFull ? [500, 200, 1_000] : [50, 20, 100];
const workers = isFull ? 4 : 2;
const drainTimeoutMs = isFull ? 10_000 : 1_300;
/** Guard of the goal that everybody is back within the drain and 2 s. */
const backWithinMs = 3 * (drainTimeoutMs + 2_000);
/** For messages whose sender and receivers have to have been there before and after. */
const marginMs = isFull ? 1_000 : 500;

test("a reload under load moves each client once, fails no handshake and loses no message", {
  timeout: 180_000,
}, async (t) => {
  await using reloadHost = await ReloadHost.start({ workers, drainTimeoutMs });
  const { host } = reloadHost;
  const before = await host.readStatus();
  await using load = await ReloadLoad.start(host.url, {
    webSockets,
    pollings,
    messagesPerSecond,
    leastMarginMs: marginMs,
  });
  await pause(marginMs);

  reloadHost.release("2");
  const { code, stdout, stderr, durationMs } = await reloadHost.reload();
  assert.equal(stderr, "");
  assert.equal(code, 0);
  assert.match(stdout, /^0 of \d workers replaced, .* left$/m);
  assert.match(stdout, /^done in .*: (\d) of \1 workers replaced, \d+ sessions moved$/m);
  const count = webSockets + pollings;
  await load.waitFor(({ open }) => open === count, "everybody");
  await pause(marginMs);
  const { clients, faults, probes, messages, due, lost, slowestMs } = await load.report();

  assert.deepEqual(faults, [], "no handshake failed");
  assert.deepEqual({ lost }, { lost: 0 });
  assert.ok(due > 0 && probes > 0);
  for (const { sessions } of clients) {
    assert.deepEqual(
      sessions.map(({ release }) => release),
      ["1", "2"],
      "each client has moved once",
    );
  }
  const gaps = clients.map(({ sessions: [old, next] }) => (next?.fromMs ?? Number.NaN) - (old?.toMs ?? Number.NaN));
  assert.ok(Math.max(...gaps) < backWithinMs, `somebody was away for ${Math.max(...gaps)} ms`);
  const after = await host.readStatus();
  assert.ok(pidsOf(after).every((pid) => !pidsOf(before).includes(pid)));
  assert.equal(after.workers.length, workers);
  assert.ok(after.workers.every(({ state, restarts }) => state === "ready" && restarts === 0));
  const jobs = host.log.map(({ msg }) => msg).filter((msg) => msg.startsWith("the job "));
  assert.deepEqual(
    jobs,
    ["begins on release 1", "ends on release 1", "begins on release 2"].map((what) => `the job ${what}`),
  );
  const told = clients.filter(({ notices }) => notices > 0).length;
  assert.ok(told > count / 2, `${told} of ${count} were told before`);
  const share = count / workers;
  for (const { sessions } of after.workers) assert.ok(sessions > share * 0.6, `a worker has ${sessions} of ${count}`);
  const refused = Object.entries(after.counters).filter(
    ([name, value]) =>
      name.startsWith("signalbox_connections_refused") && !name.includes("unknown-session") && value > 0,
  );
  assert.deepEqual(refused, []);
  t.diagnostic(
    `${count} clients, ${messages} messages (${due} receipts due, the slowest took ${Math.round(slowestMs)} ms), ${probes} handshakes beside; reload took ` +
      `${Math.round(durationMs)} ms; gap of a client p50 ${Math.round(percentile(gaps, 0.5))} ms, ` +
      `p99 ${Math.round(percentile(gaps, 0.99))} ms; ` +
      `${told} were told before; ` +
      `sessions ${after.workers.map(({ sessions }) => sessions).join("/")}`,
  );
});
