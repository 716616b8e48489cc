/** The rules that the bus states for its user are enough, and none of them is too many, in every form of Redis. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { listAclRules } from "../../src/router/host-bus/bus-wire.js";
import { skipOrFail } from "../support/prerequisite.js";
import { clusterForm, sentinelForm } from "../support/redis/redis-fleets.js";
import { type RunningRedis, setBusUser, tcpForm } from "../support/redis/redis-forms.js";
import { missingRedis, type RedisServer, redisPath } from "../support/redis/redis-server.js";
import { readTarget, TestBus } from "../support/redis/test-bus.js";

const channelPrefix = "signalbox:test:";
const password = "s3cret";
const patterns = ["emitter#*", "emitter-request#*"];
/** Needed when a message is published: without them the bus comes up. */
const publishRules = ["+publish", "+spublish"];

for (const form of [tcpForm, sentinelForm, clusterForm]) {
  test(`${form.name}: with the stated rules nothing is refused, and without any one of them something is`, async (t) => {
    if (redisPath === undefined) return skipOrFail(t, missingRedis);
    await using redis = await form.start(channelPrefix);
    const rules = listAclRules(readTarget(redis.url), channelPrefix).split(" ");
    const servers = await listDataServers(redis);
    for (const missing of ["", ...rules.filter((rule) => rule !== "resetchannels")]) {
      const kept = rules.filter((rule) => rule !== missing).join(" ");
      for (const server of servers) await setBusUser(server, kept, password);
      await using bus = new TestBus({ url: addUser(redis.url), channelPrefix, channels: ["all"] });
      bus.bus.open();
      if (missing === "" || publishRules.includes(missing)) {
        await bus.untilUp();
        assert.equal(bus.bus.publish("all", Buffer.from("x")), true);
      }
      if (missing === "") {
        await bus.untilReceived(1);
        for (const server of servers) assert.deepEqual(await server.command("ACL", "LOG"), []);
      } else {
        await bus.untilDowns(1);
        assert.match(bus.downs[0] ?? "", /give it the ACL rules .*NOPERM/, missing);
        assert.ok(bus.downs[0]?.includes(missing));
      }
    }
  });
}

test("a user that may not subscribe the patterns goes without them, and with their rules it gets them", async (t) => {
  if (redisPath === undefined) return skipOrFail(t, missingRedis);
  await using redis = await tcpForm.start(channelPrefix);
  const [server] = redis.servers as [RedisServer];
  const target = readTarget(redis.url);
  const settings = { url: addUser(redis.url), channelPrefix, channels: ["all"], patterns };
  await setBusUser(server, listAclRules(target, channelPrefix), password);
  {
    await using bus = new TestBus(settings);
    bus.bus.open();
    await bus.untilUp();
    assert.equal(bus.refusals.length, 1);
    assert.match(bus.refusals[0] ?? "", /^NOPERM/);
    bus.bus.publish("all", Buffer.from("x"));
    await bus.untilReceived(1);
  }
  await setBusUser(server, listAclRules(target, channelPrefix, patterns), password);
  await using bus = new TestBus(settings);
  bus.bus.open();
  await bus.untilUp();
  await server.command("PUBLISH", "emitter#/#room#", "emitted");
  await bus.untilReceived(1);
  assert.deepEqual(bus.refusals, []);
  assert.equal(bus.received[0]?.channel, "emitter#/#room#");
});

/** All but the Sentinels, which are asked without a user. */
async function listDataServers(redis: RunningRedis): Promise<RedisServer[]> {
  const servers: RedisServer[] = [];
  for (const server of redis.servers) {
    if (!String(await server.command("INFO", "server")).includes("redis_mode:sentinel")) servers.push(server);
  }
  return servers;
}

function addUser(url: string): string {
  return url.replace("://", `://bus:${password}@`);
}
