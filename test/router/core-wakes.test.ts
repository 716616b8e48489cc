/** The core wakes the process for something to write, and only for that. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { frameFlags } from "../../src/protocol/frame.js";
import { encodeBroadcast } from "../support/fabric-frames.js";
import { RouterHarness } from "../support/router-harness.js";

describe("a worker's connection while a write to it is under way", () => {
  test("a volatile message that is dropped wakes nobody: the next one that is not does", () => {
    const harness = new RouterHarness({ outbox: { maxBytes: 1024 * 1024, maxVolatileBytes: 100 } });
    const sender = harness.join("hostAA");
    const receiver = harness.join("hostAB");
    receiver.read();
    // More than one write takes: the rest waits for the end of it.
    for (let index = 0; index < 6; index++) sender.send(encodeBroadcast({ body: "x".repeat(60_000) }));
    const blocks = harness.core.takeWrites(receiver.id);
    const wakesBefore = harness.wakes.filter((id) => id === receiver.id).length;
    sender.send(encodeBroadcast({ flags: frameFlags.volatile, body: "x".repeat(200) }));
    assert.equal(harness.core.counters.droppedVolatile, 1);
    assert.equal(harness.wakes.filter((id) => id === receiver.id).length, wakesBefore);
    harness.core.written(receiver.id, blocks);
    assert.equal(harness.core.hasWrites(receiver.id), true);
  });
});
