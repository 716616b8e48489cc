/** What a client gets of a turn: all of it, in order, as Socket.IO alone would send it, but in one write. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Server, Socket } from "socket.io";
import { compare, connectionOf, countWrites, LocalServer, tcpSocketOf, turn } from "../../support/local-server.js";

function event(...values: unknown[]): string {
  return `42${JSON.stringify(values)}`;
}

describe("messages of one turn", () => {
  test("reach a client as whole WebSocket frames, in order, in one write", async () => {
    await using server = await LocalServer.start("routed");
    const { client, socket } = await server.connect();
    const other = await server.connect();
    const writes = [socket, other.socket].map((each) => countWrites(tcpSocketOf(each)));
    const sizes = [0, 1, 100, 125, 126, 127, 65_535, 65_536, 70_000];
    for (const size of sizes) server.io.emit("n", "é".repeat(size));
    server.io.emit("end");
    const wanted = [...sizes.map((size) => event("n", "é".repeat(size))), event("end")];
    assert.deepEqual(await client.until(event("end")), wanted);
    assert.deepEqual(await other.client.until(event("end")), wanted);
    assert.deepEqual(
      writes.map(({ count }) => count),
      [1, 1],
    );
  });

  test("are those of everything that runs in it: ticks and promises too", async () => {
    await using server = await LocalServer.start("routed");
    const { client, socket } = await server.connect();
    const writes = countWrites(tcpSocketOf(socket));
    server.io.emit("a");
    await Promise.resolve();
    server.io.emit("b");
    await new Promise<void>((resolve) => process.nextTick(resolve));
    server.io.emit("c");
    assert.deepEqual(await client.until(event("c")), [event("a"), event("b"), event("c")]);
    assert.equal(writes.count, 1);
  });

  test("of the next turn go in another", async () => {
    await using server = await LocalServer.start("routed");
    const { client, socket } = await server.connect();
    const writes = countWrites(tcpSocketOf(socket));
    for (const name of ["a", "b", "c"]) {
      server.io.emit(name);
      server.io.emit(name);
      await turn();
    }
    assert.equal(writes.count, 3);
    assert.equal((await client.until(event("c"))).length, 6);
  });

  test("with what others than broadcasts write among them, still leave in order", async () => {
    await using server = await LocalServer.start("routed");
    const { client, socket } = await server.connect();
    const writes = countWrites(tcpSocketOf(socket));
    server.io.emit("a");
    socket.emit("b");
    server.io.emit("c");
    assert.deepEqual(await client.until(event("c")), [event("a"), event("b"), event("c")]);
    // Engine.IO writes on when what it wrote last has left.
    assert.equal(writes.count, 2);
  });

  test("hold nothing back that comes after the turn, and leave nothing behind", async () => {
    await using server = await LocalServer.start("routed");
    const { client, socket } = await server.connect();
    const raw = tcpSocketOf(socket);
    for (let round = 0; round < 5; round++) {
      for (let count = 0; count < 100; count++) server.io.emit("n");
      await turn();
      assert.deepEqual([raw.writableCorked, raw.writableLength], [0, 0]);
    }
    socket.emit("end");
    await client.until(event("end"));
    assert.deepEqual([connectionOf(socket).writeBuffer?.length, client.received.length], [0, 501]);
  });
});

interface Sequence {
  readonly title: string;
  readonly run: (io: Server, socket: Socket) => void;
}

const bytes = Buffer.from([1, 2, 3]);

/** Each in one turn; nothing of it may be lost. */
const sequences: readonly Sequence[] = [
  {
    title: "broadcasts, messages to the one socket, to rooms and to all but some",
    run: (io, socket) => {
      for (let round = 0; round < 3; round++) {
        io.emit("all", round);
        socket.emit("one", round);
        io.to(socket.id).emit("room", round);
        socket.broadcast.emit("not to itself", round);
        io.except(socket.id).emit("nor here", round);
        socket.send("sent", round);
        io.send("sent to all", round);
      }
    },
  },
  {
    title: "binary messages among others",
    run: (io, socket) => {
      io.emit("text", 1);
      io.emit("binary", bytes);
      io.emit("text", 2);
      socket.emit("binary", bytes, { deep: [bytes, new Uint8Array([4])] });
      io.emit("binary", bytes, bytes);
      io.emit("text", 3);
    },
  },
  {
    title: "messages that want acknowledgements",
    run: (io, socket) => {
      io.emit("a");
      socket.emit("b", () => {});
      io.timeout(1).emit("c", () => {});
      io.emit("d");
      socket.timeout(1).emit("e", () => {});
      io.emit("f");
    },
  },
  {
    title: "messages that are to be compressed or not",
    run: (io, socket) => {
      io.compress(false).emit("a");
      io.compress(true).emit("b");
      socket.compress(false).emit("c");
      io.emit("d");
    },
  },
  {
    title: "more volatile messages than one, after one that is not: what a busy connection drops is dropped",
    run: (io, socket) => {
      socket.emit("first");
      io.volatile.emit("volatile", 1);
      socket.volatile.emit("volatile", 2);
      io.emit("kept");
      io.volatile.emit("volatile", 3);
    },
  },
  {
    title: "a volatile one first",
    run: (io) => {
      io.volatile.emit("volatile");
      io.emit("kept");
    },
  },
  {
    title: "binary volatile messages",
    run: (io) => {
      io.volatile.emit("binary", bytes);
      io.volatile.emit("binary", bytes);
      io.emit("kept");
    },
  },
];

describe("a client gets what it gets of Socket.IO alone", () => {
  for (const { title, run } of sequences) {
    test(title, async () => {
      const received = await compare(({ io, socket }) => run(io, socket));
      assert.deepEqual(received.routed, received.stock);
      assert.ok(received.stock.length > 0);
    });
  }

  test("in turns that follow one another at once", async () => {
    const received = await compare(async ({ io, socket }) => {
      for (let round = 0; round < 20; round++) {
        io.emit("all", round);
        io.volatile.emit("volatile", round);
        if (round % 3 === 0) socket.emit("one", round);
        if (round % 4 === 0) await turn();
        else await Promise.resolve();
      }
    });
    const isKept = (packet: string): boolean => !packet.includes("volatile");
    assert.deepEqual(received.routed.filter(isKept), received.stock.filter(isKept));
  });
});

test("volatile messages in one turn all arrive, of which Engine.IO alone sends the first", async () => {
  const received = await compare(({ io }) => {
    for (let count = 0; count < 3; count++) io.volatile.emit("volatile", count);
  });
  assert.deepEqual(received.stock, [event("volatile", 0)]);
  assert.deepEqual(received.routed, [event("volatile", 0), event("volatile", 1), event("volatile", 2)]);
});
