/** What the bus does about refusals, bounds, slow readers and its own end, through one plain Redis. */

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { skipOrFail } from "../support/prerequisite.js";
import { setBusUser } from "../support/redis/redis-forms.js";
import { listRemains, missingRedis, RedisServer, redisPath } from "../support/redis/redis-server.js";
import { TestBus } from "../support/redis/test-bus.js";
import { within } from "../support/redis/within.js";

const channelPrefix = "signalbox:test:";
const neededRules = ["&signalbox:test:*", "+ping", "+publish", "+subscribe"];
const password = "s3cret/of@the:bus";

function makeBus(url: string, maxUnsentBytes?: number): TestBus {
  const limit = maxUnsentBytes === undefined ? {} : { maxUnsentBytes };
  return new TestBus({ url, channelPrefix, channels: ["all"], ...limit });
}

describe("the bus and one Redis", { skip: redisPath === undefined }, () => {
  test("each host has two connections, whatever it subscribes", async () => {
    await using redis = await RedisServer.start();
    const buses = Array.from({ length: 3 }, () => makeBus(`unix://${redis.socketPath}`));
    for (const { bus } of buses) bus.open();
    for (const bus of buses) await bus.untilUp();
    assert.equal((await redis.listClients()).length, 6);
    for (const { bus } of buses) await bus.close();
    assert.deepEqual(await redis.listClients(), []);
  });

  test("a wrong password is told with the rules that are needed, and never repeated", async () => {
    await using redis = await RedisServer.start();
    await setBusUser(redis, "resetchannels &signalbox:test:* +ping +publish +subscribe", password);
    const wrong = "wr0ng/of@the:bus";
    await using bus = makeBus(`unix://bus:${encodeURIComponent(wrong)}@${redis.socketPath}`);
    bus.bus.open();
    await bus.untilDowns(1);
    const [reason = ""] = bus.downs;
    assert.match(reason, /WRONGPASS/);
    for (const rule of ["resetchannels", ...neededRules]) assert.ok(reason.includes(rule), reason);
    for (const text of [wrong, encodeURIComponent(wrong)]) assert.ok(!reason.includes(text), reason);
    assert.equal(bus.bus.publish("all", Buffer.from("x")), false);
  });

  test("without one of the rules the bus stays down and says which it needs; with exactly them it is up", async () => {
    await using redis = await RedisServer.start();
    const url = `unix://bus:${encodeURIComponent(password)}@${redis.socketPath}`;
    for (const missing of ["", "&signalbox:test:*", "+ping", "+subscribe"]) {
      const rules = ["resetchannels", ...neededRules.filter((rule) => rule !== missing)].join(" ");
      await setBusUser(redis, rules, password);
      await using bus = makeBus(url);
      bus.bus.open();
      if (missing === "") {
        await bus.untilUp();
        continue;
      }
      await bus.untilDowns(1);
      assert.match(bus.downs[0] ?? "", /give it the ACL rules "resetchannels .*NOPERM/, missing);
    }
  });

  test("when publishing is forbidden the bus is down with the reason, and the message counted as taken is lost", async () => {
    await using redis = await RedisServer.start();
    await setBusUser(redis, "resetchannels &signalbox:test:* +ping +subscribe", password);
    await using bus = makeBus(`unix://bus:${encodeURIComponent(password)}@${redis.socketPath}`);
    bus.bus.open();
    await bus.untilUp();
    assert.equal(bus.bus.publish("all", Buffer.from("x")), true);
    await bus.untilDowns(1);
    assert.match(bus.downs[0] ?? "", /\+publish .*NOPERM/);
    assert.deepEqual([bus.bus.unsentBytes, bus.bus.isUp], [0, false]);
  });

  test("a Redis that loads its data is not taken for one that is up, and an old one is spoken to", async () => {
    await using redis = await RedisServer.start();
    const path = join(redis.directory, "loading.sock");
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (data) => {
        const isPing = data.toString().includes("ping");
        socket.write(
          isPing ? "-LOADING Redis is loading the dataset in memory\r\n" : "-ERR unknown command 'HELLO'\r\n",
        );
      });
    }).listen(path);
    await once(server, "listening");
    await using bus = makeBus(`unix://${path}`);
    bus.bus.open();
    await bus.untilDowns(1);
    assert.match(bus.downs[0] ?? "", /LOADING/);
    await bus.bus.close();
    await new Promise((resolve) => server.close(resolve));
  });

  test("a Redis that is not there yet is told once, however often it is tried, and used when it comes", async () => {
    await using redis = await RedisServer.start();
    await redis.kill();
    await using bus = makeBus(`redis://127.0.0.1:${redis.port}`);
    bus.bus.open();
    await bus.untilDowns(1);
    assert.match(bus.downs[0] ?? "", /^redis:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/);
    assert.match(bus.bus.downReason ?? "", /ECONNREFUSED/);
    await redis.restart();
    await bus.untilUp();
    assert.deepEqual([bus.downs.length, bus.ups, bus.bus.downReason], [1, 1, undefined]);
  });

  test("a subscriber that falls behind is cut off by Redis, which shows, and comes back", async () => {
    await using redis = await RedisServer.start();
    await redis.command("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 1mb 1");
    await using bus = makeBus(`unix://${redis.socketPath}`);
    bus.bus.open();
    await bus.untilUp();
    assert.equal(bus.bus.publish("all", Buffer.alloc(2 * 1024 * 1024)), true);
    await bus.untilDowns(1);
    assert.match(bus.downs[0] ?? "", /subscribing connection was closed/);
    await bus.untilUp();
    bus.bus.publish("all", Buffer.from("small"));
    await bus.until(({ texts }) => texts.includes("small"), "a message");
    assert.equal(bus.ups, 2);
  });

  test("beyond the bound nothing is taken, and when half of it is answered the bus says so", async () => {
    await using redis = await RedisServer.start();
    const kibibyte = 1024;
    await using bus = makeBus(`unix://${redis.socketPath}`, 1000 * kibibyte);
    bus.bus.open();
    await bus.untilUp();
    redis.pause();
    const payload = Buffer.alloc(400 * kibibyte);
    const taken = [1, 2, 3, 4].map(() => bus.bus.publish("all", payload));
    assert.deepEqual(taken, [true, true, false, false]);
    const { unsentBytes } = bus.bus;
    assert.ok(unsentBytes >= 800 * kibibyte && unsentBytes < 801 * kibibyte, `${unsentBytes}`);
    redis.resume();
    await bus.until(({ drains }) => drains > 0, "the drain");
    assert.ok(bus.bus.unsentBytes < 500 * kibibyte);
    await bus.untilReceived(2);
    assert.deepEqual([bus.drains, bus.downs], [1, []]);
  });

  test("a message larger than the bound is taken when nothing else is on its way", async () => {
    await using redis = await RedisServer.start();
    await using bus = makeBus(`unix://${redis.socketPath}`, 1024);
    bus.bus.open();
    await bus.untilUp();
    assert.equal(bus.bus.publish("all", Buffer.alloc(100_000)), true);
    assert.equal(bus.bus.publish("all", Buffer.alloc(1)), false);
    await bus.untilReceived(1);
    await bus.until(({ drains }) => drains > 0, "the drain");
    assert.equal(bus.bus.unsentBytes, 0);
  });

  test("what was taken before the end arrives; after the end nothing is told or taken, and it may be called twice", async () => {
    await using redis = await RedisServer.start();
    await using reader = makeBus(`unix://${redis.socketPath}`);
    const writer = makeBus(`unix://${redis.socketPath}`);
    for (const { bus } of [reader, writer]) bus.open();
    await Promise.all([reader.untilUp(), writer.untilUp()]);
    for (let number = 0; number < 200; number++) writer.bus.publish("all", Buffer.from(String(number)));
    const closed = writer.bus.close();
    const receivedBefore = writer.received.length;
    assert.equal(writer.bus.publish("all", Buffer.from("late")), false);
    await Promise.all([closed, writer.bus.close()]);
    await reader.untilReceived(200);
    writer.bus.open();
    assert.deepEqual([writer.received.length, writer.downs, writer.ups], [receivedBefore, [], 1]);
    assert.equal((await redis.listClients()).length, 2);
  });

  for (const isHung of [false, true]) {
    const when = isHung ? "although Redis hangs" : "as soon as the bus is closed";
    test(`a process ends by itself ${when}`, async () => {
      await using redis = await RedisServer.start();
      const program = fileURLToPath(new URL("../fixtures/redis-bus-process.ts", import.meta.url));
      const child = fork(program, [`unix://${redis.socketPath}`], { execArgv: ["--import", "tsx"] });
      try {
        await within(once(child, "message"), "the process to be up");
        if (isHung) redis.pause();
        const startedMs = performance.now();
        child.send("close");
        const [code] = (await within(once(child, "exit"), "the process to end")) as [number | null];
        assert.equal(code, 0);
        const tookMs = performance.now() - startedMs;
        assert.ok(tookMs < 3_000, `took ${tookMs} ms`);
      } finally {
        child.kill("SIGKILL");
      }
    });
  }

  test("no server is left behind", () => {
    assert.deepEqual(listRemains([]), []);
  });
});

test("the bus and one Redis: redis-server is there", (t) => {
  if (redisPath === undefined) skipOrFail(t, missingRedis);
});
