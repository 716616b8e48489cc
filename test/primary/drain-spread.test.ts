import assert from "node:assert/strict";
import { test } from "node:test";
import { planSpreadMs } from "../../src/primary/drain-spread.js";

test("a stop closes few sessions soon, a reload takes a moment for them, and many take most of the time", () => {
  for (const [sessions, drainMs, stop, reload] of [
    [0, 10_000, 0, 0],
    [1, 10_000, 5, 2_000],
    [1, 1_000, 5, 800],
    [200, 10_000, 1_000, 2_000],
    [1_000, 10_000, 5_000, 5_000],
    [100_000, 10_000, 8_000, 8_000],
    [100_000, 0, 0, 0],
  ] as const) {
    assert.equal(planSpreadMs(sessions, drainMs, "stop"), stop);
    assert.equal(planSpreadMs(sessions, drainMs, "reload"), reload);
  }
});
