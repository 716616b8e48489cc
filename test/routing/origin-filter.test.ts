/** What comes twice is dropped, by origin and number; and memory is bounded. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OriginFilter } from "../../src/routing/origin-filter.js";

test("each number of an origin is new once, and none that is below one that has come", () => {
  const filter = new OriginFilter();
  assert.deepEqual(
    [1, 2, 2, 5, 3, 5, 6].map((sequence) => filter.isNew("a", sequence)),
    [true, true, false, true, false, false, true],
  );
  assert.equal(filter.doubles, 3);
  assert.ok(filter.isNew("b", 1));
  assert.ok(filter.isNew("a", 0) && filter.isNew("a", 0), "what is outside the sequence always is");
});

test("resent tails, in any order of hosts, give every frame once and in order", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 20 }),
      fc.nat({ max: 30 }),
      (starts, length) => {
        const filter = new OriginFilter();
        const taken: number[] = [];
        let highest = 0;
        for (const start of starts) {
          // A resent tail begins at or before what follows on all that was taken.
          const from = Math.min(start, highest) + 1;
          for (let sequence = from; sequence <= from + length; sequence++) {
            highest = Math.max(highest, sequence);
            if (filter.isNew("origin", sequence)) taken.push(sequence);
          }
        }
        assert.deepEqual(
          taken,
          Array.from({ length: highest }, (_, index) => index + 1),
        );
      },
    ),
  );
});

test("of more origins than there may be, the one that has been silent longest is forgotten", () => {
  const filter = new OriginFilter();
  filter.isNew("silent", 7);
  filter.isNew("speaking", 7);
  for (let index = 0; index < 1_023; index++) filter.isNew(`other ${index}`, 1);
  assert.equal(filter.isNew("speaking", 7), false);
  assert.equal(filter.isNew("silent", 7), true);
});
