/** The place where links are taken, on a real socket: whom it does not let in, it lets go of. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { LinkClosure } from "../../../src/protocol/link-closures.js";
import { LinkAcceptor } from "../../../src/router/region-link/link-acceptor.js";
import { createLinkProver } from "../../../src/router/region-link/link-prover.js";

const upgrade =
  "GET /signalbox/link HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

describe("the place where links are taken", { timeout: 20_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-acceptor-"));
  const path = join(directory, "link.sock");
  const refused: LinkClosure[] = [];
  let canAccept = true;
  const acceptor = createAcceptor();

  function createAcceptor(): LinkAcceptor {
    return new LinkAcceptor(
      {
        self: { region: "eu", hostKey: "eu-0", incarnation: "0.test" },
        findProver: () => createLinkProver(["a-secret-of-the-tests-that-is-long-enough"]),
        maxMessageBytes: 100_000,
        isCompressed: false,
        unreachableAfterMs: 3_000,
      },
      {
        canAccept: () => canAccept,
        onLinked: () => ({ onMessage: () => {}, onDrain: () => {}, onFault: () => {}, onClose: () => {} }),
        onRefused: (closure) => refused.push(closure),
      },
    );
  }

  before(async () => {
    await acceptor.listen({ path });
  });

  after(() => {
    acceptor.close();
    rmSync(directory, { recursive: true });
  });

  /** Keeps its own end open whatever the other does. */
  async function knock(): Promise<Socket> {
    const socket = connect({ path, allowHalfOpen: true });
    await once(socket, "connect");
    return socket;
  }

  /** Resolves when the other end is gone altogether: what is sent there has no reader. */
  async function untilGone(socket: Socket): Promise<void> {
    socket.resume();
    await once(socket, "end");
    const failed = once(socket, "error");
    const writing = setInterval(() => socket.write("still here"), 5);
    try {
      const [error] = (await failed) as [NodeJS.ErrnoException];
      assert.match(String(error.code), /EPIPE|ECONNRESET/);
    } finally {
      clearInterval(writing);
      socket.destroy();
    }
  }

  test("a link before the region is known is not let in, and its connection is not kept", async () => {
    canAccept = false;
    const socket = await knock();
    socket.write(`${upgrade}\r\n`);
    await untilGone(socket);
    canAccept = true;
  });

  test("nor is the connection of whoever has failed too often", async () => {
    const from = "X-Forwarded-For: 10.0.0.1\r\n\r\n";
    for (let failure = 0; failure < 10; failure++) {
      const socket = await knock();
      socket.write(`${upgrade.replace("Version: 13", "Version: 0")}${from}`);
      await untilGone(socket);
    }
    const socket = await knock();
    socket.write(`${upgrade}${from}`);
    await untilGone(socket);
    assert.equal(refused.at(-1), "tooMany");
  });

  test("a file that is no socket stays where it is", async () => {
    const file = join(directory, "notes.txt");
    writeFileSync(file, "of somebody");
    await assert.rejects(createAcceptor().listen({ path: file }), /exists and is not a socket/);
    assert.equal(readFileSync(file, "utf8"), "of somebody");
  });

  test("where another process takes links, no second one does", async () => {
    await assert.rejects(createAcceptor().listen({ path }), /another process listens/);
    const socket = await knock();
    socket.destroy();
  });
});
