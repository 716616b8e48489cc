/** One fleet of a Signalbox host on the fabric stock and a plain Socket.IO server, joined by a real Redis. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FabricHost } from "../support/fabric-host.js";
import { pause } from "../support/host.js";
import { LightSocket } from "../support/light-socket.js";
import { skipOrFail } from "../support/prerequisite.js";
import { Heard, sayUntilHeard, waitUntilHeard } from "../support/redis/heard.js";
import { LocalRedis, missingRedis, redisPath } from "../support/redis/local-redis.js";
import { PlainServer } from "../support/redis/plain-server.js";

for (const adapter of ["classic", "sharded"] as const) {
  test(`a host with two workers and a plain server are one fleet (${adapter})`, { timeout: 60_000 }, async (t) => {
    if (redisPath === undefined) return skipOrFail(t, missingRedis);
    await using redis = new LocalRedis();
    await redis.start();
    await using fleet = await FabricHost.start({
      app: "../stock/stock-app.mjs",
      workers: 2,
      env: {
        SIGNALBOX_FABRIC: "stock",
        SIGNALBOX_REDIS_URL: redis.url,
        SIGNALBOX_STOCK_ADAPTER: adapter,
        SIGNALBOX_STOCK_KEY: "shop",
      },
    });
    await using plain = await PlainServer.start({ redisSocketPath: redis.socketPath, adapter, key: "shop" });
    await Promise.all([fleet.waitForServers(3), plain.waitForServers(3)]);

    const clients = [...(await fleet.openOn([0, 1])), await LightSocket.open(plain)];
    const heard = clients.map((client) => new Heard(client));
    const ids = await Promise.all(clients.map(async (client) => await client.call<string>("id")));
    const [firstId = ""] = ids;

    // A message to all, from each kind of server.
    await fleet.ask(0, "emit", { text: "from the host" });
    await plain.ask("emit", { text: "from the plain server" });
    await waitUntilHeard(heard, "from the host");
    await waitUntilHeard(heard, "from the plain server");

    // To a room, and to one socket.
    for (const client of clients) await client.call("join", "room");
    await sayUntilHeard(
      heard,
      "host to room",
      async () => await fleet.ask(1, "emit", { room: "room", text: "host to room" }),
    );
    await sayUntilHeard(
      heard,
      "plain to room",
      async () => await plain.ask("emit", { room: "room", text: "plain to room" }),
    );
    await plain.ask("emit", { room: firstId, text: "to one" });
    await waitUntilHeard(heard.slice(0, 1), "to one");

    // Everybody is counted from everywhere.
    const expected = [...ids].sort();
    assert.deepEqual(await fleet.ask(0, "fetchIds"), expected);
    assert.deepEqual(await fleet.ask(1, "fetchIds"), expected);
    assert.deepEqual(await plain.ask("fetchIds"), expected);

    // The plain server takes the host's clients into a room, and the other way round; the asker's own may come last.
    await plain.ask("socketsJoin", { room: "by plain" });
    while ((await plain.ask<string[]>("fetchIds", { room: "by plain" })).length < 3) await pause(20);
    await fleet.ask(0, "socketsJoin", { room: "by host" });
    while ((await fleet.ask<string[]>(0, "fetchIds", { room: "by host" })).length < 3) await pause(20);

    // Servers ask servers.
    assert.deepEqual(await fleet.ask(0, "askOthers"), ["plain", "worker 1"]);
    assert.deepEqual(await plain.ask("askOthers"), ["worker 0", "worker 1"]);

    // Once each: what was said once was heard once.
    for (const each of heard) assert.equal(each.count("from the host") + each.count("from the plain server"), 2);
    assert.deepEqual(
      heard.map((each) => each.count("to one")),
      [1, 0, 0],
    );
    assert.equal(fleet.host.log.filter(({ level }) => level >= 40).length, 0, "no warning");
    for (const client of clients) client.close();
  });
}
