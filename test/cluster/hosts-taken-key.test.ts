/** A host key that is taken: the newcomer ends and says why, and whoever has the key goes on, whatever happens to its router. */

import assert from "node:assert/strict";
import { hostname } from "node:os";
import { test } from "node:test";
import { FabricFleet, joinRedis, nameHost } from "../support/fabric-fleet.js";
import { fixturePath, startHost, type TestHost } from "../support/host.js";
import { skipOrFail } from "../support/prerequisite.js";
import { missingRedis, redisPath } from "../support/redis/local-redis.js";
import { timed } from "../support/stopwatch.js";

const patienceMs = 20_000;

/** A second host with the key of the first. */
async function startNewcomer(fleet: FabricFleet): Promise<TestHost> {
  return await startHost({
    app: fixturePath("echo-app.mjs"),
    workers: 1,
    isReadyAwaited: false,
    env: {
      SIGNALBOX_FABRIC: "routed",
      ...joinRedis(fleet.redis.url, nameHost(0)),
    },
  });
}

async function assertRefused(newcomer: TestHost, first: TestHost): Promise<void> {
  const { value } = await timed(newcomer.exited, patienceMs, "the end of the newcomer");
  assert.deepEqual(value, { code: 2, signal: null }, newcomer.stderr);
  const name = ({ pid }: TestHost): string => `${hostname()}, process ${pid}`;
  assert.ok(
    newcomer.stderr.includes(
      `two hosts have the host key h000: this one (${name(newcomer)}) and ${name(first)}, which was there first`,
    ),
    newcomer.stderr,
  );
  assert.match(newcomer.stderr, /SIGNALBOX_HOST_KEY/);
  assert.doesNotMatch(newcomer.stderr, /^\s+at /m, "a mistake of the user needs no stack");
}

test("a second host with a key that is taken ends with 2 and names both", { timeout: 120_000 }, async (t) => {
  if (redisPath === undefined) return skipOrFail(t, missingRedis);
  await using fleet = await FabricFleet.start({ hosts: 1, workers: 2 });
  const first = fleet.host(0);
  const pids = first.slots.map((slot) => first.worker(slot).pid);
  {
    await using newcomer = await startNewcomer(fleet);
    await assertRefused(newcomer, first.host);
  }
  const told = await first.host.waitForLog(({ msg }) => msg.startsWith("two hosts have the host key"), "the clash");
  assert.match(told.msg, /The newcomer has to end/);

  // A router that comes back while there is a newcomer knows that its host was there first.
  const killed = await first.killRouter();
  {
    await using newcomer = await startNewcomer(fleet);
    await first.host.waitForStatus(
      ({ router, bus }) => router?.pid !== killed && bus?.state === "up" && bus.hasJoined,
      "the next router on the bus",
    );
    await assertRefused(newcomer, first.host);
    await first.killRouter();
  }
  await first.host.waitForStatus(
    ({ router, bus }) => router?.restarts === 2 && bus?.state === "up",
    "the third router",
  );
  await first.waitForServers(2);
  assert.equal(first.host.process.exitCode, null);
  assert.deepEqual(
    first.slots.map((slot) => first.worker(slot).pid),
    pids,
  );
  const clients = await first.openOn([0, 1]);
  assert.equal((await first.ask<string[]>(0, "fetch")).length, 2);
  for (const client of clients) client.close();
});
