import assert from "node:assert/strict";
import { test } from "node:test";
import { SilenceCounter } from "../../src/primary/silence-watch.js";

/** Looks, one a second, until it has been silent for too long; at most so many. */
function countLooks(heard: (look: number) => number, isInspected: (look: number) => boolean = () => false): number {
  const counter = new SilenceCounter(3_000);
  const most = 100;
  for (let look = 1; look <= most; look++) {
    if (counter.look({ lastHeardMs: heard(look), isInspected: isInspected(look) })) return look;
  }
  return most;
}

test("silence counts from the first look that heard nothing new, for the limit and a margin", () => {
  assert.equal(
    countLooks(() => 7),
    1 + 3 + 5,
  );
  assert.equal(
    countLooks((look) => Math.min(look, 10)),
    10 + 3 + 5,
  );
});

test("a worker that says something now and then is never silent for too long", () => {
  assert.equal(
    countLooks((look) => Math.floor(look / 8)),
    100,
  );
});

test("nothing counts while a debugger may have stopped the worker", () => {
  assert.equal(
    countLooks(
      () => 7,
      () => true,
    ),
    100,
  );
  assert.equal(
    countLooks(
      () => 7,
      (look) => look <= 20,
    ),
    20 + 3 + 5,
  );
});
