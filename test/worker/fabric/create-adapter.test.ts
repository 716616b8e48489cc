/** `createAdapter()` in a process that has no primary: it serves its own clients as Socket.IO alone does, and waits for nobody. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createAdapter } from "../../../src/worker/fabric/create-adapter.js";
import { LocalServer, ways } from "../../support/local-server.js";

describe("createAdapter() in a process that node:cluster has not forked", () => {
  const warnings: unknown[] = [];
  const { warn } = console;
  before(() => {
    // Whatever runs the tests may have forked this process.
    Object.assign(process, { send: undefined });
    console.warn = (message) => warnings.push(message);
  });
  after(() => {
    console.warn = warn;
  });

  test("makes joins that wait for nothing", async () => {
    await using server = await LocalServer.startWith(createAdapter());
    const { socket } = await server.connect();
    assert.equal(socket.join("room"), undefined);
    void socket.leave("room");
  });

  test("answers for its own sockets and servers", async () => {
    await using server = await LocalServer.startWith(createAdapter());
    const { socket } = await server.connect();
    const found = await server.io.fetchSockets();
    assert.deepEqual(
      found.map(({ id }) => id),
      [socket.id],
    );
    assert.equal(await server.io.of("/").adapter.serverCount(), 1);
    const answers = await server.io.serverSideEmitWithAck("question");
    assert.deepEqual(answers, []);
  });

  test("gives acknowledged broadcasts their answers, and no errors", async () => {
    await using server = await LocalServer.startWith(createAdapter());
    const { client } = await server.connect();
    const answers = server.io.timeout(60_000).emitWithAck("question");
    await client.until('420["question"]');
    client.webSocket.send('430["answer"]');
    assert.deepEqual(await answers, ["answer"]);
  });

  test("delivers what Socket.IO alone delivers, and keeps nothing for others", async () => {
    const received: string[][] = [];
    for (const way of ways) {
      await using server = await LocalServer.startWith(way === "routed" ? createAdapter() : undefined);
      const { client, socket } = await server.connect();
      await socket.join("room");
      server.io.to("room").emit("n", 1);
      server.io.in("room").socketsLeave("room");
      server.io.to("room").emit("n", 2);
      server.io.in(socket.id).socketsJoin("other");
      server.io.to("other").emit("n", 3);
      server.io.serverSideEmit("n");
      server.io.emit("end");
      received.push(await client.until('42["end"]'));
    }
    assert.deepEqual(received[0], received[1]);
    assert.equal(received[0]?.length, 3);
  });

  test("says once that it reaches nobody else, and nothing more", () => {
    const own = warnings.filter((warning) => String(warning).startsWith("signalbox:"));
    assert.equal(own.length, 1);
    assert.match(String(own[0]), /no other worker is reached/);
  });
});
