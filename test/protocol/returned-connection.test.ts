import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { unnamedPeer } from "../../src/protocol/peer.js";
import { parseReturnedConnection, type ReturnedConnection } from "../../src/protocol/returned-connection.js";

const received = Buffer.from("GET / HTTP/1.1\r\n\r\n");

for (const client of [undefined, unnamedPeer, { address: "192.0.2.1", port: 7 }] as const) {
  test(`a connection of ${JSON.stringify(client) ?? "nobody named"} keeps all that it came with`, () => {
    const message: ReturnedConnection = { type: "signalbox:connection", received, client };
    assert.deepEqual(parseReturnedConnection(structuredClone(message)), message);
  });
}

test("nothing else is one", () => {
  const type = "signalbox:connection";
  for (const raw of [undefined, null, 1, "signalbox:connection", {}, { type }, { type, received: "GET" }])
    assert.equal(parseReturnedConnection(raw), undefined);
  assert.equal(parseReturnedConnection({ type: "signalbox:ready", received }), undefined);
  assert.equal(parseReturnedConnection({ type, received, client: { address: 1 } })?.client, undefined);
  fc.assert(fc.property(fc.anything(), (raw) => assert.equal(parseReturnedConnection(raw), undefined)));
});
