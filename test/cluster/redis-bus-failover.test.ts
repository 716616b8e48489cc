/** The bus through a failover that Sentinels make: of a master that is dead, and of one that only seemed so. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { skipOrFail } from "../support/prerequisite.js";
import { sentinelForm, threeSentinelsForm } from "../support/redis/redis-fleets.js";
import { missingRedis, redisPath } from "../support/redis/redis-server.js";
import { TestBus } from "../support/redis/test-bus.js";

const channelPrefix = "signalbox:test:";

test("three Sentinels: when the master is killed, messages flow through the replica", async (t) => {
  if (redisPath === undefined) return skipOrFail(t, missingRedis);
  await using redis = await threeSentinelsForm.start(channelPrefix);
  await using bus = new TestBus({ url: redis.url, channelPrefix, channels: ["all"] });
  bus.bus.open();
  await bus.untilUp();
  const master = await redis.findCarrier();
  await master.kill();
  await bus.untilDowns(1);
  await bus.untilUp();
  // Each Sentinel learns of it in its time, and the bus may have asked another than the one that is asked here.
  for (const sentinel of redis.servers.slice(2)) await sentinel.untilLogged(/\+switch-master/);
  assert.notEqual((await redis.findCarrier()).port, master.port);
  assert.equal(bus.bus.publish("all", Buffer.from("after the failover")), true);
  await bus.untilReceived(1);
  assert.deepEqual(bus.texts, ["after the failover"]);
  assert.equal(bus.downs.length, 1);
});

test("a master that was thought dead keeps nobody: its connections move to the one that took over", async (t) => {
  if (redisPath === undefined) return skipOrFail(t, missingRedis);
  await using redis = await sentinelForm.start(channelPrefix);
  await using bus = new TestBus({ url: redis.url, channelPrefix, channels: ["all"] });
  bus.bus.open();
  await bus.untilUp();
  const master = await redis.findCarrier();
  const sentinel = redis.servers.at(-1);
  master.pause();
  await sentinel?.untilLogged(/\+switch-master/);
  // Before the bus has noticed the silence: only the Sentinel can tell it now.
  master.resume();
  await bus.untilDowns(1);
  assert.match(bus.downs[0] ?? "", /another server has taken over/);
  await bus.untilUp();
  const carrier = await redis.findCarrier();
  assert.notEqual(carrier.port, master.port);
  assert.equal((await carrier.listClients()).length, 2);
});
