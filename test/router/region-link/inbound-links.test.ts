/** What comes over a link: when it is acknowledged, and what is remembered of who sends. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeBroadcast } from "../../support/fabric-frames.js";
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
