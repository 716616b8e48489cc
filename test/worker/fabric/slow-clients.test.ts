/** A client that does not read: what it gets of a turn waits with Engine.IO and the kernel, as it does with Socket.IO alone. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { connectionOf, LocalServer, type Pair, tcpSocketOf, turn, type Way, ways } from "../../support/local-server.js";

const megabyte = "x".repeat(1024 * 1024);
/** More than the kernel takes in for a connection that is not read. */
const tooMuch = 12;

/** A message, without the megabyte that it may carry. */
function nameOf(packet: string): string {
  const [name, number] = JSON.parse(packet.slice(2)) as [string, unknown];
  return typeof number === "number" ? `${name} ${number}` : name;
}

async function startSlowClient(way: Way): Promise<Pair & { readonly server: LocalServer }> {
  const server = await LocalServer.start(way, { maxHttpBufferSize: 1e8 });
  const pair = await server.connect();
  pair.client.pause();
  return { server, ...pair };
}

/** Reads again, and resolves with the names of all that came. */
async function readOn({ client, socket }: Pair): Promise<string[]> {
  client.resume();
  const raw = tcpSocketOf(socket);
  while (raw.writableLength > 0 || (connectionOf(socket).writeBuffer?.length ?? 0) > 0) await once(client, "received");
  socket.emit("end");
  return (await client.until('42["end"]')).map(nameOf);
}

describe("a client that does not read", () => {
  test("gets everything in order when it reads again, whether it came in one turn or in many", async () => {
    const { server, ...pair } = await startSlowClient("routed");
    await using _ = server;
    const { io } = server;
    const names: string[] = [];
    const say = (number: number): void => {
      names.push(`all ${number}`, `one ${number}`);
      io.emit("all", number, megabyte);
      pair.socket.emit("one", number);
    };
    for (let number = 0; number < tooMuch / 2; number++) say(number);
    for (let number = 0; number < tooMuch / 2; number++) {
      await turn();
      say(number);
    }
    assert.ok(tcpSocketOf(pair.socket).writableLength > 0, "the kernel's buffer is not full");
    assert.ok((connectionOf(pair.socket).writeBuffer?.length ?? 0) > 2, "what comes later waits with Engine.IO");
    assert.deepEqual(await readOn(pair), [...names, "end"]);
  });

  test("leaves nothing in memory when it has read all", async () => {
    const { server, ...pair } = await startSlowClient("routed");
    await using _ = server;
    for (let number = 0; number < tooMuch; number++) server.io.emit("all", number, megabyte);
    await turn();
    assert.ok(tcpSocketOf(pair.socket).writableLength > 1024 * 1024);
    await readOn(pair);
    const connection = connectionOf(pair.socket);
    assert.deepEqual([tcpSocketOf(pair.socket).writableLength, connection.writeBuffer?.length], [0, 0]);
  });

  test("leaves nothing in memory when it goes without having read", async () => {
    const { server, client, socket } = await startSlowClient("routed");
    await using _ = server;
    const raw = tcpSocketOf(socket);
    const connection = connectionOf(socket);
    for (let number = 0; number < tooMuch; number++) {
      server.io.emit("all", number, megabyte);
      if (number % 5 === 0) await turn();
    }
    const gone = once(socket, "disconnect");
    client.webSocket.terminate();
    await gone;
    server.io.emit("all", "after the end");
    await turn();
    assert.deepEqual([raw.destroyed, connection.writeBuffer?.length], [true, 0]);
  });

  test("does not hold up the others", async () => {
    const { server, socket } = await startSlowClient("routed");
    await using _ = server;
    const quick = await server.connect();
    for (let number = 0; number < tooMuch; number++) {
      server.io.emit("all", number, megabyte);
      await turn();
    }
    assert.ok((connectionOf(socket).writeBuffer?.length ?? 0) > 2, "what comes later waits with Engine.IO");
    server.io.emit("last");
    assert.equal((await quick.client.until('42["last"]')).length, tooMuch + 1);
  });
});

/** What comes of a sequence of turns for a client that does not read until all is said. */
async function runSlowly(
  way: Way,
  run: (server: LocalServer, pair: Pair) => Promise<void>,
): Promise<{ readonly names: string[]; readonly way: Way }> {
  const { server, ...pair } = await startSlowClient(way);
  await using _ = server;
  await run(server, pair);
  await turn();
  return { way, names: await readOn(pair) };
}

describe("volatile messages to a client that does not read are dropped as Socket.IO alone drops them", () => {
  const bursts: readonly [string, (server: LocalServer) => Promise<void>][] = [
    [
      "after one turn with too much",
      async ({ io }) => {
        for (let number = 0; number < tooMuch; number++) io.emit("all", number, megabyte);
        await turn();
      },
    ],
    [
      "after many turns",
      async ({ io }) => {
        for (let number = 0; number < tooMuch; number++) {
          io.emit("all", number, megabyte);
          await turn();
        }
      },
    ],
  ];
  for (const [title, burst] of bursts) {
    test(title, async () => {
      const outcomes = await Promise.all(
        ways.map((way) =>
          runSlowly(way, async (server, { socket }) => {
            await burst(server);
            for (let number = 0; number < 5; number++) {
              server.io.volatile.emit("volatile", number);
              server.io.to(socket.id).volatile.emit("volatile", number);
              if (number === 3) server.io.emit("kept", number);
              await turn();
            }
          }),
        ),
      );
      for (const { way, names } of outcomes) {
        assert.deepEqual(names.slice(-2), ["kept 3", "end"], way);
        assert.equal(names.length, tooMuch + 2, way);
      }
    });
  }
});
