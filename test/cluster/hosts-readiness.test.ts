/** What a host says of itself while its Redis is away: on /readyz, in its status and metrics, and in its log; and it serves. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { askAdmin, joinRedis, nameHost } from "../support/fabric-fleet.js";
import { FabricHost } from "../support/fabric-host.js";
import { pause } from "../support/host.js";
import { skipOrFail } from "../support/prerequisite.js";
import { Heard, waitUntilHeard } from "../support/redis/heard.js";
import { LocalRedis, missingRedis, redisPath } from "../support/redis/local-redis.js";

const patienceMs = 20_000;
/** A blink of Redis sends no client elsewhere. */
const absenceLimitMs = 5_000;
const password = "s3cret/of&redis";

async function waitForReadiness(host: FabricHost, isReady: boolean): Promise<{ body: string; atMs: number }> {
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    const { status, body } = await askAdmin(host, "/readyz");
    if ((status === 200) === isReady) return { body, atMs: performance.now() };
    assert.ok(performance.now() < deadlineMs, `/readyz answers ${status} ${body}`);
    await pause(20);
  }
}

/** A client of each worker hears what the other worker sends. */
async function assertServes(host: FabricHost, text: string): Promise<void> {
  const clients = await host.openOn([0, 1]);
  const heard = clients.map((client) => new Heard(client));
  await host.ask(0, "emit", { event: "told", args: [text] });
  await waitUntilHeard(heard, text);
  for (const client of clients) client.close();
}

test("without Redis a host serves its own clients, and says what it lacks", { timeout: 120_000 }, async (t) => {
  if (redisPath === undefined) return skipOrFail(t, missingRedis);
  await using redis = new LocalRedis({ password });
  const url = `unix://:${encodeURIComponent(password)}@${redis.socketPath}`;
  await using host = await FabricHost.start({ workers: 2, env: joinRedis(url, nameHost(0)) });
  const asked: string[] = [];
  const readStatus = async (): Promise<Awaited<ReturnType<typeof host.host.readStatus>>["bus"]> => {
    for (const path of ["/status", "/metrics", "/readyz"]) asked.push((await askAdmin(host, path)).body);
    return (await host.host.readStatus()).bus;
  };
  const countLines = (pattern: RegExp): number => host.host.log.filter(({ msg }) => pattern.test(msg)).length;

  // Away from the start.
  await host.host.waitForLog(({ msg }) => msg.startsWith("no Redis ("), "the first outage");
  const before = await waitForReadiness(host, false);
  assert.match(before.body, /^this host has not joined the other hosts yet \(unix:\/\/\S+: .+\)\n$/);
  const atStart = await readStatus();
  assert.deepEqual([atStart?.state, atStart?.hasJoined, atStart?.hosts], ["down", false, []]);
  assert.match(atStart?.reason ?? "", /^unix:\/\/\S+redis\.sock: /);
  await assertServes(host, "before the first join");
  assert.equal(countLines(/^no Redis \(/), 1, "told once");

  await redis.start();
  await waitForReadiness(host, true);
  const joined = await readStatus();
  assert.deepEqual([joined?.state, joined?.hasJoined, joined?.reason], ["up", true, null]);
  assert.match(asked.join("\n"), /^signalbox_bus_up 1$/m);

  // Away once more: for a while that is nobody's business but its own.
  await redis.kill();
  const killedMs = performance.now();
  await host.host.waitForStatus(({ bus }) => bus?.state === "down", "the second outage");
  assert.equal((await askAdmin(host, "/readyz")).status, 200);
  await assertServes(host, "while Redis is away");
  const away = await waitForReadiness(host, false);
  assert.ok(away.atMs - killedMs >= absenceLimitMs - 100, `after ${away.atMs - killedMs} ms`);
  assert.match(
    away.body,
    /^other hosts cannot be reached for \d+ s \(unix:.+\): this host's own clients are served as/,
  );
  const down = await readStatus();
  assert.deepEqual([down?.state, down?.hasJoined], ["down", true]);
  assert.ok((down?.stateSeconds ?? 0) >= absenceLimitMs / 1_000, `down for ${down?.stateSeconds} s`);
  await assertServes(host, "before Redis is back");

  await redis.start();
  await waitForReadiness(host, true);
  assert.deepEqual([(await readStatus())?.state, countLines(/^Redis is there: /)], ["up", 2]);
  assert.equal(countLines(/^no Redis \(/), 2, "each outage is told once");

  await host.host.stop();
  const said = [...asked, host.host.stderr, ...host.host.log.map((record) => JSON.stringify(record))].join("\n");
  for (const secret of [password, encodeURIComponent(password)])
    assert.ok(!said.includes(secret), "the password is told");
});
