/** Links on real sockets: what one end of the configuration cannot have is no reason to do without the other. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LinkCarrier } from "../../../src/router/region-link/link-carrier.js";
import { LinkHarness } from "../../support/link-harness.js";

test("a host whose place for links is taken dials the other regions", { timeout: 10_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-carrier-"));
  const [own, far] = [join(directory, "own.sock"), join(directory, "far.sock")];
  const squatter = createServer((socket) => socket.destroy()).listen(own);
  const other = createServer().listen(far);
  await Promise.all([once(squatter, "listening"), once(other, "listening")]);
  const carrier = new LinkCarrier(
    {
      region: "eu",
      links: [{ region: "us", url: `ws+unix:${far}:/signalbox/link` }],
      listen: { kind: "unix", path: own },
      secrets: ["a-secret-of-the-tests-that-is-long-enough"],
      ca: null,
      certificate: null,
      key: null,
      isCompressed: false,
      instance: "instance",
      maxOutboxBytes: 100_000,
      maxOutboxAgeMs: 60_000,
      unreachableAfterMs: 3_000,
      maxRooms: 100,
    },
    { knowsRegion: () => true, onNote: () => {} },
  );
  const dialled = once(other, "connection");
  try {
    const { links } = new LinkHarness();
    await assert.rejects(carrier.start(links, { hostKey: "eu-0", incarnation: "0.eu" }), /another process listens/);
    const [socket] = await dialled;
    socket.destroy();
    // It still listens where it did.
    assert.ok(squatter.listening);
  } finally {
    await carrier.leave(0);
    squatter.close();
    other.close();
    rmSync(directory, { recursive: true });
  }
});
