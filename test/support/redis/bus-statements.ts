/** What the bus through Redis promises, in one list that every form of Redis has to pass. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { findProgram, skipOrFail } from "../prerequisite.js";
import type { RedisForm, RunningRedis } from "./redis-forms.js";
import { listRemains, missingRedis, redisPath } from "./redis-server.js";
import { TestBus } from "./test-bus.js";

const channelPrefix = "signalbox:test:";
/** Three unanswered pings, one a second, and what a loaded machine adds. */
const maxNoticeMs = 5_000;

/** Registers the statements for a form, in a suite of the caller. */
export function stateBusOver(form: RedisForm): void {
  const missing = findMissing();
  if (missing !== undefined) {
    test("the statements", (t) => skipOrFail(t, missing));
    return;
  }
  let redis: RunningRedis;
  let one: TestBus;
  let other: TestBus;

  before(async () => {
    redis = await form.start(channelPrefix);
    const settings = { url: redis.url, ca: redis.ca, channelPrefix };
    one = new TestBus({ ...settings, channels: ["all", "one"] });
    other = new TestBus({ ...settings, channels: ["all", "other"] });
    for (const { bus } of [one, other]) bus.open();
    await Promise.all([one.untilUp(), other.untilUp()]);
  });

  after(async () => {
    await Promise.all([one.bus.close(), other.bus.close()]);
    await redis[Symbol.asyncDispose]();
    assert.deepEqual(listRemains(redis.servers), []);
  });

  /** Sends a text that only this moment knows, and waits for it at both. */
  async function checkFlow(): Promise<void> {
    await Promise.all([one.untilUp(), other.untilUp()]);
    const text = randomBytes(8).toString("hex");
    assert.equal(one.bus.publish("all", Buffer.from(text)), true);
    for (const bus of [one, other]) await bus.until(({ texts }) => texts.includes(text), "a message");
  }

  test("both came up without having been down", () => {
    assert.deepEqual([one.downs, other.downs], [[], []]);
  });

  test("each has two connections to the server", async () => {
    const carrier = await redis.findCarrier();
    assert.equal((await carrier.listClients()).length, 4);
  });

  test("a message reaches another bus, and its own, byte for byte", async () => {
    const payload = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    assert.equal(one.bus.publish("all", payload), true);
    for (const bus of [one, other]) {
      await bus.untilReceived(1);
      assert.deepEqual(bus.received, [{ channel: "all", payload }]);
    }
  });

  test("a channel reaches those that subscribed it, and nobody else", async () => {
    const countBefore = one.received.length;
    assert.equal(one.bus.publish("other", Buffer.from("for the other")), true);
    assert.equal(other.bus.publish("nobody", Buffer.from("for nobody")), true);
    await other.until(({ texts }) => texts.includes("for the other"), "the message");
    assert.equal(other.received.at(-1)?.channel, "other");
    await checkFlow();
    assert.equal(one.received.length, countBefore + 1);
  });

  test("1 MiB arrives as it was sent, and so does nothing at all", async () => {
    const payload = randomBytes(1024 * 1024);
    one.bus.publish("other", payload);
    one.bus.publish("other", Buffer.alloc(0));
    await other.until(({ received }) => received.at(-1)?.payload.length === 0, "the empty message");
    assert.ok(other.received.at(-2)?.payload.equals(payload));
  });

  test("the order is kept", async () => {
    const numbers = Array.from({ length: 2_000 }, (_, number) => `number ${number}`);
    for (const number of numbers) assert.equal(one.bus.publish("other", Buffer.from(number)), true);
    await other.until(({ texts }) => texts.includes("number 1999"), "the last message");
    assert.deepEqual(
      other.texts.filter((text) => text.startsWith("number ")),
      numbers,
    );
  });

  test("when every connection is killed both are down once, and come back", async () => {
    const downs = [one.downs.length + 1, other.downs.length + 1] as const;
    const carrier = await redis.findCarrier();
    for (const line of await carrier.listClients()) {
      const id = /^id=(\d+)/.exec(line)?.[1] ?? "";
      await carrier.command("CLIENT", "KILL", "ID", id);
    }
    await Promise.all([one.untilDowns(downs[0]), other.untilDowns(downs[1])]);
    await checkFlow();
    assert.deepEqual([one.downs.length, other.downs.length], downs);
  });

  test("while Redis is killed nothing is taken; after its restart messages flow, and no earlier one", async () => {
    const downs = [one.downs.length + 1, other.downs.length + 1] as const;
    const ups = one.ups;
    const carrier = await redis.findCarrier();
    await carrier.kill();
    await Promise.all([one.untilDowns(downs[0]), other.untilDowns(downs[1])]);
    // With Sentinel another may have taken over by now.
    if (!one.bus.isUp) assert.equal(one.bus.publish("all", Buffer.from("while down")), false);
    assert.equal(one.bus.unsentBytes, 0);
    await carrier.restart();
    await checkFlow();
    assert.ok(one.ups > ups);
    for (const bus of [one, other]) assert.equal(bus.texts.includes("while down"), false);
  });

  test("a Redis that hangs is noticed within 5 s, and used again when it goes on", async () => {
    await Promise.all([one.untilUp(), other.untilUp()]);
    const downs = [one.downs.length + 1, other.downs.length + 1] as const;
    const carrier = await redis.findCarrier();
    carrier.pause();
    try {
      const startedMs = performance.now();
      await Promise.all([one.untilDowns(downs[0]), other.untilDowns(downs[1])]);
      const noticedMs = performance.now() - startedMs;
      assert.ok(noticedMs < maxNoticeMs, `noticed after ${noticedMs} ms: ${one.downs.at(-1)}`);
      if (!one.bus.isUp) assert.equal(one.bus.publish("all", Buffer.from("while hung")), false);
    } finally {
      carrier.resume();
    }
    await checkFlow();
    for (const bus of [one, other]) assert.equal(bus.texts.includes("while hung"), false);
  });
}

function findMissing(): string | undefined {
  if (redisPath === undefined) return missingRedis;
  return findProgram("openssl") === undefined ? "openssl is not installed; it makes the certificate" : undefined;
}
