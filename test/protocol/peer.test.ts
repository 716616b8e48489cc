import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePeer } from "../../src/protocol/peer.js";

test("a peer is taken as it is, and nothing else is one", () => {
  assert.deepEqual(parsePeer({ address: "192.0.2.7", port: 80, more: true }), { address: "192.0.2.7", port: 80 });
  for (const raw of [undefined, null, "192.0.2.7", {}, { address: "192.0.2.7" }, { address: 1, port: 80 }]) {
    assert.equal(parsePeer(raw), undefined);
  }
});
