/** Broadcasts and the life of a client's connection: its upgrade, its end in the same turn, its kind. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { type Socket as Client, io as connectClient } from "socket.io-client";
import { connectionOf, LocalServer, type Pair, tcpSocketOf, turn, type Way, ways } from "../../support/local-server.js";

function event(...values: unknown[]): string {
  return `42${JSON.stringify(values)}`;
}

describe("a client that steps up from long-polling to WebSocket in the middle of a stream of broadcasts", () => {
  for (const perTurn of [1, 3]) {
    test(`loses, doubles and reorders nothing, with ${perTurn} in each turn`, async () => {
      await using server = await LocalServer.start("routed");
      let said = 0;
      let isOver = false;
      server.io.on("connection", (socket) => {
        // Before Engine.IO has written what waited for the new transport.
        socket.conn.once("upgrade", () => server.io.emit("n", said++));
      });
      const talk = (): void => {
        for (let count = 0; count < perTurn; count++) server.io.emit("n", said++);
        if (!isOver) setImmediate(talk);
      };
      const clients = Array.from({ length: 4 }, () =>
        connectClient(`http://127.0.0.1:${server.port}`, { forceNew: true }),
      );
      const heard = clients.map((client) => {
        const numbers: number[] = [];
        client.on("n", (number: number) => numbers.push(number));
        return numbers;
      });
      talk();
      await Promise.all(clients.map(upgraded));
      for (const client of clients) await new Promise((resolve) => client.once("n", resolve));
      isOver = true;
      await turn();
      server.io.emit("end");
      await Promise.all(clients.map((client) => new Promise((resolve) => client.once("end", resolve))));
      for (const numbers of heard) {
        const first = numbers[0] ?? Number.NaN;
        assert.deepEqual(
          numbers,
          Array.from({ length: said - first }, (_, index) => first + index),
        );
      }
      for (const client of clients) client.disconnect();
    });
  }
});

async function upgraded(client: Client): Promise<void> {
  await new Promise<void>((resolve) => client.once("connect", resolve));
  if (client.io.engine.transport.name === "websocket") return;
  await new Promise((resolve) => client.io.engine.once("upgrade", resolve));
}

/** What a client gets of a turn in which its connection ends. */
async function endOf(way: Way, end: (pair: Pair, server: LocalServer) => void): Promise<string[]> {
  await using server = await LocalServer.start(way);
  const pair = await server.connect();
  end(pair, server);
  await pair.client.closed;
  return pair.client.received;
}

describe("what is said right before the end of the connection, in the same turn, arrives if it does with Socket.IO alone", () => {
  const ends: readonly [string, (pair: Pair, server: LocalServer) => void][] = [
    ["socket.disconnect(true)", ({ socket }) => socket.disconnect(true)],
    ["io.disconnectSockets(true)", (_, { io }) => io.disconnectSockets(true)],
    ["conn.close()", ({ socket }) => socket.conn.close()],
    ["io.close()", (_, { io }) => void io.close()],
  ];
  for (const [title, end] of ends) {
    test(title, async () => {
      const all = [event("bye", 0), event("bye", 1)];
      for (const said of [all.slice(0, 1), all]) {
        const [routed = [], stock = []] = await Promise.all(
          ways.map((way) =>
            endOf(way, (pair, server) => {
              for (let count = 0; count < said.length; count++) server.io.emit("bye", count);
              end(pair, server);
              server.io.emit("after the end");
            }),
          ),
        );
        assert.deepEqual(routed.slice(0, said.length), said);
        // Closed with the server, Engine.IO gives up what it has not written yet: all but the first.
        if (title === "io.close()") assert.deepEqual(stock, said.slice(0, 1));
        else assert.deepEqual(routed, stock);
      }
    });
  }

  test("and one that is torn down harms nobody else", async () => {
    await using server = await LocalServer.start("routed");
    const torn = await server.connect();
    const other = await server.connect();
    server.io.emit("n", 1);
    const gone = once(torn.socket, "disconnect");
    tcpSocketOf(torn.socket).destroy();
    server.io.emit("n", 2);
    await gone;
    server.io.emit("n", 3);
    assert.deepEqual(await other.client.until(event("n", 3)), [event("n", 1), event("n", 2), event("n", 3)]);
  });
});

interface Seen {
  readonly name: string;
  readonly packets: unknown[];
}

/** What listeners of a connection see: the packets that are made, those that are flushed, and when it has drained. */
function observe({ socket }: Pair, name: string): Seen[] {
  const seen: Seen[] = [];
  (socket.conn as unknown as NodeJS.EventEmitter).on(name, (packets: unknown) => {
    const list = packets === undefined ? [] : [packets].flat();
    seen.push({ name, packets: list.map((packet) => (packet as { data: unknown }).data) });
  });
  return seen;
}

