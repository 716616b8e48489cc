/** Turns of reading, with real sockets: one that has much to say does not keep another waiting. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ReadTurns } from "../../src/router/read-turns.js";

/** More than a turn may take. */
const workMs = 15;
/** What the kernel keeps of a Unix socket is read in three or four pieces. */
const longBytes = 1_000_000;

function work(): void {
  const endMs = performance.now() + workMs;
  while (performance.now() < endMs);
}

test("who says little is read before the rest of who says much, and all of that is read", {
  timeout: 30_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-turns-"));
  const turns = new ReadTurns();
  const order: string[] = [];
  let readBytes = 0;
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("data", (chunk) => {
      turns.begin();
      order.push(chunk.length === 1 ? "short" : "long");
      readBytes += chunk.length;
      if (chunk.length > 1) work();
      turns.end(socket);
    });
  });
  try {
    const path = join(directory, "socket");
    server.listen({ path });
    await once(server, "listening");
    const long = connect(path);
    await once(long, "connect");
    const short = connect(path);
    await once(short, "connect");
    while (sockets.length < 2) await once(server, "connection");
    const ended = once(sockets[0] as Socket, "end");
    // The kernel has both before either is read.
    long.end(Buffer.alloc(longBytes));
    short.write("x");
    await ended;
    assert.equal(readBytes, longBytes + 1);
    assert.ok(order.indexOf("short") <= 1, order.join(" "));
    short.destroy();
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(directory, { recursive: true });
  }
});
