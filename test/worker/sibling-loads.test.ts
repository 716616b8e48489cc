import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SiblingLoads } from "../../src/worker/sibling-loads.js";

describe("what a worker takes its siblings' loads to be", () => {
  test("is what the news say, without forwards", () => {
    assert.equal(new SiblingLoads().estimate(1, 7, 0), 7);
  });

  test("counts the handshakes just sent there, by sibling", () => {
    const loads = new SiblingLoads();
    loads.noteForward(1, 100);
    loads.noteForward(1, 100);
    loads.noteForward(2, 110);
    assert.deepEqual(
      [1, 2, 3].map((slot) => loads.estimate(slot, 5, 120)),
      [7, 6, 5],
    );
  });

  test("an unanswered forward is given up after a second", () => {
    const loads = new SiblingLoads();
    for (const atMs of [1_000, 1_100, 1_200]) loads.noteForward(1, atMs);
    const estimates = [1_200, 2_000, 2_001, 2_101, 2_201].map((nowMs) => loads.estimate(1, 0, nowMs));
    assert.deepEqual(estimates, [3, 3, 2, 1, 0]);
  });

  test("an answer says the load, and its forward is in it", () => {
    const loads = new SiblingLoads();
    loads.noteForward(1, 0);
    loads.noteForward(1, 1);
    loads.noteAnswer(1, 4, 10);
    assert.equal(loads.estimate(1, 0, 11), 5);
  });

  test("news count again when they can contain the answer", () => {
    const loads = new SiblingLoads();
    loads.noteForward(1, 0);
    loads.noteAnswer(1, 4, 10);
    loads.noteNews(100);
    assert.equal(loads.estimate(1, 0, 101), 4);
    loads.noteNews(160);
    assert.equal(loads.estimate(1, 6, 161), 6);
  });

  test("without news an answer holds for a second", () => {
    const loads = new SiblingLoads();
    loads.noteAnswer(1, 4, 10);
    assert.equal(loads.estimate(1, 2, 1_010), 4);
    assert.equal(loads.estimate(1, 2, 1_011), 2);
  });
});
