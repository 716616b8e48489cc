/** One host of a region, and only one, ranks first for a message; and each of them for about as many. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ranksFirst } from "../../../src/router/region-link/rendezvous.js";

const hosts = ["h001", "h002", "h003", "h004"];
const others = (own: string): string[] => hosts.filter((host) => host !== own);

test("exactly one host ranks first, whatever the message", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const message = Buffer.from(bytes);
      assert.equal(hosts.filter((host) => ranksFirst(host, others(host), message)).length, 1);
    }),
  );
});

test("each ranks first for about as many messages", () => {
  const counts = hosts.map((host) => {
    let count = 0;
    for (let number = 0; number < 4_000; number++)
      if (ranksFirst(host, others(host), Buffer.from(`message ${number}`))) count++;
    return count;
  });
  for (const count of counts) assert.ok(count > 800 && count < 1_200, counts.join());
});
