/** What a link's dialler masks: what a proxy could read, and nothing else. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { WebSocketServer } from "ws";
import { LinkDialler } from "../../../src/router/region-link/link-dialler.js";
import { createLinkProver } from "../../../src/router/region-link/link-prover.js";

/** RFC 6455, 5.2: two bytes come before the mask of a short message. */
const maskAt = 2;
const maxShortBytes = 125;

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "sbx-masks-"));
});
after(() => rmSync(directory, { recursive: true, force: true }));

/** The mask of the first message that a dialler sends to this place. */
async function readMask(place: string | number): Promise<Buffer> {
  const server = createServer();
  const webSockets = new WebSocketServer({ noServer: true });
  const head = new Promise<Buffer>((resolve) => {
    server.on("upgrade", (request, socket, rest) => {
      socket.prependOnceListener("data", resolve);
      webSockets.handleUpgrade(request, socket as Socket, rest, () => {});
    });
  });
  server.listen(place);
  await once(server, "listening");
  const url =
    typeof place === "string" ? `ws+unix:${place}:/link` : `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const dialler = new LinkDialler(
    {
      region: "us",
      url,
      self: { region: "eu", hostKey: "aaaa", incarnation: "0.a" },
      findProver: () => createLinkProver(["a secret that is long enough to be one"]),
      maxMessageBytes: 1_000,
      isCompressed: false,
      unreachableAfterMs: 3_000,
      tls: { ca: undefined, cert: undefined, key: undefined },
      random: Math.random,
    },
    {
      onLinked: () => {},
      onMessage: () => {},
      onDrain: () => {},
      onFault: () => {},
      onLost: () => {},
      onFailed: () => {},
    },
  );
  dialler.open();
  try {
    const bytes = await head;
    // The highest bit says that there is a mask, as clients have to have.
    assert.ok(((bytes[1] as number) ^ 0x80) <= maxShortBytes);
    return bytes.subarray(maskAt, maskAt + 4);
  } finally {
    dialler.close();
    for (const webSocket of webSockets.clients) webSocket.terminate();
    server.closeAllConnections();
    server.close();
  }
}

describe("the masks of a link", () => {
  test("are zeros over a Unix socket", async () => {
    assert.deepEqual([...(await readMask(join(directory, "link.sock")))], [0, 0, 0, 0]);
  });

  test("are random over a plain connection", async () => {
    const masks = [await readMask(0), await readMask(0)];
    assert.notDeepEqual(masks[0], masks[1]);
    // One of 2^32 is all zeros.
    assert.ok(masks.some((mask) => mask.some((byte) => byte !== 0)));
  });
});