test("listeners of Engine.IO's events see what they see with Socket.IO alone, texts as texts", async () => {
  for (const name of ["packetCreate", "flush", "drain"]) {
    const [routed, stock] = await Promise.all(
      ways.map(async (way) => {
        await using server = await LocalServer.start(way);
        const pair = await server.connect();
        const seen = observe(pair, name);
        server.io.emit("a", 1);
        server.io.emit("binary", Buffer.from([1]));
        pair.socket.emit("b");
        server.io.to(pair.socket.id).emit("c");
        server.io.volatile.emit("dropped");
        await turn();
        server.io.emit("end");
        return { seen, received: await pair.client.until(event("end")) };
      }),
    );
    assert.deepEqual(routed, stock, name);
    assert.ok((routed?.seen.length ?? 0) > 1, name);
  }
});

test("listeners of the same events of Engine.IO's server do as well", async () => {
  for (const name of ["flush", "drain"]) {
    const [routed, stock] = await Promise.all(
      ways.map(async (way) => {
        await using server = await LocalServer.start(way);
        const { client, socket } = await server.connect();
        const seen: unknown[] = [];
        server.io.engine.on(name, (connection: unknown, packets?: { data: unknown }[]) => {
          seen.push([connection === socket.conn, packets?.map(({ data }) => data)]);
        });
        server.io.emit("a", 1);
        server.io.emit("b");
        await turn();
        server.io.emit("end");
        return { seen, received: await client.until(event("end")) };
      }),
    );
    assert.deepEqual(routed, stock, name);
    assert.ok((routed?.seen.length ?? 0) > 1, name);
  }
});

test("who begins to listen in the middle of a turn sees all that is said after that", async () => {
  await using server = await LocalServer.start("routed");
  const pair = await server.connect();
  server.io.emit("before");
  const seen = observe(pair, "packetCreate");
  server.io.emit("after", 1);
  server.io.emit("after", 2);
  const received = await pair.client.until(event("after", 2));
  assert.deepEqual(received, [event("before"), event("after", 1), event("after", 2)]);
  assert.deepEqual(
    seen.map(({ packets }) => packets),
    [[event("after", 1).slice(1)], [event("after", 2).slice(1)]],
  );
});

describe("other kinds of clients", () => {
  test("one whose messages are compressed gets the same content", async () => {
    await using server = await LocalServer.start("routed", { perMessageDeflate: { threshold: 0 } });
    const { client, socket } = await server.connect({ perMessageDeflate: true });
    assert.match(client.webSocket.extensions, /permessage-deflate/);
    const long = "long ".repeat(1_000);
    server.io.emit("a", long);
    socket.emit("b");
    server.io.compress(false).emit("c", long);
    server.io.emit("binary", Buffer.from([1, 2]));
    server.io.emit("end");
    assert.deepEqual(await client.until(event("end")), [
      event("a", long),
      event("b"),
      event("c", long),
      '451-["binary",{"_placeholder":true,"num":0}]',
      "0102",
      event("end"),
    ]);
    assert.ok(tcpSocketOf(socket).bytesWritten < long.length / 2);
  });

  test("one that could compress, where the server does not, gets them in one write as the others", async () => {
    await using server = await LocalServer.start("routed");
    const { client } = await server.connect({ perMessageDeflate: true });
    server.io.emit("a");
    server.io.emit("b");
    assert.deepEqual(await client.until(event("b")), [event("a"), event("b")]);
  });

  test("one of Engine.IO 3 over WebSocket gets texts and bytes as Socket.IO alone sends them", async () => {
    const [routed, stock] = await Promise.all(
      ways.map(async (way) => {
        await using server = await LocalServer.start(way, { allowEIO3: true });
        const { client, socket } = await server.connect({ version: 3 });
        server.io.emit("a", "é");
        server.io.emit("binary", Buffer.from([1, 2]));
        server.io.to(socket.id).emit("b");
        server.io.emit("end");
        return await client.until(event("end"));
      }),
    );
    assert.deepEqual(routed, stock);
    assert.equal(routed?.length, 5);
  });

  test("one over long-polling gets all of a turn, in order", async () => {
    await using server = await LocalServer.start("routed");
    const client = connectClient(`http://127.0.0.1:${server.port}`, { transports: ["polling"], forceNew: true });
    await new Promise<void>((resolve) => client.once("connect", resolve));
    const heard: unknown[] = [];
    client.onAny((...values) => heard.push(values));
    server.io.emit("a", 1);
    server.io.emit("binary", Buffer.from([1]));
    server.io.emit("end");
    await new Promise((resolve) => client.once("end", resolve));
    assert.deepEqual(heard, [["a", 1], ["binary", Buffer.from([1])], ["end"]]);
    client.disconnect();
  });
});

test("what goes to a connection that is closing is given up, as Socket.IO alone does", async () => {
  await using server = await LocalServer.start("routed");
  const { client, socket } = await server.connect();
  const connection = connectionOf(socket);
  socket.conn.close();
  server.io.emit("late");
  assert.equal(connection.writeBuffer?.length, 0);
  await client.closed;
  assert.deepEqual(client.received, []);
});
