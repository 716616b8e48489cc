/** Sessions of a real Socket.IO server have the address of their client, whichever protocol version they speak. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Server, type Socket } from "socket.io";
import { TrustedProxies } from "../../src/address/trusted-proxies.js";
import { nameClients } from "../../src/worker/name-clients.js";
import { fetchText } from "../support/host.js";

for (const version of [3, 4]) {
  test(`Engine.IO ${version}: conn.remoteAddress and handshake.address`, async () => {
    const httpServer = createServer();
    const io = new Server(httpServer, { allowEIO3: true, serveClient: false });
    const seen: unknown[] = [];
    // Earlier than ours, as an application's may be.
    io.engine.on("connection", (session: { remoteAddress: string }) => seen.push(session.remoteAddress));
    nameClients(io, new TrustedProxies(["loopback"], false));
    httpServer.listen(0, "127.0.0.1");
    await once(httpServer, "listening");
    try {
      const path = `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}/socket.io/?EIO=${version}&transport=polling`;
      const connected = once(io, "connection") as Promise<[Socket]>;
      const { body } = await fetchText(path, { headers: { "X-Forwarded-For": "203.0.113.1, 192.0.2.7" } });
      const sid = /"sid":"([^"]+)"/.exec(body)?.[1] ?? "";
      if (version === 4) await fetchText(`${path}&sid=${sid}`, { method: "POST", body: "40" });
      const [socket] = await connected;
      assert.equal(socket.handshake.address, "192.0.2.7");
      assert.deepEqual(seen, ["192.0.2.7"]);
      assert.equal(socket.request.socket.remoteAddress, "127.0.0.1", "the connection may be shared");
    } finally {
      await io.close();
    }
  });
}
