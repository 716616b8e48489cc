/** Adapters that come and go, servers that share a process, parsers that differ, a router that is away. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as msgpackParser from "socket.io-msgpack-parser";
import { encodeWebSocketText, measureBroadcastBody, writeBroadcastBody } from "../../../src/protocol/broadcast-body.js";
import { encodeValue } from "../../../src/worker/fabric/values.js";
import { encodeBroadcast } from "../../support/fabric-frames.js";
import { FabricPair, idsOf } from "../../support/fabric-pair.js";
import { turn } from "../../support/local-server.js";

function event(...values: unknown[]): string {
  return `42${JSON.stringify(values)}`;
}

function encodeBody(parserId: number, type: number, bytes: Buffer): Buffer {
  const parts = [{ type, bytes }];
  const body = Buffer.alloc(measureBroadcastBody(parts));
  writeBroadcastBody(body, 0, parserId, parts);
  return body;
}

describe("a packet of another worker", () => {
  const valueParser = 0xff_ff_ff_ff;

  test("of an unknown parser is counted, said once, and not delivered", async () => {
    await using fabric = await FabricPair.start();
    const far = await fabric.b.connect();
    const third = fabric.router.join("hostAC");
    const body = encodeBody(12_345, 0, encodeWebSocketText('2["n"]'));
    third.send(encodeBroadcast({ body }), encodeBroadcast({ body }));
    assert.deepEqual(await fabric.hear(far), [[]]);
    const { messagesUnreadable } = fabric.b.fabric.readCounts();
    assert.deepEqual([messagesUnreadable, fabric.b.warnings.length], [2, 1]);
    assert.match(fabric.b.warnings[0] ?? "", /a parser that this worker does not have/);
  });

  test("that comes as a value is encoded here", async () => {
    await using fabric = await FabricPair.start();
    const far = await fabric.b.connect();
    const third = fabric.router.join("hostAC");
    third.send(encodeBroadcast({ body: encodeBody(valueParser, 1, encodeValue([2, ["n", new Date(0)]])) }));
    assert.deepEqual(await fabric.hear(far), [[event("n", new Date(0))]]);
    assert.equal(fabric.b.fabric.readCounts().packetsReencoded, 1);
  });

  const broken: readonly [string, Buffer][] = [
    ["a body that is none", Buffer.from("?")],
    ["a value that cannot be read", encodeBody(valueParser, 1, Buffer.from("?"))],
    ["a value that is no packet", encodeBody(valueParser, 1, encodeValue({ type: 2 }))],
    ["a packet without parts", Buffer.alloc(6)],
  ];
  for (const [title, body] of broken) {
    test(`with ${title} is counted, said once, and harms nothing behind it`, async () => {
      await using fabric = await FabricPair.start();
      const far = await fabric.b.connect();
      fabric.router.join("hostAC").send(encodeBroadcast({ body }), encodeBroadcast({ body }));
      fabric.a.io.emit("n");
      assert.deepEqual(await fabric.hear(far), [[event("n")]]);
      assert.deepEqual([fabric.b.fabric.readCounts().messagesUnreadable, fabric.b.warnings.length], [2, 1]);
    });
  }

  test("that nobody here wants is counted, and not decoded", async () => {
    await using fabric = await FabricPair.start();
    fabric.a.io.emit("n");
    fabric.pump();
    const counts = fabric.b.fabric.readCounts();
    assert.deepEqual([counts.broadcastsFiltered, counts.broadcastsReceived, counts.packetsDecoded], [1, 0, 0]);
  });

  test("is decoded once for all who look at it, and not at all when nobody does", async () => {
    await using fabric = await FabricPair.start();
    const pairs = [await fabric.b.connect(), await fabric.b.connect(), await fabric.b.connect()];
    fabric.a.io.emit("n", 1);
    await fabric.hear(...pairs);
    assert.equal(fabric.b.fabric.readCounts().packetsDecoded, 0);
    const seen: unknown[] = [];
    for (const { socket } of pairs.slice(1)) socket.onAnyOutgoing((...values) => seen.push(values));
    fabric.a.io.emit("n", { deep: [Buffer.from([1])] });
    fabric.pump();
    assert.deepEqual(seen, [
      ["n", { deep: [Buffer.from([1])] }],
      ["n", { deep: [Buffer.from([1])] }],
    ]);
    assert.equal(fabric.b.fabric.readCounts().packetsDecoded, 1);
  });
});

test("a packet of another worker is a text for whoever looks at texts", async () => {
  await using fabric = await FabricPair.start();
  const far = await fabric.b.connect();
  const seen: unknown[] = [];
  far.socket.conn.on("packetCreate", ({ data }) => seen.push(data));
  fabric.a.io.emit("n", "é");
  assert.deepEqual(await fabric.hear(far), [[event("n", "é")]]);
  assert.deepEqual(seen, ['2["n","é"]', '2["heard"]']);
});

test("what a worker with another parser says reaches the clients here", async () => {
  await using fabric = await FabricPair.start({ b: { parser: msgpackParser } });
  const near = await fabric.a.connect();
  fabric.b.io.emit("from b", { deep: Buffer.from([1]) });
  assert.deepEqual(await fabric.hear(near), [['451-["from b",{"deep":{"_placeholder":true,"num":0}}]', "01"]]);
  assert.deepEqual(
    [fabric.b.fabric.readCounts().packetsReencoded, fabric.a.fabric.readCounts().packetsReencoded],
    [0, 1],
  );
});

describe("a namespace", () => {
  test("has as many servers as workers that serve it", async () => {
    await using fabric = await FabricPair.start();
    assert.equal(await fabric.a.io.of("/").adapter.serverCount(), 2);
    const chat = fabric.a.io.of("/chat");
    fabric.pump();
    assert.equal(await chat.adapter.serverCount(), 1);
    const far = fabric.b.io.of("/chat");
    fabric.pump();
    assert.deepEqual([await chat.adapter.serverCount(), await far.adapter.serverCount()], [2, 2]);
    void far.adapter.close();
    fabric.pump();
    assert.equal(await chat.adapter.serverCount(), 1);
    void far.adapter.close();
    fabric.disconnect(fabric.b);
    fabric.pump();
    assert.equal(await fabric.a.io.of("/").adapter.serverCount(), 1);
  });

  test("that was closed while a socket was on its way to it opens again with that, and with the rooms that it had joined", async () => {
    await using fabric = await FabricPair.start();
    const chat = fabric.b.io.of("/chat");
    chat.use((socket, next) => {
      void socket.join("early");
      // Its last other client leaves meanwhile: Socket.IO closes namespaces like this.
      void chat.adapter.close();
      next();
    });
    const far = await fabric.b.connect();
    far.client.webSocket.send("40/chat,");
    await far.client.until("40/chat,");
    fabric.pump();
    assert.equal(await fabric.a.io.of("/chat").adapter.serverCount(), 1);
    fabric.pump();
    assert.equal(await fabric.a.io.of("/chat").adapter.serverCount(), 2);
    fabric.a.io.of("/chat").to("early").emit("n");
    fabric.pump();
    await far.client.until('42/chat,["n"]');
  });

  test("that is closed is left by its rooms", async () => {
    await using fabric = await FabricPair.start();
    await fabric.b.connect("room");
    fabric.pump();
    assert.equal(fabric.router.core.interestSize, 1);
    void fabric.b.io.of("/").adapter.close();
    fabric.pump();
    assert.equal(fabric.router.core.interestSize, 0);
  });
});

describe("two servers in one process", () => {
  test("each get what other workers send, once, and are found by them", async () => {
    await using fabric = await FabricPair.start();
    const second = await fabric.b.startServer();
    const [first, other] = [await fabric.b.connect("room"), await second.connect()];
    void other.socket.join("room");
    fabric.pump();
    fabric.a.io.to("room").emit("n");
    assert.deepEqual(await fabric.hear(first, other), [[event("n")], [event("n")]]);
    assert.equal(await fabric.a.io.of("/").adapter.serverCount(), 3);
    const found = await fabric.until(fabric.a.io.in("room").fetchSockets());
    assert.deepEqual(idsOf(found), idsOf([first.socket, other.socket]));
  });

  test("do not hear of each other what other workers hear: they are one worker", async () => {
    await using fabric = await FabricPair.start();
    const second = await fabric.b.startServer();
    const [near, other] = [await fabric.a.connect(), await second.connect()];
    fabric.b.io.emit("n");
    assert.deepEqual(await fabric.hear(near, other), [[event("n")], []]);
  });

  test("do not disturb each other when one goes", async () => {
    await using fabric = await FabricPair.start();
    const second = await fabric.b.startServer();
    const [first, other] = [await fabric.b.connect("room"), await second.connect()];
    void other.socket.join("room");
    await second.io.close();
    fabric.pump();
    assert.equal(await fabric.a.io.of("/").adapter.serverCount(), 2);
    fabric.a.io.to("room").emit("n");
    assert.deepEqual(await fabric.hear(first), [[event("n")]]);
  });
});

describe("while the router is away", () => {
  test("what changes rooms is kept, volatile or not; of broadcasts what is not volatile", async () => {
    await using fabric = await FabricPair.start();
    const [near, far] = [await fabric.a.connect(), await fabric.b.connect("room")];
    fabric.pump();
    fabric.disconnect(fabric.a);
    fabric.a.io.volatile.in("room").socketsJoin("joined");
    fabric.a.io.to("joined").emit("n", "kept");
    fabric.a.io.volatile.emit("n", "volatile");
    assert.deepEqual(await fabric.hear(near, far), [[event("n", "volatile")], []]);
    fabric.connect(fabric.a);
    assert.deepEqual(await fabric.hear(far), [[event("n", "kept")]]);
  });

  test("sockets are asked when it is back, within the time that there is", async () => {
    await using fabric = await FabricPair.start();
    const far = await fabric.b.connect("room");
    fabric.pump();
    fabric.disconnect(fabric.a);
    const found = fabric.a.io.in("room").fetchSockets();
    await turn();
    fabric.connect(fabric.a);
    assert.deepEqual(idsOf(await fabric.until(found)), [far.socket.id]);
  });

  test("a question that is on its way when it goes ends with an error that says so", async () => {
    await using fabric = await FabricPair.start();
    await fabric.b.connect("room");
    fabric.pump();
    const found = fabric.a.io.in("room").fetchSockets();
    await turn();
    fabric.disconnect(fabric.a);
    await assert.rejects(found, /the connection to the router was lost/);
  });
});
