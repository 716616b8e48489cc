/** How long until a Redis is tried again: doubling, bounded, with full jitter, and slowly after a refusal. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readRefusal } from "../../src/redis/refusal.js";
import { chooseRetryDelayMs } from "../../src/redis/retry-delay.js";

describe("the delay before a Redis is tried again", () => {
  for (const [attempt, limitMs] of [
    [0, 50],
    [1, 50],
    [2, 100],
    [3, 200],
    [6, 1_600],
    [7, 2_000],
    [100_000, 2_000],
  ] as const) {
    test(`attempt ${attempt}: anywhere below ${limitMs} ms`, () => {
      assert.equal(
        chooseRetryDelayMs(attempt, false, () => 0),
        0,
      );
      assert.equal(
        chooseRetryDelayMs(attempt, false, () => 1),
        limitMs,
      );
      assert.equal(
        chooseRetryDelayMs(attempt, false, () => 0.5),
        limitMs / 2,
      );
    });
  }

  test("after a refusal: 5 to 10 s, whatever the attempt", () => {
    for (const attempt of [1, 50]) {
      assert.equal(
        chooseRetryDelayMs(attempt, true, () => 0),
        5_000,
      );
      assert.equal(
        chooseRetryDelayMs(attempt, true, () => 1),
        10_000,
      );
    }
  });
});

describe("a refusal", () => {
  for (const [message, refusal] of [
    ["NOAUTH Authentication required.", "credentials"],
    ["WRONGPASS invalid username-password pair or user is disabled.", "credentials"],
    ["NOPERM this user has no permissions to run the 'ping' command", "permission"],
    ["LOADING Redis is loading the dataset in memory", undefined],
    ["READONLY You can't write against a read only replica.", undefined],
    ["connect ECONNREFUSED 127.0.0.1:6379", undefined],
    ["NOPERMISSION is another word", undefined],
    ["", undefined],
  ] as const) {
    test(`"${message}" is ${refusal ?? "none"}`, () => assert.equal(readRefusal(message), refusal));
  }
});
