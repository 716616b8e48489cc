import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { resumeReading, stopReading } from "../src/socket-reading.js";

/** What the kernel would have handed over long before: several turns of the event loop on one machine. */
const settleMs = 50;

test("a socket that was told to stop in its data listener reads no byte more until it is resumed", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const accepted = once(server, "connection");
  const client = connect(address.port, "127.0.0.1");
  const [socket] = (await accepted) as [Socket];
  const stopped = new Promise<void>((resolve) => {
    socket.once("data", () => {
      stopReading(socket);
      resolve();
    });
  });
  client.write("first");
  await stopped;
  client.write("second");
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  assert.equal(socket.bytesRead, "first".length, "the second chunk was taken out of the kernel");
  assert.equal(socket.readableLength, 0);

  const next = once(socket, "data");
  resumeReading(socket);
  socket.resume();
  assert.equal(String((await next)[0]), "second");
  client.destroy();
  socket.destroy();
  server.close();
});
