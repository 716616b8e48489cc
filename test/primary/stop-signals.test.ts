import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readStopSignal, type StopSignalMeaning } from "../../src/primary/stop-signals.js";

describe("a stop signal means", () => {
  const cases: [string, number | undefined, number, StopSignalMeaning][] = [
    ["stop, when it is the first", undefined, 5_000, "stop"],
    ["stop, when it is the first and time begins", undefined, 0, "stop"],
    ["nothing 1 ms after the first: npm passes Ctrl-C on", 5_000, 5_001, "ignore"],
    ["nothing in the same millisecond", 5_000, 5_000, "ignore"],
    ["nothing just before a second has passed", 5_000, 5_999, "ignore"],
    ["the end at once after a second", 5_000, 6_000, "exit-at-once"],
    ["the end at once at any later time", 5_000, 60_000, "exit-at-once"],
    ["nothing soon after a first at time 0", 0, 1, "ignore"],
  ];
  for (const [what, firstSignalMs, nowMs, meaning] of cases) {
    test(what, () => assert.equal(readStopSignal(firstSignalMs, nowMs), meaning));
  }
});
