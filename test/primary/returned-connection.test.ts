import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { takeReturnedConnection } from "../../src/primary/returned-connection.js";
import { unnamedPeer } from "../../src/protocol/peer.js";

async function acceptOne(run: (socket: Socket, client: Socket) => Promise<void>): Promise<void> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.on("error", () => {});
  const [socket] = await accepted;
  try {
    await run(socket, client);
  } finally {
    client.destroy();
    server.close();
  }
}

const head = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\n";
const returned = { type: "signalbox:connection", client: unnamedPeer };

for (const [what, message] of [
  ["of the application's own", { type: "mine" }],
  ["that is nothing", undefined],
  ["without what was read", { ...returned, received: "text" }],
  ["whose request does not end", { ...returned, received: Buffer.from(head) }],
] as const) {
  test(`a socket with a message ${what} is closed, and its errors end nobody`, async () => {
    await acceptOne(async (socket, client) => {
      const closed = once(client, "close");
      assert.equal(takeReturnedConnection(message, socket), undefined);
      socket.emit("error", new Error("reset"));
      await closed;
    });
  });
}

test("an upgrade's connection is taken in with all that was read, and a reset of it ends nobody", async () => {
  await acceptOne(async (socket) => {
    const received = Buffer.from(`${head}\r\nearly`);
    const connection = takeReturnedConnection({ ...returned, received }, socket);
    assert.equal(connection?.socket, socket);
    assert.deepEqual([connection.received, connection.isReturned, connection.client], [received, true, unnamedPeer]);
    socket.emit("error", new Error("reset"));
    assert.ok(socket.destroyed);
  });
});
