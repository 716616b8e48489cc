import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { planCloseTimes } from "../../src/worker/drain-plan.js";

test("each close is somewhere in its own part of the time", () => {
  assert.deepEqual(
    planCloseTimes(4, 1_000, 5_000, () => 0),
    [5_000, 5_250, 5_500, 5_750],
  );
  assert.deepEqual(
    planCloseTimes(2, 1_000, 0, () => 0.5),
    [250, 750],
  );
  assert.deepEqual(
    planCloseTimes(3, 0, 7, () => 0.9),
    [7, 7, 7],
  );
  assert.deepEqual(
    planCloseTimes(0, 1_000, 0, () => 0),
    [],
  );
});

test("in order, within the time, and in no second more than one beyond the mean", () => {
  const randomness = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(fc.nat(2_000), fc.integer({ min: 1_000, max: 60_000 }), randomness, (sessions, spreadMs, values) => {
      let draws = 0;
      const times = planCloseTimes(sessions, spreadMs, 100, () => values[draws++ % values.length] ?? 0);
      assert.equal(times.length, sessions);
      const mean = (sessions / spreadMs) * 1_000;
      let first = 0;
      for (const [index, atMs] of times.entries()) {
        assert.ok(atMs >= 100 && atMs <= 100.001 + spreadMs && atMs >= (times[index - 1] ?? 0));
        while (atMs - (times[first] ?? 0) >= 1_000) first++;
        // So many parts a second can touch; twice the mean, and less, as long as there are two or more.
        assert.ok(index - first + 1 <= Math.ceil(mean) + 1, `${index - first + 1} in a second, mean ${mean}`);
      }
    }),
  );
});
