/** Clients for everybody else: they come back by themselves, and what Redis cannot take rejects and stays gone. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Cluster, Redis } from "ioredis";
import { createRedisClient } from "../../src/redis/create-client.js";
import { findProgram, skipOrFail } from "../support/prerequisite.js";
import { clusterForm, sentinelForm } from "../support/redis/redis-fleets.js";
import {
  aclPassword,
  type RunningRedis,
  setBusUser,
  tcpForm,
  tlsForm,
  unixForm,
} from "../support/redis/redis-forms.js";
import { missingRedis, RedisServer, redisPath } from "../support/redis/redis-server.js";
import { readTarget } from "../support/redis/test-bus.js";
import { within } from "../support/redis/within.js";

const isMissing = redisPath === undefined || findProgram("openssl") === undefined;

function create(redis: Pick<RunningRedis, "url" | "ca">, errors: string[] = []): Redis | Cluster {
  const onError = (reason: string): void => {
    errors.push(reason);
  };
  return createRedisClient({ target: readTarget(redis.url), ca: redis.ca, random: Math.random, onError });
}

describe("a client of Redis", { skip: isMissing }, () => {
  for (const form of [tcpForm, unixForm, tlsForm, sentinelForm, clusterForm]) {
    test(`over ${form.name}: commands work, reject while Redis is killed, and work again after its restart`, async () => {
      await using redis = await form.start("key");
      const errors: string[] = [];
      const client = create(redis, errors);
      try {
        await client.connect();
        assert.equal(await client.set("key", "before"), "OK");
        // In a cluster the node of the hash tag {key}, which is where the key "key" is.
        const carrier = await redis.findCarrier();
        await carrier.kill();
        await assert.rejects(client.set("key", "meanwhile"));
        await carrier.restart();
        await untilAnswers(client);
        assert.equal(await client.get("key"), null);
        assert.equal(await client.set("key", "afterwards"), "OK");
      } finally {
        client.disconnect();
      }
    });
  }

  test("commands that nobody catches do not end the process, and the error tells no password", async () => {
    await using redis = await RedisServer.start();
    await setBusUser(redis, "+@all ~* &*", aclPassword);
    const errors: string[] = [];
    const client = create({ url: `unix://bus:wrong%20${encodeURIComponent(aclPassword)}@${redis.socketPath}` }, errors);
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => {
      unhandled.push(reason);
    };
    process.on("unhandledRejection", note);
    try {
      client.publish("channel", "nobody waits for this").then(
        () => assert.fail("it was refused"),
        () => {},
      );
      // As `@socket.io/redis-adapter` does it.
      const promises: unknown[] = [client.publish("channel", "x"), client.subscribe("channel")];
      assert.equal(promises.length, 2);
      await within(new Promise<void>((resolve) => client.once("close", () => resolve())), "the refusal");
      await new Promise((resolve) => setImmediate(resolve));
      assert.match(errors.join(), /WRONGPASS/);
      assert.ok(!errors.join().includes(aclPassword));
      assert.deepEqual(unhandled, []);
    } finally {
      process.off("unhandledRejection", note);
      client.disconnect();
    }
  });

  test("subscriptions come back with the connection", async () => {
    await using redis = await RedisServer.start();
    const target = { url: `unix://${redis.socketPath}` };
    const subscriber = create(target);
    try {
      await subscriber.connect();
      await subscriber.subscribe("channel");
      await redis.restart();
      await redis.untilSubscribed("channel");
      const message = once(subscriber, "message");
      await redis.command("PUBLISH", "channel", "hello");
      assert.deepEqual(await within(message, "the message"), ["channel", "hello"]);
    } finally {
      subscriber.disconnect();
    }
  });
});

/** Resolves when a command succeeds that is tried again and again: a cluster has no event for one of its nodes. */
async function untilAnswers(client: Redis | Cluster): Promise<void> {
  const ask = async (): Promise<void> => {
    for (;;) {
      const isAnswered = await client.get("key").then(
        () => true,
        () => false,
      );
      if (isAnswered) return;
      await pause(20);
    }
  };
  await within(ask(), "an answer");
}

test("a client of Redis: redis-server and openssl are there", (t) => {
  if (isMissing) skipOrFail(t, redisPath === undefined ? missingRedis : "openssl is not installed");
});
