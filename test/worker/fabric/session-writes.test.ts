/** A session says when it has something to write, whatever happened while its last write was under way. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeBroadcast } from "../../support/fabric-frames.js";
import { createEndpoint, ownPlace, SessionHarness } from "../../support/session-harness.js";

const message = encodeBroadcast({ rooms: ["room"], body: "hello" });

describe("a session while a write is under way", () => {
  test("it is woken for nothing in between: the next message wakes it", () => {
    const harness = new SessionHarness();
    harness.session.connected(ownPlace);
    const introduction = harness.session.takeWrites();
    // The router's welcome wakes the process, which is still writing and has nothing more to write then.
    harness.hear({ type: "welcome", version: 1, incarnation: "router-1" });
    harness.session.written(introduction);
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
