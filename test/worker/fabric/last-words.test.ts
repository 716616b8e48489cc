/** What an application says and ends its process in the same turn reaches its clients, if it does so with Socket.IO alone. */

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { RawClient, type Way } from "../../support/local-server.js";

const fixture = fileURLToPath(new URL("../../fixtures/exit-after-emit.ts", import.meta.url));

/** What a client gets of a server that ends like this. */
async function hearLastWords(way: Way): Promise<string[]> {
  const child = fork(fixture, [way], {
    execArgv: ["--import", "tsx"],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  try {
    const [port] = (await once(child, "message")) as [number];
    const client = new RawClient(port);
    await client.joined;
    client.webSocket.on("error", () => {});
    client.webSocket.send('42["end"]');
    await client.closed;
    return client.received;
  } finally {
    child.kill("SIGKILL");
  }
}

test("emits right before process.exit(), and one in a listener of the exit", async () => {
  const [routed, stock] = await Promise.all([hearLastWords("routed"), hearLastWords("stock")]);
  // Engine.IO alone writes one message at a time.
  assert.deepEqual(stock, ['42["bye",1]']);
  assert.deepEqual(routed, ['42["bye",1]', '42["bye",2]', '42["bye",3]']);
});
