/** Redis goes away and comes back: what the adapter does by itself, and what a host on the fabric stock does. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FabricHost } from "../support/fabric-host.js";
import { fetchText, fixturePath, pause, startHost } from "../support/host.js";
import { LightSocket } from "../support/light-socket.js";
import { skipOrFail } from "../support/prerequisite.js";
import { Heard, sayUntilHeard, waitUntilHeard } from "../support/redis/heard.js";
import { LocalRedis, missingRedis, redisPath } from "../support/redis/local-redis.js";
import { PlainServer } from "../support/redis/plain-server.js";
import { connectToEachWorker, sendAcross } from "../support/routed-host.js";

const manyMessages = 1_000;

async function startFleet(redis: LocalRedis, adapter: "classic" | "sharded"): Promise<FabricHost> {
  return await FabricHost.start({
    app: "../stock/stock-app.mjs",
    workers: 2,
    env: { SIGNALBOX_FABRIC: "stock", SIGNALBOX_REDIS_URL: redis.url, SIGNALBOX_STOCK_ADAPTER: adapter },
  });
}

async function readFailedPublishes({ host }: FabricHost): Promise<number> {
  const { body } = await fetchText(`http://127.0.0.1:${host.adminPort}/metrics`);
  return Number(/^signalbox_fabric_publishes_failed_total (\d+)$/m.exec(body)?.[1]);
}

/** Resolves when both workers have said it. */
async function waitForBoth(fleet: FabricHost, pattern: RegExp): Promise<void> {
  for (const slot of fleet.slots) {
    await fleet.host.waitForLog(
      ({ msg, worker }) => worker === slot && pattern.test(msg),
      `${pattern} of worker ${slot}`,
    );
  }
}

describe("an outage of Redis", () => {
  test("ends a plain server by an unhandled rejection", { timeout: 60_000 }, async (t) => {
    if (redisPath === undefined) return skipOrFail(t, missingRedis);
    await using redis = new LocalRedis();
    await redis.start();
    await using plain = await PlainServer.start({
      redisSocketPath: redis.socketPath,
      adapter: "classic",
      // The default of 20 does the same, after more than a minute.
      maxRetriesPerRequest: 1,
    });
    await plain.waitForServers(1);
    await redis.kill();
    await plain.ask("emit", { text: "into the void" });
    assert.equal(await plain.exited, 1);
    assert.match(plain.stderr, /MaxRetriesPerRequestError/);
  });

  for (const adapter of ["classic", "sharded"] as const) {
    test(`ends no worker, and nothing is replayed after it (${adapter})`, { timeout: 60_000 }, async (t) => {
      if (redisPath === undefined) return skipOrFail(t, missingRedis);
      await using redis = new LocalRedis();
      await redis.start();
      await using fleet = await startFleet(redis, adapter);
      const pids = fleet.slots.map((slot) => fleet.worker(slot).pid);
      const clients = await fleet.openOn([0, 1]);
      const heard = clients.map((client) => new Heard(client));
      const [heardBy0, heardBy1] = heard as [Heard, Heard];
      await fleet.ask(0, "emit", { text: "before" });
      await waitUntilHeard(heard, "before");

      await redis.kill();
      await waitForBoth(fleet, /^Redis at unix:.* is away: /);
      // Local clients are served, volatile or not; the others get nothing, now or later.
      await fleet.ask(0, "emitMany", { count: manyMessages, text: "during" });
      await fleet.ask(0, "emit", { text: "last" });
      await waitUntilHeard([heardBy0], "last");
      assert.equal(heardBy0.count("during"), manyMessages);
      for (const client of clients) await client.call("join", "joined during");
      await assert.rejects(fleet.ask(0, "fetchIds"), /Redis is away/);
      await assert.rejects(fleet.ask(0, "askOthers"), /Redis is away/);
      const ofOutage = fleet.host.log.filter(({ level }) => level >= 40);
      assert.equal(ofOutage.length, 2, `one line for each worker: ${ofOutage.map(({ msg }) => msg).join("; ")}`);

      await redis.start();
      await waitForBoth(fleet, /^Redis at unix:.* is back after \d+\.\d s/);
      const [line] = fleet.host.log.filter(({ msg, worker }) => worker === 0 && msg.includes("is back after"));
      assert.match(line?.msg ?? "", /; \d{4,} messages of this worker did not reach it/);
      await fleet.waitForServers(2);
      await fleet.ask(0, "emit", { text: "after" });
      await waitUntilHeard(heard, "after");
      const say = async (): Promise<unknown> =>
        await fleet.ask(0, "emit", { room: "joined during", text: "to the room" });
      await sayUntilHeard(heard, "to the room", say);
      assert.equal(heardBy1.count("during") + heardBy1.count("volatile during") + heardBy1.count("last"), 0);
      assert.deepEqual(await fleet.ask(1, "askOthers"), ["worker 0"]);

      assert.deepEqual(
        fleet.slots.map((slot) => fleet.worker(slot).pid),
        pids,
      );
      // Workers report once a second.
      while ((await readFailedPublishes(fleet)) < 2 * manyMessages) await pause(20);
      for (const client of clients) client.close();
    });
  }

  test("is noticed when Redis only stops answering, and holds up no local client", { timeout: 60_000 }, async (t) => {
    if (redisPath === undefined) return skipOrFail(t, missingRedis);
    await using redis = new LocalRedis();
    await redis.start();
    await using fleet = await startFleet(redis, "sharded");
    const [client] = (await fleet.openOn([0])) as [LightSocket];
    const heard = new Heard(client);
    redis.signal("SIGSTOP");
    await fleet.ask(0, "emit", { text: "while it hangs" });
    await waitUntilHeard([heard], "while it hangs");
    assert.equal(fleet.host.log.filter(({ msg }) => msg.includes("is away")).length, 0, "before it was noticed");
    await waitForBoth(fleet, / is away: /);
    redis.signal("SIGCONT");
    await waitForBoth(fleet, / is back after /);
    await fleet.waitForServers(2);
    client.close();
  });
});

