/** What `@socket.io/redis-emitter` publishes reaches every client of a fleet of hosts once, whatever the operator. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { Emitter } from "@socket.io/redis-emitter";
import { Redis } from "ioredis";
import { io as connectClient, type Socket } from "socket.io-client";
import { fixturePath, pause, startHost, type TestHost } from "../support/host.js";
import { LocalRedis, missingRedis, redisPath } from "../support/redis/local-redis.js";

const hostKeys = ["em-1", "em-2"] as const;
const workers = 2;
/** Two on each worker: the primary gives them in turn. */
const clientsPerHost = 2 * workers;
const patienceMs = 10_000;

/** With CI=true the first test fails instead. */
const skip = redisPath === undefined && process.env["CI"] !== "true" ? missingRedis : false;

interface Heard {
  readonly socket: Socket;
  readonly events: unknown[][];
  readonly host: number;
}

describe("an emitter beside two hosts", { skip, timeout: 120_000 }, () => {
  let redis: LocalRedis;
  let publisher: Redis;
  let emitter: Emitter;
  let hosts: TestHost[] = [];
  let clients: Heard[] = [];
  let lastMark = 0;

  async function connect(host: TestHost, index: number, nsp = ""): Promise<Heard> {
    const socket = connectClient(host.url + nsp, { transports: ["websocket"], forceNew: true, reconnection: false });
    const events: unknown[][] = [];
    socket.onAny((...event: unknown[]) => events.push(event));
    await once(socket as never, "connect");
    return { socket, events, host: index };
  }

  /** What each has heard since, in order; the mark is for all, and comes last. */
  async function hear(of: readonly Heard[] = clients, nsp?: string): Promise<unknown[][][]> {
    const mark = `mark ${++lastMark}`;
    (nsp === undefined ? emitter : emitter.of(nsp)).emit(mark);
    const endMs = performance.now() + patienceMs;
    while (!of.every(({ events }) => events.some(([name]) => name === mark))) {
      assert.ok(performance.now() < endMs, `the mark did not come: ${JSON.stringify(of.map(({ events }) => events))}`);
      await pause(2);
    }
    return of.map(({ events }) => events.splice(0).filter(([name]) => name !== mark));
  }

  before(async () => {
    redis = new LocalRedis();
    await redis.start();
    hosts = await Promise.all(
      hostKeys.map(async (key) => {
        const env = { SIGNALBOX_HOST_KEY: key, SIGNALBOX_REDIS_URL: redis.url, SIGNALBOX_SLOW_START_MS: "0" };
        return await startHost({ app: fixturePath("hosts/hosts-app.mjs"), workers, env });
      }),
    );
    for (const host of hosts) await host.waitForStatus(({ bus }) => bus?.hosts.length === 1, "the other host");
    publisher = new Redis(redis.socketPath);
    emitter = new Emitter(publisher);
    for (const [index, host] of hosts.entries()) {
      for (let count = 0; count < clientsPerHost; count++) clients.push(await connect(host, index));
    }
    const places = await Promise.all(
      clients.map(async ({ socket }) => (await socket.emitWithAck("who")) as { hostKey: string; worker: number }),
    );
    assert.equal(
      new Set(places.map(({ hostKey, worker }) => `${hostKey} ${worker}`)).size,
      4,
      "a client on each worker",
    );
  });

  after(async () => {
    for (const { socket } of clients) socket.disconnect();
    publisher?.disconnect();
    for (const host of hosts) await host[Symbol.asyncDispose]();
    await redis?.[Symbol.asyncDispose]();
    hosts = [];
    clients = [];
  });

  const all = (event: unknown[]): unknown[][][] => clients.map(() => [event]);
  const only = (indices: readonly number[], event: unknown[]): unknown[][][] =>
    clients.map((_, index) => (indices.includes(index) ? [event] : []));
  const idOf = (index: number): string => clients[index]?.socket.id ?? "";

  test("emit reaches each client once, with its values", async () => {
    const binary = Buffer.from([0, 1, 254, 255]);
    emitter.emit("news", 1, "zwei", { drei: [3, null] }, binary);
    assert.deepEqual(await hear(), all(["news", 1, "zwei", { drei: [3, null] }, binary]));
  });

  test("socketsJoin, to, in, except and socketsLeave", async () => {
    emitter.in(idOf(0)).socketsJoin(["red", "blue"]);
    emitter.in([idOf(5), idOf(6)]).socketsJoin("red");
    // At once: who is told to join gets what follows.
    emitter.to("red").emit("red", 1);
    emitter.in("blue").emit("blue", 2);
    emitter.to(["red", "blue"]).emit("both", 3);
    emitter.to("red").except("blue").emit("red alone", 4);
    emitter.except("red").emit("not red", 5);
    assert.deepEqual(
      await hear(),
      clients.map((_, index) => {
        if (index === 0)
          return [
            ["red", 1],
            ["blue", 2],
            ["both", 3],
          ];
        return index === 5 || index === 6
          ? [
              ["red", 1],
              ["both", 3],
              ["red alone", 4],
            ]
          : [["not red", 5]];
      }),
    );
    emitter.in("red").socketsLeave("red");
    emitter.to("red").emit("red", 6);
    emitter.to("blue").emit("blue", 7);
    assert.deepEqual(await hear(), only([0], ["blue", 7]));
  });

  test("one socket, by its id", async () => {
    for (const index of [1, 7]) {
      emitter.to(idOf(index)).emit("you", index);
      assert.deepEqual(await hear(), only([index], ["you", index]));
    }
  });

  test("rooms that are numbers, or look like namespaces and channels", async () => {
    await clients[2]?.socket.emitWithAck("join", [7]);
    await clients[3]?.socket.emitWithAck("join", ["7", "a#b", "#", "ä ö"]);
    emitter.to(7 as unknown as string).emit("number");
    emitter.to("7").emit("text");
    emitter.to("a#b").emit("marked");
    emitter.to("#").emit("mark alone");
    emitter.to("ä ö").emit("umlaut");
    const heard = await hear();
    assert.deepEqual(heard[2], [["number"]]);
    assert.deepEqual(heard[3], [["text"], ["marked"], ["mark alone"], ["umlaut"]]);
    assert.equal(heard.flat().length, 5);
  });

  test("of: only the clients of that namespace", async () => {
    const others = await Promise.all(hosts.map(async (host, index) => await connect(host, index, "/other")));
    emitter.of("/other").emit("other", 1);
    emitter.of("/nobody").emit("nobody", 1);
    assert.deepEqual(await hear(others, "/other"), [[["other", 1]], [["other", 1]]]);
    assert.deepEqual(
      await hear(),
      clients.map(() => []),
    );
    for (const { socket } of others) socket.disconnect();
  });

  test("volatile and compress", async () => {
    emitter.volatile.emit("volatile", 1);
    emitter.compress(true).emit("compressed", 2);
    assert.deepEqual(
      await hear(),
      clients.map(() => [
        ["volatile", 1],
        ["compressed", 2],
      ]),
    );
  });

  test("serverSideEmit reaches each server once", async () => {
    emitter.serverSideEmit("news", "for servers", { a: 1 });
    assert.deepEqual(await hear(), all(["served", "for servers", { a: 1 }]));
  });

  test("what is no emitter's, or garbage, does no harm", async () => {
    const channel = "socket.io#/#";
    for (const garbage of ["", "x", Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]), Buffer.from([0x93, 1, 2, 3])]) {
      await publisher.publish(channel, garbage);
      await publisher.publish("socket.io-request#/#", garbage);
    }
    await publisher.publish("socket.io-request#/#", JSON.stringify({ type: 2, uid: "another server", rooms: ["x"] }));
    await publisher.publish("socket.io#", "no namespace");
    await publisher.publish("socket.io-request##", "{}");
    emitter.emit("still here");
    assert.deepEqual(await hear(), all(["still here"]));
    for (const host of hosts)
      assert.equal((await host.readStatus()).workers.filter(({ restarts }) => restarts > 0).length, 0);
  });

  test("disconnectSockets closes whom it names", async () => {
    const victim = clients.pop() as Heard;
    const gone = new Promise<string>((resolve) => victim.socket.once("disconnect", resolve));
    emitter.in(victim.socket.id ?? "").disconnectSockets(true);
    assert.match(await gone, /io server disconnect|transport close/);
    emitter.emit("the others");
    assert.deepEqual(await hear(), all(["the others"]));
  });

  test("two connections of each host in Redis, the emitter's besides", async () => {
    const list = (await publisher.client("LIST")) as string;
    assert.equal(list.trim().split("\n").length, 2 * hosts.length + 1, list);
  });
});
