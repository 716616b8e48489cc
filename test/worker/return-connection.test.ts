import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { unnamedPeer } from "../../src/protocol/peer.js";
import { returnConnection } from "../../src/worker/return-connection.js";

interface Sent {
  readonly message: unknown;
  readonly socket: Socket;
  readonly acknowledge: (error: Error | null) => void;
}

const head = "GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
const { send } = process;
let sent: Sent[];

beforeEach(() => {
  sent = [];
  process.send = ((message: unknown, socket: Socket, _options: object, acknowledge: Sent["acknowledge"]) => {
    sent.push({ message, socket, acknowledge });
    return true;
  }) as NonNullable<typeof process.send>;
});
afterEach(() => {
  if (send === undefined) Reflect.deleteProperty(process, "send");
  else process.send = send;
});

for (const error of [null, new Error("the channel is closed")]) {
  test(`an upgrade's connection is sent with all that was read, and closed here${error === null ? "" : "; a failure is told"}`, async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    let failures = 0;
    const upgraded = once(server, "upgrade") as Promise<[IncomingMessage, Socket, Buffer]>;
    const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    client.on("error", () => {});
    client.write(`${head}X-Signalbox-Peer: forged|1\r\n\r\nearly`);
    const [request, socket, early] = await upgraded;
    returnConnection(request, socket, early, unnamedPeer, () => failures++);
    assert.equal(sent.length, 1);
    assert.deepEqual(sent[0]?.message, {
      type: "signalbox:connection",
      received: Buffer.from(`${head}\r\nearly`),
      client: unnamedPeer,
    });
    assert.equal(sent[0].socket, socket);
    assert.equal((socket as unknown as { server: unknown }).server, null);
    assert.equal(socket.destroyed, false, "Node may not have taken its handle yet");
    const closed = once(socket, "close");
    sent[0].acknowledge(error);
    await closed;
    assert.equal(failures, error === null ? 0 : 1);
    client.destroy();
    server.close();
  });
}
