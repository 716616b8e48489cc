/** A session says when it has something to write, whatever happened while its last write was under way. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeBroadcast } from "../../support/fabric-frames.js";
import { createEndpoint, SessionHarness } from "../../support/session-harness.js";

const message = encodeBroadcast({ rooms: ["room"], body: "hello" });

describe("a session that has nothing to write", () => {
  test("it wakes nobody: a process that finds nothing would not be woken again", () => {
    const harness = new SessionHarness();
    harness.session.add(createEndpoint("/"));
    harness.connect();
    const wakesBefore = harness.wakes;
    harness.hear({ type: "lost", frames: 3, joinsSent: 0 });
    harness.hear({ type: "welcome", version: 1, incarnation: "router-1" });
    assert.equal(harness.wakes, wakesBefore);
    harness.session.send(message);
    assert.equal(harness.wakes, wakesBefore + 1);
  });
});

describe("a session while a write is under way", () => {
  test("what comes up is written with the next write: the one after that wakes the process again", () => {
    const harness = new SessionHarness();
    harness.connect();
    harness.session.send(message);
    const first = harness.session.takeWrites();
    harness.session.send(message);
    harness.session.written(first);
    assert.deepEqual(harness.read(), [{ type: "broadcast" }]);
    assert.equal(harness.session.hasWrites, false);
    const wakesBefore = harness.wakes;
    harness.session.send(message);
    assert.equal(harness.wakes, wakesBefore + 1);
    assert.deepEqual(harness.read(), [{ type: "broadcast" }]);
  });

  test("its outbox overflows in between: it has something to write, namely how much was lost, and sends again after that", () => {
    const harness = new SessionHarness({ outbox: { maxBytes: 2 * message.length, maxVolatileBytes: 0 } });
    harness.session.add(createEndpoint("/"));
    harness.connect();
    harness.session.send(message);
    const first = harness.session.takeWrites();
    assert.deepEqual(
      [1, 2, 3].map(() => harness.session.send(message)),
      ["queued", "queued", "lost"],
    );
    assert.equal(harness.session.send(message), "lost", "nothing is kept before the loss is told");
    harness.session.written(first);
    assert.equal(harness.session.hasWrites, true);
    assert.deepEqual(harness.read(), [{ type: "unsent", frames: 4 }]);
    assert.equal(harness.session.send(message), "queued");
    assert.deepEqual(harness.read(), [{ type: "broadcast" }]);
    assert.equal(harness.session.counters.unsentFrames, 4);
  });
});
