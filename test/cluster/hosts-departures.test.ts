/** A host dies, or leaves: who waits for it, who counts it, and what it has said last. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FabricFleet } from "../support/fabric-fleet.js";
import { skipOrFail } from "../support/prerequisite.js";
import { Heard, waitUntilHeard } from "../support/redis/heard.js";
import { missingRedis, redisPath } from "../support/redis/local-redis.js";
import { timed } from "../support/stopwatch.js";

/** Without a sign of life for this long, nobody waits for a host. */
const unreachableAfterMs = 3_000;
const outboxAgeMs = 4_000;
/** A sign of life may have come just before, and the machine is busy. */
const guardMs = 2_000;
const lastMessages = 1_000;

test("a host that dies is waited for until the heartbeat limit, and then forgotten", {
  timeout: 120_000,
}, async (t) => {
  if (redisPath === undefined) return skipOrFail(t, missingRedis);
  await using fleet = await FabricFleet.start({
    hosts: 3,
    env: { SIGNALBOX_HOST_OUTBOX_AGE_MS: String(outboxAgeMs) },
  });
  const [first, second] = [fleet.host(0), fleet.host(1)];
  const clients = await fleet.openEach();
  const ids = await Promise.all(clients.map(async (client) => await client.call<string>("id")));
  assert.deepEqual((await first.ask<string[]>(0, "fetch")).toSorted(), ids.toSorted());

  const { atMs } = await fleet.signalAll(2, "SIGKILL");
  const fetched = first.ask<string[]>(0, "fetch");
  const asked = second.ask<number[]>(0, "askServers", { event: "which-slot" });
  const { value } = await timed(fetched, unreachableAfterMs + guardMs, "the answer of those who live");
  assert.deepEqual(value.toSorted(), ids.slice(0, 2).toSorted());
  assert.deepEqual(await asked, [0]);
  assert.ok(performance.now() - atMs < unreachableAfterMs + guardMs);
  for (const { host } of [first, second]) {
    await host.waitForLog(({ msg }) => /^host h002 \(.*\) cannot be reached: /.test(msg), "that it is not reached");
  }

  // It is a member until it is given up; until then it might come back.
  for (const host of [first, second]) await host.waitForServers(2);
  const forgottenMs = performance.now() - atMs;
  assert.ok(forgottenMs > outboxAgeMs - 1_500, `forgotten after ${forgottenMs} ms`);
  assert.ok(forgottenMs < outboxAgeMs + guardMs, `forgotten after ${forgottenMs} ms`);
  await first.host.waitForLog(
    ({ msg }) => /^host h002 \(.*\) has been away for hostOutboxAgeMs: /.test(msg),
    "its end",
  );
  assert.deepEqual((await timed(first.ask<string[]>(0, "fetch"), guardMs, "two hosts' answer")).value.length, 2);
  for (const client of clients) client.close();
});

test("a host that leaves is forgotten at once, and its last messages arrive", { timeout: 120_000 }, async (t) => {
  if (redisPath === undefined) return skipOrFail(t, missingRedis);
  await using fleet = await FabricFleet.start({ hosts: 3 });
  const [first, second, leaving] = [fleet.host(0), fleet.host(1), fleet.host(2)];
  const clients = [...(await first.openOn([0])), ...(await second.openOn([0]))];
  for (const client of clients) await client.call("join", "room");
  const heard = clients.map((client) => new Heard(client));

  await leaving.ask(0, "emitMany", { room: "room", event: "last", count: lastMessages });
  await leaving.ask(0, "emit", { rooms: ["room"], event: "last", args: ["last word"] });
  const { code } = await leaving.host.stop();
  const endedMs = performance.now();
  assert.equal(code, 0, leaving.host.stderr);
  for (const host of [first, second]) await host.waitForServers(2);
  assert.ok(performance.now() - endedMs < 1_000, `forgotten after ${performance.now() - endedMs} ms`);
  await waitUntilHeard(heard, "last word");
  const all = [...Array.from({ length: lastMessages }, (_, number) => number), "last word"];
  for (const { texts } of heard) assert.deepEqual(texts, all);

  for (const { host } of [first, second]) {
    await host.waitForLog(({ msg }) => /^host h002 \(.*\) has left$/.test(msg), "that it has left");
    assert.deepEqual(
      host.log.filter(({ msg }) => msg.includes("cannot be reached")),
      [],
    );
  }
  assert.equal((await timed(first.ask<string[]>(0, "fetch"), guardMs, "two hosts' answer")).value.length, 2);
  for (const client of clients) client.close();
});