describe("a host whose Redis cannot be used at its start", () => {
  test("starts without it, and is joined to the others when it comes", { timeout: 60_000 }, async (t) => {
    if (redisPath === undefined) return skipOrFail(t, missingRedis);
    await using redis = new LocalRedis();
    await using host = await startHost({
      app: fixturePath("echo-app.mjs"),
      env: { SIGNALBOX_FABRIC: "stock", SIGNALBOX_REDIS_URL: redis.url },
    });
    await host.waitForLog(({ msg }) => /^Redis at .* is away: /.test(msg));
    const clients = await connectToEachWorker(host, 2);
    const [first, second] = clients;
    assert.ok(first !== undefined && second !== undefined);
    await sendAcross(first, first, "own", "to my own worker");
    await redis.start();
    for (const slot of [0, 1])
      await host.waitForLog(({ msg, worker }) => worker === slot && msg.includes("is back after"));
    await sendAcross(first, second, "room", "to the other worker");
    for (const client of clients) client.disconnect();
  });

  test("says that its password is wrong, without the password", { timeout: 60_000 }, async (t) => {
    if (redisPath === undefined) return skipOrFail(t, missingRedis);
    await using redis = new LocalRedis({ password: "right-secret" });
    await redis.start();
    const url = `unix://:wrong%2Dsecret@${redis.socketPath}`;
    await using host = await startHost({
      app: fixturePath("echo-app.mjs"),
      env: { SIGNALBOX_FABRIC: "stock", SIGNALBOX_REDIS_URL: url },
    });
    const { msg } = await host.waitForLog((record) => record.msg.startsWith("Redis at "));
    assert.match(msg, /refuses: WRONGPASS/);
    const client = await LightSocket.open(host);
    await client.who();
    client.close();
    const status = JSON.stringify(await host.readStatus());
    await host.stop();
    for (const told of [JSON.stringify(host.log), host.stderr, status]) {
      assert.doesNotMatch(told, /wrong(-|%2D)secret/);
    }
    for (const slot of [0, 1]) {
      const lines = host.log.filter((record) => record.worker === slot && record.msg.includes("WRONGPASS"));
      assert.equal(lines.length, 1, "both connections are refused again and again: told once");
    }
  });
});
