/** A host of three stands still as a whole, and goes on: nobody waits for it longer than for a dead one, and it has missed nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FabricFleet } from "../support/fabric-fleet.js";
import { pause } from "../support/host.js";
import { skipOrFail } from "../support/prerequisite.js";
import { Heard, waitUntilHeard } from "../support/redis/heard.js";
import { missingRedis, redisPath } from "../support/redis/local-redis.js";
import { timed } from "../support/stopwatch.js";

const isFull = process.env["TEST_SIZE"] === "full";
const frozenMs = isFull ? 10_000 : 5_000;
/** Without a sign of life for this long, nobody waits for a host. */
const unreachableAfterMs = 3_000;
/** A sign of life may have come just before, and the machine is busy. */
const guardMs = 2_000;
const messages = 500;

test("fetchSockets answers without a host that stands still, which misses nothing", { timeout: 120_000 }, async (t) => {
  if (redisPath === undefined) return skipOrFail(t, missingRedis);
  await using fleet = await FabricFleet.start({ hosts: 3 });
  const [first, second, frozen] = [fleet.host(0), fleet.host(1), fleet.host(2)];
  const clients = await fleet.openEach();
  const ids = await Promise.all(clients.map(async (client) => await client.call<string>("id")));
  for (const client of clients) await client.call("join", "room");
  const heard = clients.map((client) => new Heard(client));
  const send = async (part: string): Promise<void> => {
    await Promise.all(
      [first, second].map(async (host, index) => {
        for (let number = 0; number < messages; number += 50) {
          await host.ask(0, "emit", { rooms: ["room"], event: "part", args: [`${part} of ${index}`] });
          await host.ask(0, "emitMany", { room: "room", event: "number", count: 50 });
        }
      }),
    );
  };

  await send("before");
  const { wake } = await fleet.signalAll(2, "SIGSTOP");
  const frozenAtMs = performance.now();
  const fetched = await timed(first.ask<string[]>(0, "fetch"), unreachableAfterMs + guardMs, "the others' answer");
  assert.deepEqual(fetched.value.toSorted(), ids.slice(0, 2).toSorted());
  // From now on nobody waits at all, whoever asks.
  const again = await timed(first.ask<string[]>(0, "fetch"), guardMs, "the next answer");
  assert.equal(again.value.length, 2);
  await send("meanwhile");
  await pause(frozenMs - (performance.now() - frozenAtMs));
  wake();
  for (const { host } of [first, second]) {
    await host.waitForLog(({ msg }) => /^host h002 \(.*\) can be reached again$/.test(msg), "that it is back");
  }
  await send("after");
  for (const host of [first, second]) await host.ask(0, "emit", { rooms: ["room"], event: "end", args: ["end"] });
  await waitUntilHeard(heard, "end");
  while (heard.some((each) => each.count("end") < 2)) await pause(5);

  // Nothing lost, nothing twice: each message of each of both hosts.
  for (const { texts } of heard) {
    assert.equal(texts.length, 2 * 3 * (messages + messages / 50) + 2);
    for (const part of ["before", "meanwhile", "after"]) {
      for (const index of [0, 1]) {
        assert.equal(texts.filter((text) => text === `${part} of ${index}`).length, messages / 50, part);
      }
    }
  }
  // In order: the parts of each host one after another.
  for (const index of [0, 1]) {
    for (const { texts } of heard) {
      const parts = texts.filter((text) => String(text).endsWith(` of ${index}`)).map((text) => String(text));
      const expected = ["before", "meanwhile", "after"].flatMap((part) =>
        Array.from({ length: messages / 50 }, () => `${part} of ${index}`),
      );
      assert.deepEqual(parts, expected);
    }
  }
  for (const host of [first, second, frozen]) {
    assert.deepEqual((await host.ask<string[]>(0, "fetch")).toSorted(), ids.toSorted());
    await host.waitForServers(3);
  }
  assert.ok(
    clients.every(({ isClosed }) => !isClosed),
    "no client was sent away",
  );
  for (const client of clients) client.close();
});
