/** The bus through a Redis Cluster of three nodes. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { skipOrFail } from "../support/prerequisite.js";
import { stateBusOver } from "../support/redis/bus-statements.js";
import { clusterForm } from "../support/redis/redis-fleets.js";
import { missingRedis, redisPath } from "../support/redis/redis-server.js";
import { TestBus } from "../support/redis/test-bus.js";

const channelPrefix = "signalbox:test:";

describe(`the bus over ${clusterForm.name}`, () => stateBusOver(clusterForm));

test("when the slot of the channels moves to another node, the connections follow it", async (t) => {
  if (redisPath === undefined) return skipOrFail(t, missingRedis);
  await using redis = await clusterForm.start(channelPrefix);
  await using bus = new TestBus({ url: redis.url, channelPrefix, channels: ["all", "one"] });
  bus.bus.open();
  await bus.untilUp();
  const from = await redis.findCarrier();
  const to = redis.servers.find((server) => server !== from) ?? from;
  const slot = Number(await from.command("CLUSTER", "KEYSLOT", `{${channelPrefix}}`));
  const [fromId, toId] = [await from.command("CLUSTER", "MYID"), await to.command("CLUSTER", "MYID")].map(String);
  await to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", fromId ?? "");
  await from.command("CLUSTER", "SETSLOT", slot, "MIGRATING", toId ?? "");
  for (const server of [to, from]) await server.command("CLUSTER", "SETSLOT", slot, "NODE", toId ?? "");
  await bus.untilDowns(1);
  await bus.untilUp();
  assert.equal((await to.listClients()).length, 2);
  assert.equal(bus.bus.publish("all", Buffer.from("after the move")), true);
  await bus.untilReceived(1);
});
