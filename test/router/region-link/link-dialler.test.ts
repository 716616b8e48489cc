/** Who dials another region does not wear it out. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LinkAcceptor } from "../../../src/router/region-link/link-acceptor.js";
import { LinkDialler } from "../../../src/router/region-link/link-dialler.js";
import { createLinkProver } from "../../../src/router/region-link/link-prover.js";

test("links that end as soon as they are made are made less and less often", { timeout: 20_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-dialler-"));
  const path = join(directory, "link.sock");
  const shared = {
    findProver: () => createLinkProver(["a-secret-of-the-tests-that-is-long-enough"]),
    maxMessageBytes: 100_000,
    isCompressed: false,
    unreachableAfterMs: 3_000,
  };
  const acceptor = new LinkAcceptor(
    { ...shared, self: { region: "us", hostKey: "us-0", incarnation: "0.us" } },
    {
      canAccept: () => true,
      onLinked: (socket) => {
        socket.close("badMessage", "it is not understood");
        return { onMessage: () => {}, onDrain: () => {}, onFault: () => {}, onClose: () => {} };
      },
      onRefused: () => {},
    },
  );
  await acceptor.listen({ path });
  const linkedMs: number[] = [];
  let dialler: LinkDialler | undefined;
  try {
    await new Promise<void>((resolve) => {
      dialler = new LinkDialler(
        {
          ...shared,
          region: "us",
          url: `ws+unix:${path}:/signalbox/link`,
          self: { region: "eu", hostKey: "eu-0", incarnation: "0.eu" },
          tls: { ca: undefined, cert: undefined, key: undefined },
          // The longest delays: 50, 100, 200 and 400 ms.
          random: () => 1,
        },
        {
          onLinked: () => {
            linkedMs.push(performance.now());
            if (linkedMs.length === 5) resolve();
          },
          onMessage: () => {},
          onDrain: () => {},
          onFault: () => {},
          onLost: () => {},
          onFailed: () => {},
        },
      );
      dialler.open();
    });
    const [first = 0, , , fourth = 0, fifth = 0] = linkedMs;
    assert.ok(fifth - first >= 740, `five links in ${fifth - first} ms`);
    assert.ok(fifth - fourth >= 395, `the last of them after ${fifth - fourth} ms`);
  } finally {
    dialler?.close();
    acceptor.close();
    rmSync(directory, { recursive: true });
  }
});
