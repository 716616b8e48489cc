/** Two workers and a router: who gets what of each, whatever rooms, ids and values an application comes up with. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FabricPair, idsOf, roomsOf } from "../../support/fabric-pair.js";

function event(...values: unknown[]): string {
  return `42${JSON.stringify(values)}`;
}

const strangeRooms: readonly [string, unknown][] = [
  ["a symbol", Symbol("room")],
  ["an object", { room: 1 }],
  ["null", null],
  ["true", true],
  ["half a surrogate pair", "\ud800"],
  ["a text that is too long", "x".repeat(32 * 1024 + 1)],
];

describe("a room that cannot be named to others", () => {
  for (const [title, value] of strangeRooms) {
    test(`${title}: reaches its members on this worker, and does not become everybody elsewhere`, async () => {
      await using fabric = await FabricPair.start();
      const room = value as string;
      const { io } = fabric.a;
      const [near, nearOut, far] = [
        await fabric.a.connect(room),
        await fabric.a.connect(),
        await fabric.b.connect(room),
      ];
      io.to(room).emit("n", 1);
      io.to([room, "far"]).emit("n", 2);
      io.except(room).emit("n", 3);
      io.in(room).socketsJoin("joined");
      io.in(room).socketsLeave("joined");
      io.timeout(1_000)
        .to(room)
        .emit("asked", () => {});
      assert.deepEqual(idsOf(await fabric.until(io.in(room).fetchSockets())), [near.socket.id]);
      assert.deepEqual(await fabric.hear(near, nearOut, far), [
        [event("n", 1), event("n", 2), '420["asked"]'],
        [event("n", 3)],
        [event("n", 3)],
      ]);
      io.in(room).disconnectSockets(true);
      await near.client.closed;
      assert.deepEqual(await fabric.hear(nearOut, far), [[], []]);
      assert.deepEqual([roomsOf(far.socket), fabric.a.warnings], [[room], []]);
    });
  }

  test("among others that can: those are reached everywhere", async () => {
    await using fabric = await FabricPair.start();
    const [near, far] = [await fabric.a.connect(Symbol.iterator), await fabric.b.connect("named", 7)];
    fabric.pump();
    fabric.a.io.to([Symbol.iterator as unknown as string, "named"]).emit("n");
    fabric.a.io.in("named").socketsJoin([{} as string, "joined"]);
    fabric.a.io.in("named").socketsLeave([null as unknown as string, 7 as unknown as string]);
    assert.deepEqual(await fabric.hear(near, far), [[event("n")], [event("n")]]);
    assert.deepEqual(roomsOf(far.socket), ["named", "joined"]);
  });

  test("an acknowledged broadcast to it asks its members here only, and ends when they have answered", async () => {
    await using fabric = await FabricPair.start();
    const room = Symbol("room") as unknown as string;
    const [near, far] = [await fabric.a.connect(room), await fabric.b.connect(room)];
    const answers = fabric.a.io.timeout(60_000).to(room).emitWithAck("asked");
    near.client.webSocket.once("message", () => near.client.webSocket.send('430["yes"]'));
    assert.deepEqual(await fabric.until(answers), ["yes"]);
    assert.deepEqual(await fabric.hear(far), [[]]);
  });
});

describe("rooms and what is announced of them", () => {
  test("texts and numbers are told apart, on both workers", async () => {
    await using fabric = await FabricPair.start();
    const [text, number] = [await fabric.b.connect("1"), await fabric.b.connect(1)];
    fabric.pump();
    fabric.a.io.to("1").emit("text");
    fabric.a.io.to(1 as unknown as string).emit("number");
    assert.deepEqual(await fabric.hear(text, number), [[event("text")], [event("number")]]);
  });

  test("a socket's own id is not announced, and is found nevertheless", async () => {
    await using fabric = await FabricPair.start();
    const far = await fabric.b.connect();
    fabric.pump();
    assert.deepEqual([fabric.router.core.interestSize, fabric.b.fabric.session.announcedRooms], [0, 0]);
    fabric.a.io.to(far.socket.id).emit("n");
    assert.deepEqual(await fabric.hear(far), [[event("n")]]);
  });

  test("another socket's id, and ids of other forms, are announced", async () => {
    await using fabric = await FabricPair.start();
    const near = await fabric.a.connect();
    const others = [near.socket.id, `/chat#${near.socket.id}`, "x".repeat(20), "CwABAAAAAAAAAAAAAAAA", "short"];
    const far = await fabric.b.connect(...others);
    fabric.pump();
    assert.equal(fabric.b.fabric.session.announcedRooms, others.length);
    for (const room of others) fabric.a.io.to(room).emit("n", room);
    const [heardNear, heardFar] = await fabric.hear(near, far);
    assert.deepEqual(heardNear, [event("n", near.socket.id)]);
    assert.deepEqual(
      heardFar,
      others.map((room) => event("n", room)),
    );
  });

  test("the id of a socket, joined by others of the same worker, is announced until they have left", async () => {
    await using fabric = await FabricPair.start();
    const [first, ...others] = [await fabric.b.connect(), await fabric.b.connect(), await fabric.b.connect()];
    const { session } = fabric.b.fabric;
    for (const { socket } of others) void socket.join(first.socket.id);
    const announced = [session.announcedRooms];
    for (const [index, { socket }] of others.entries()) {
      void socket.leave(first.socket.id);
      session.tick(performance.now() + (index + 1) * 1_500);
      announced.push(session.announcedRooms);
    }
    assert.deepEqual(announced, [1, 1, 0]);
  });

  test("a join from afar is in force for the next message, and what it brought is announced", async () => {
    await using fabric = await FabricPair.start();
    const far = await fabric.b.connect("named");
    fabric.pump();
    fabric.a.io.in("named").socketsJoin("joined");
    fabric.a.io.to("joined").emit("n");
    assert.deepEqual(await fabric.hear(far), [[event("n")]]);
    assert.deepEqual([roomsOf(far.socket), fabric.b.fabric.session.announcedRooms], [["named", "joined"], 2]);
  });

  test("joins and leaves of more rooms than a frame takes go in several", async () => {
    await using fabric = await FabricPair.start();
    const third = fabric.router.join("hostAC");
    third.want(["named"]);
    const rooms = Array.from({ length: 65_536 }, (_, index) => String(index));
    fabric.a.io.in("named").socketsJoin(rooms);
    fabric.a.io.in("named").socketsLeave(rooms);
    fabric.pump();
    const commands = third.read().filter(({ type }) => type === "command");
    assert.equal(commands.length, 4);
  });
});

describe("a message that others cannot get", () => {
  test("is refused, counted, said once, and delivered here all the same", async () => {
    await using fabric = await FabricPair.start();
    const [near, far] = [await fabric.a.connect("room"), await fabric.b.connect("room")];
    fabric.pump();
    const many = ["room", ...Array.from({ length: 65_535 }, (_, index) => String(index))];
    fabric.a.io.to(many).emit("n", "to many rooms");
    fabric.a.io.except(many.slice(1).concat("one more")).emit("n", "to all but many");
    fabric.a.io
      .to("room")
      .except(near.socket.id)
      .emit("n", Buffer.alloc(64 * 1024 * 1024));
    fabric.a.io.emit("n", "last");
    assert.deepEqual(await fabric.hear(near, far), [
      [event("n", "to many rooms"), event("n", "to all but many"), event("n", "last")],
      [event("n", "last")],
    ]);
    assert.equal(fabric.a.fabric.counters.messagesRefused, 3);
    assert.equal(fabric.a.warnings.length, 1);
    assert.match(fabric.a.warnings[0] ?? "", /was not sent to other workers/);
  });

  test("never because it is longer than the outbox by itself", async () => {
    await using fabric = await FabricPair.start();
    const [near, far] = [await fabric.a.connect(), await fabric.b.connect()];
    fabric.a.io.except(near.socket.id).emit("n", "x".repeat(2 * 1024 * 1024));
    fabric.pump();
    fabric.a.io.emit("n", "next");
    const [nearHeard, farHeard] = await fabric.hear(near, far);
    assert.deepEqual(nearHeard, [event("n", "next")]);
    assert.deepEqual(
      farHeard?.map((text) => String(text).length > 2 * 1024 * 1024),
      [true, false],
    );
    assert.equal(fabric.a.fabric.readCounts().framesUnsent, 0);
  });

  test("because the namespace's name cannot travel: its clients here are served, and the others not harmed", async () => {
    await using fabric = await FabricPair.start();
    const [near, far] = [await fabric.a.connect(), await fabric.b.connect()];
    for (const name of [`/${"x".repeat(32 * 1024)}`, `/${"x".repeat(70_000)}`, "/\ud800"]) {
      const namespace = fabric.a.io.of(name);
      namespace.emit("n");
      assert.deepEqual(await fabric.until(namespace.fetchSockets()), []);
      assert.equal(await namespace.adapter.serverCount(), 1);
    }
    // As clients may, where the names of namespaces are patterns.
    const long = `/${"y".repeat(70_000)}`;
    fabric.a.io.of(/^\/y+$/).on("connection", (socket) => void socket.join("room"));
    near.client.webSocket.send(`40${long},`);
    await near.client.until(`40${long},`);
    fabric.a.io.of(long).to("room").emit("n");
    await near.client.until(`42${long},["n"]`);
    fabric.a.io.emit("n");
    assert.deepEqual((await fabric.hear(far))[0], [event("n")]);
    assert.equal(fabric.router.notesOf("refused").length, 0);
    assert.deepEqual([fabric.a.fabric.counters.messagesRefused, fabric.a.warnings.length], [4, 1]);
  });
});

describe("what an application must not send is thrown back at it, and nobody gets anything", () => {
  const cases: readonly [string, (fabric: FabricPair) => void][] = [
    ["the name of a reserved event", ({ a }) => a.io.emit("connect")],
    ["a reserved event of servers", ({ a }) => a.io.serverSideEmit("connection")],
    ["a value that JSON does not have", ({ a }) => a.io.emit("n", 1n)],
    ["a value that cannot be cloned, to servers", ({ a }) => a.io.serverSideEmit("n", Symbol("x"))],
    ["one to servers, with an acknowledgement", ({ a }) => a.io.serverSideEmit("n", { deep: () => {} }, () => {})],
    ["one that is to be acknowledged", ({ a }) => a.io.timeout(1_000).emit("n", 1n, () => {})],
  ];
  for (const [title, send] of cases) {
    test(title, async () => {
      await using fabric = await FabricPair.start();
      const [near, far] = [await fabric.a.connect(), await fabric.b.connect()];
      assert.throws(() => send(fabric));
      assert.deepEqual(await fabric.hear(near, far), [[], []]);
      assert.equal(fabric.a.fabric.session.pendingRequests, 0);
    });
  }
});
