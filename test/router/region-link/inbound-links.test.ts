/** What comes over a link: when it is acknowledged, and what is remembered of who sends. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { requests } from "../../../src/protocol/exchange-frames.js";
import { encodeBroadcast, encodeRequest } from "../../support/fabric-frames.js";
import { LinkHarness } from "../../support/link-harness.js";

const message = encodeBroadcast({ body: "hello" });

test("a worker that does not answer is not waited for: its region's other workers would get nothing more", () => {
  const harness = new LinkHarness();
  const { router } = harness;
  const [reading, hanging] = [router.join("hostAA"), router.join("hostAB")];
  for (const worker of [reading, hanging]) worker.read();
  const link = harness.accept("us", "us-0");
  for (let tick = 0; tick < 6; tick++) {
    router.tick(500);
    for (const { token } of reading.readNews("ping")) reading.say({ type: "pong", token });
    if (tick === 0) {
      hanging.read();
      harness.send(link, message);
      reading.read();
      assert.equal(harness.readAcked(link) ?? 0, 0);
    }
  }
  assert.equal(router.notesOf("stalled").length, 1);
  assert.equal(harness.readAcked(link), 1);
  harness.send(link, message);
  reading.read();
  assert.equal(harness.readAcked(link), 2);
});

test("of routers that have gone the last 4,096 are remembered, whoever else is linked", () => {
  const harness = new LinkHarness();
  const worker = harness.router.join("hostAA");
  worker.read();
  harness.accept("us", "us-0");
  const [early, late] = [harness.accept("us", "us-1"), harness.accept("us", "us-2")];
  for (const link of [early, late]) harness.send(link, message);
  harness.close(early);
  for (let count = 0; count < 4_095; count++) harness.close(harness.accept("us", "us-9", `${count}.other`));
  harness.close(late);
  harness.accept("us", "us-9", "0.one-more");
  assert.equal(worker.readBodies().length, 2);
  for (const { region, incarnation } of [early, late]) {
    const link = harness.accept(region, "us-1", incarnation);
    harness.sendAgain(link, message);
  }
  assert.equal(worker.readBodies().length, 1);
});

test("a broadcast with acknowledgements is not acknowledged on the link before the workers have it, like any other", () => {
  const harness = new LinkHarness();
  const worker = harness.router.join("hostAA");
  worker.read();
  const link = harness.accept("us", "us-0");
  harness.send(link, encodeRequest(`us-0AA${"u".repeat(14)}`, 1, { type: requests.broadcast }));
  assert.equal(harness.readAcked(link) ?? 0, 0);
  assert.equal(worker.readBodies().length, 1);
  assert.equal(harness.readAcked(link), 1);
});
