import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  chooseSurplus,
  estimateRollMs,
  planRollStep,
  type RolledSlot,
  type RollState,
  type RollTimes,
} from "../../src/primary/roll-plan.js";

const calm: RollTimes = { nowMs: 0, deadlineMs: 600_000, drainTimeoutMs: 10_000, bootMs: 500 };
const drain = { kind: "drain", drainMs: 10_000 } as const;
/** A drain of the shortest length has to fit after it. */
const start = { kind: "start", limitMs: 599_000 } as const;

describe("the next step", () => {
  const cases: [why: string, oldWorkers: number, started: number, wanted: number, expected: object][] = [
    ["the new one first", 4, 0, 4, start],
    ["then an old one drains", 4, 1, 4, drain],
    ["then the next new one", 3, 1, 4, start],
    ["the last old one", 1, 4, 4, drain],
    ["all replaced", 0, 4, 4, { kind: "done" }],
    ["more workers: nobody drains before there are enough", 2, 2, 4, start],
    ["more workers: then the old ones drain as new ones come", 2, 3, 4, drain],
    ["fewer workers: all old ones drain after the one", 4, 1, 1, drain],
    ["a worker by itself", 1, 0, 1, start],
    ["old workers that ended by themselves: all of the time is left", 0, 1, 4, { kind: "start", limitMs: 600_000 }],
  ];
  for (const [why, oldWorkers, started, wanted, expected] of cases) {
    test(why, () => assert.deepEqual(planRollStep({ oldWorkers, started, lost: 0, wanted }, calm), expected));
  }

  const middle: RollState = { oldWorkers: 4, started: 1, lost: 0, wanted: 4 };

  test("with little time left each drain is shortened alike, boots taken off", () => {
    assert.deepEqual(planRollStep(middle, { ...calm, deadlineMs: 9_500 }), { kind: "drain", drainMs: 2_000 });
  });

  test("with too little time for all of them it goes as far as it can, and none is shorter than its clients need", () => {
    assert.deepEqual(planRollStep(middle, { ...calm, deadlineMs: 5_000 }), { kind: "drain", drainMs: 1_000 });
    const slow = { ...calm, bootMs: 10_000, nowMs: 10_000 };
    assert.deepEqual(planRollStep({ oldWorkers: 64, started: 1, lost: 0, wanted: 64 }, slow), {
      kind: "drain",
      drainMs: 1_000,
    });
    const short = { ...calm, deadlineMs: 5_000, drainTimeoutMs: 100 };
    assert.deepEqual(planRollStep(middle, short), { kind: "drain", drainMs: 100 });
    assert.deepEqual(planRollStep(middle, { ...calm, deadlineMs: 999 }), { kind: "give-up" });
  });

  test("no worker is started when no old one could drain for it any more", () => {
    const state: RollState = { oldWorkers: 3, started: 1, lost: 0, wanted: 4 };
    assert.deepEqual(planRollStep(state, { ...calm, nowMs: 598_901 }), { kind: "give-up" });
    assert.deepEqual(planRollStep(state, { ...calm, nowMs: 598_900 }), { kind: "start", limitMs: 100 });
  });

  test("nobody drains, and nothing is done, when a new worker has ended", () => {
    for (const oldWorkers of [0, 1, 4])
      for (const started of [0, 3, 4]) {
        assert.deepEqual(planRollStep({ oldWorkers, started, lost: 1, wanted: 4 }, calm), { kind: "lost" });
      }
  });
});

describe("slots that are too many when a roll has stopped", () => {
  const slot = (number: number, isReady: boolean, isOld: boolean): RolledSlot => ({ number, isReady, isOld });
  const cases: [why: string, slots: RolledSlot[], workerCount: number, expected: number[]][] = [
    ["none", [slot(0, true, true), slot(1, true, false)], 2, []],
    ["an old one for the new one", [slot(0, true, true), slot(1, true, true), slot(2, true, false)], 2, [0]],
    ["not the only one that serves", [slot(0, true, true), slot(1, false, false)], 1, [1]],
    ["all old ones of a smaller host", [slot(0, true, true), slot(1, true, true), slot(2, true, false)], 1, [0, 1]],
    ["nobody new that serves", [slot(0, true, false), slot(1, true, false)], 1, []],
    ["fewer than there are to be", [slot(0, true, true)], 2, []],
  ];
  for (const [why, slots, workerCount, expected] of cases) {
    test(why, () => assert.deepEqual(chooseSurplus(slots, workerCount), expected));
  }
});

test("a roll of any size ends in time, at no time with more than one worker more than before or after, at the end with none more", () => {
  const sizes = fc.integer({ min: 1, max: 64 });
  const milliseconds = fc.integer({ min: 0, max: 20_000 });
  fc.assert(
    fc.property(
      sizes,
      sizes,
      milliseconds,
      milliseconds,
      milliseconds,
      (before, wanted, bootMs, drainTimeoutMs, limit) => {
        const deadlineMs = limit * 10;
        let state: RollState = { oldWorkers: before, started: 0, lost: 0, wanted };
        let nowMs = 0;
        for (;;) {
          const times = { nowMs, deadlineMs, drainTimeoutMs, bootMs: state.started === 0 ? undefined : bootMs };
          const left = estimateRollMs(state, times);
          assert.ok(left >= 0 && left <= Math.max(0, deadlineMs - nowMs));
          const step = planRollStep(state, times);
          if (step.kind === "done" || step.kind === "give-up") {
            assert.ok(step.kind === "give-up" || (state.oldWorkers === 0 && state.started === wanted));
            assert.ok(state.oldWorkers + state.started <= Math.max(before, wanted));
            return;
          }
          assert.ok(step.kind !== "lost");
          if (step.kind === "start") {
            // As the actor does: a start is cut short at its limit, and the new worker is gone.
            if (bootMs > step.limitMs) return;
            nowMs += bootMs;
            state = { ...state, started: state.started + 1 };
          } else {
            assert.ok(step.drainMs <= drainTimeoutMs && step.drainMs >= Math.min(drainTimeoutMs, 1_000));
            nowMs += step.drainMs;
            state = { ...state, oldWorkers: state.oldWorkers - 1 };
          }
          assert.ok(nowMs <= deadlineMs + 1);
          const workers = state.oldWorkers + state.started;
          assert.ok(workers >= 1 && workers <= Math.max(before, wanted) + 1);
        }
      },
    ),
  );
});
