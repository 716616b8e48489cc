/** What @socket.io/redis-emitter publishes in one region reaches the clients of all regions, each once. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Emitter } from "@socket.io/redis-emitter";
import { Redis } from "ioredis";
import { LightSocket } from "../support/light-socket.js";
import { skipOrFail } from "../support/prerequisite.js";
import { missingRedis, redisPath } from "../support/redis/local-redis.js";
import { RegionFleet } from "../support/region-fleet.js";

test("an emitter's messages come once to clients of both regions", { timeout: 60_000 }, async (t) => {
  if (redisPath === undefined) return skipOrFail(t, missingRedis);
  await using fleet = await RegionFleet.start({ regions: { eu: 2, us: 2 } });
  const sockets = await Promise.all(fleet.hosts.map(async ({ host }) => await LightSocket.open(host)));
  const publisher = new Redis(fleet.redisSocket("eu"));
  const emitter = new Emitter(publisher);
  const count = 40;
  let complete = 0;
  const heard = sockets.map((socket) => {
    const numbers: unknown[] = [];
    return new Promise<unknown[]>((resolve) => {
      socket.on("said", (name, number) => {
        if (name === "end") resolve(numbers);
        else if (name === "emitted") numbers.push(number);
        // One that comes twice would come with the others, and before the end that follows on all of them.
        if (numbers.length === count && ++complete === sockets.length) sockets[0]?.emitTo("emit", [], "end");
      });
    });
  });
  for (let number = 0; number < count; number++) emitter.emit("emitted", number);
  const expected = Array.from({ length: count }, (_, number) => number);
  // Those that cross are of either host of eu: in no order.
  for (const numbers of await Promise.all(heard)) {
    assert.deepEqual(
      [...numbers].sort((a, b) => Number(a) - Number(b)),
      expected,
    );
  }
  publisher.disconnect();
  for (const socket of sockets) socket.close();
});
