/** What is said at the start about links that others on the way could read. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Logger } from "../../src/logging.js";
import { warnOfPlainLinks } from "../../src/primary/far-sides.js";
import type { RouterLinksInit } from "../../src/protocol/router-messages.js";

function countWarnings(url: string): number {
  let count = 0;
  const log = { warn: () => count++ } as unknown as Logger;
  warnOfPlainLinks({ links: [{ region: "us", url }] } as unknown as RouterLinksInit, log);
  return count;
}

for (const url of [
  "ws://us.example.com/",
  "WS://us.example.com",
  "ws://127.example.com",
  "ws://localhost.example.com:1",
]) {
  test(`${url} is warned of`, () => assert.equal(countWarnings(url), 1));
}

for (const url of [
  "wss://us.example.com",
  "ws://localhost:1/",
  "ws://127.0.0.2",
  "ws://[::1]:1",
  "ws+unix:/run/us.sock:/",
]) {
  test(`${url} is not`, () => assert.equal(countWarnings(url), 0));
}
