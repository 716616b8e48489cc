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
