import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentForwards } from "../../src/worker/recent-forwards.js";

test("nothing was sent to a sibling that was never noted", () => {
  assert.equal(new RecentForwards().count(1, 0), 0);
});

test("forwards are counted by sibling", () => {
  const recent = new RecentForwards();
  recent.note(1, 100);
  recent.note(1, 100);
  recent.note(2, 110);
  assert.equal(recent.count(1, 120), 2);
  assert.equal(recent.count(2, 120), 1);
  assert.equal(recent.count(3, 120), 0);
});

test("each is forgotten 300 ms after it was sent", () => {
  const recent = new RecentForwards();
  for (const atMs of [1_000, 1_100, 1_200]) recent.note(1, atMs);
  const counts = [1_200, 1_300, 1_301, 1_401, 1_500, 1_501].map((nowMs) => recent.count(1, nowMs));
  assert.deepEqual(counts, [3, 3, 2, 1, 1, 0]);
});

test("a sibling that was forgotten is counted anew", () => {
  const recent = new RecentForwards();
  recent.note(1, 0);
  assert.equal(recent.count(1, 1_000), 0);
  recent.note(1, 1_000);
  assert.equal(recent.count(1, 1_000), 1);
});
