/** The private faces of engine.io and ws that broadcasts use: that they are there, and that nothing is lost where one is not. */

import assert from "node:assert/strict";
import { Socket as TcpSocket } from "node:net";
import { describe, test } from "node:test";
import type { Socket } from "socket.io";
import { encodeWebSocketText } from "../../../src/protocol/broadcast-body.js";
import type { EngineConnection } from "../../../src/worker/fabric/client-writes.js";
import { connectionOf, countWrites, LocalServer, tcpSocketOf } from "../../support/local-server.js";

/** Face by face, what must be true of the connection of a client over WebSocket. */
const faces: Record<string, (connection: EngineConnection) => boolean> = {
  "engine.io, Socket: readyState": ({ readyState }) => readyState === "open",
  "engine.io, Socket: writeBuffer": ({ writeBuffer }) => Array.isArray(writeBuffer) && writeBuffer.length === 0,
  "engine.io, Socket: write": ({ write }) => typeof write === "function",
  "engine.io, Socket: listenerCount": ({ listenerCount }) => typeof listenerCount === "function",
  "engine.io, Transport: writable": ({ transport }) => transport.writable === true,
  "engine.io, WebSocket: _canSendPreEncodedFrame": ({ transport }) =>
    typeof transport._canSendPreEncodedFrame === "function",
  "ws, WebSocket: _socket, that of node:net": ({ transport }) => transport.socket?._socket instanceof TcpSocket,
  "ws, WebSocket: _sender": ({ transport }) => typeof transport.socket?._sender === "object",
  "ws, Sender: sendFrame": ({ transport }) => typeof transport.socket?._sender?.sendFrame === "function",
  "node:net, Socket: writableCorked": ({ transport }) => transport.socket?._socket?.writableCorked === 0,
  "node:net, Socket: writableLength": ({ transport }) => transport.socket?._socket?.writableLength === 0,
};

describe("the installed engine.io and ws have", () => {
  for (const [face, isThere] of Object.entries(faces)) {
    test(face, async () => {
      await using server = await LocalServer.start("routed");
      const { socket } = await server.connect();
      assert.ok(isThere(connectionOf(socket)), `${face} is not what it was`);
    });
  }

  test("engine.io, WebSocket: wsPreEncodedFrame of a packet's options, which is written in place of its data", async () => {
    await using server = await LocalServer.start("routed");
    const { client, socket } = await server.connect();
    const frame = encodeWebSocketText('2["frame"]');
    const options = { preEncoded: true, volatile: undefined, compress: undefined, wsPreEncodedFrame: [frame] } as const;
    assert.equal(connectionOf(socket).transport._canSendPreEncodedFrame?.({ options }), true);
    connectionOf(socket).write('2["data"]', options);
    assert.deepEqual(await client.until('42["frame"]'), ['42["frame"]']);
  });

  test("engine.io, WebSocket: no finished frames on connections whose messages are compressed", async () => {
    await using server = await LocalServer.start("routed", { perMessageDeflate: true });
    const { socket } = await server.connect();
    const options = { preEncoded: true, volatile: undefined, compress: undefined, wsPreEncodedFrame: [] } as const;
    assert.equal(connectionOf(socket).transport._canSendPreEncodedFrame?.({ options }), false);
  });

  test("engine.io, Socket: the events packetCreate, flush and drain, of which nobody listens to one unasked", async () => {
    await using server = await LocalServer.start("stock");
    const { socket } = await server.connect();
    for (const event of ["packetCreate", "flush", "drain"]) assert.equal(connectionOf(socket).listenerCount(event), 0);
    const seen: string[] = [];
    for (const event of ["packetCreate", "flush", "drain"]) socket.conn.on(event as "drain", () => seen.push(event));
    socket.emit("n");
    assert.deepEqual(seen, ["packetCreate", "flush", "drain"]);
  });
});

/** The same object without one of its members; `path` leads there. */
function without(target: object, path: readonly string[]): object {
  const [first, ...rest] = path;
  return new Proxy(target, {
    get: (_, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (name === first) return rest.length === 0 ? undefined : without(value as object, rest);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** What broadcasts see of a client from now on is without that member; Socket.IO and Engine.IO see it still. */
function hideFromBroadcasts(socket: Socket, path: string): void {
  Object.assign(socket, { client: without(socket.client, ["conn", ...path.split(".")]) });
}

const members = [
  "readyState",
  "writeBuffer",
  "transport._canSendPreEncodedFrame",
  "transport.socket",
  "transport.socket._socket",
  "transport.socket._sender",
  "transport.socket._socket.writableCorked",
  "transport.socket._socket.writableLength",
];

describe("messages take the ordinary way and arrive where there is no", () => {
  for (const member of members) {
    test(member, async () => {
      await using server = await LocalServer.start("routed");
      const { client, socket } = await server.connect();
      hideFromBroadcasts(socket, member);
      server.io.emit("a", "é");
      server.io.emit("binary", Buffer.from([1]));
      socket.emit("b");
      server.io.emit("c");
      const binary = ['451-["binary",{"_placeholder":true,"num":0}]', "01"];
      assert.deepEqual(await client.until('42["c"]'), ['42["a","é"]', ...binary, '42["b"]', '42["c"]']);
    });
  }
});

test("where all of them are there, Engine.IO is passed by", async () => {
  await using server = await LocalServer.start("routed");
  const { client, socket } = await server.connect();
  const writes = countWrites(tcpSocketOf(socket));
  const { write } = connectionOf(socket);
  let calls = 0;
  Object.assign(connectionOf(socket), {
    write: (...values: Parameters<typeof write>) => {
      calls++;
      return write.apply(connectionOf(socket), values);
    },
  });
  server.io.emit("a");
  server.io.emit("b");
  await client.until('42["b"]');
  assert.deepEqual([calls, writes.count], [0, 1]);
});
