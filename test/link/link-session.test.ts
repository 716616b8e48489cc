/**
 * Two link sessions over a carrier that loses, doubles, delays, reorders, goes away and comes back, while processes restart:
 * each frame once, in order, and what is lost is counted exactly. Virtual time; a failing history is printed, made small.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { History, type Step } from "../support/link-history.js";

const isFull = process.env.TEST_SIZE === "full";
const histories = isFull ? 60_000 : 10_000;

const side = fc.constantFrom(0 as const, 1 as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant("push" as const), side, bytes: fc.integer({ min: 10, max: 90 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("push" as const), side, bytes: fc.integer({ min: 400, max: 1_500 }) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("volatile" as const), side }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("wait" as const), ms: fc.integer({ min: 500, max: 4_000 }) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("carrier" as const), side, isUp: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("restart" as const), side }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("give-up" as const), side }) },
);
/** What the carrier does with one datagram after the other, again and again. */
const fate = fc.record({
  isLost: fc.integer({ min: 0, max: 4 }).map((value) => value === 0),
  isDoubled: fc.integer({ min: 0, max: 5 }).map((value) => value === 0),
  delayMs: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 40 })),
});

test(`${histories} random histories: once, in order, and the loss is counted`, () => {
  let received = 0;
  let lost = 0;
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 30, size: "max" }),
      fc.array(fate, { minLength: 1, maxLength: 12 }),
      (steps, fates) => {
        const history = new History(fates);
        for (const each of steps) history.take(each);
        history.settle();
        received += history.received;
        lost += history.lost;
      },
    ),
    { numRuns: histories },
  );
  assert.ok(received > 2 * histories, `${received} received`);
  assert.ok(lost > histories / 20, `${lost} lost`);
});
