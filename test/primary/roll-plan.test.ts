import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { estimateRollMs, planRollStep, type RollState, type RollTimes } from "../../src/primary/roll-plan.js";

const calm: RollTimes = { nowMs: 0, deadlineMs: 600_000, drainTimeoutMs: 10_000, bootMs: 500 };
const drain = { kind: "drain", drainMs: 10_000 } as const;

describe("the next step", () => {
  const cases: [why: string, oldWorkers: number, started: number, wanted: number, expected: object][] = [
    ["the new one first", 4, 0, 4, { kind: "start" }],
    ["then an old one drains", 4, 1, 4, drain],
    ["then the next new one", 3, 1, 4, { kind: "start" }],
    ["the last old one", 1, 4, 4, drain],
    ["all replaced", 0, 4, 4, { kind: "done" }],
    ["more workers: nobody drains before there are enough", 2, 2, 4, { kind: "start" }],
    ["more workers: then the old ones drain as new ones come", 2, 3, 4, drain],
    ["fewer workers: all old ones drain after the one", 4, 1, 1, drain],
    ["a worker by itself", 1, 0, 1, { kind: "start" }],
    ["old workers that ended by themselves", 0, 1, 4, { kind: "start" }],
  ];
  for (const [why, oldWorkers, started, wanted, expected] of cases) {
    test(why, () => assert.deepEqual(planRollStep({ oldWorkers, started, wanted }, calm), expected));
  }

  test("with little time left each drain is shortened alike, boots taken off", () => {
    const state = { oldWorkers: 4, started: 1, wanted: 4 };
    assert.deepEqual(planRollStep(state, { ...calm, deadlineMs: 9_500 }), { kind: "drain", drainMs: 2_000 });
  });

  test("old workers stay where a drain would be too short for their clients, unless it is meant to be", () => {
    const state = { oldWorkers: 4, started: 1, wanted: 4 };
    assert.deepEqual(planRollStep(state, { ...calm, deadlineMs: 5_000 }), { kind: "give-up" });
    const short = { ...calm, deadlineMs: 5_000, drainTimeoutMs: 100 };
    assert.deepEqual(planRollStep(state, short), { kind: "drain", drainMs: 100 });
  });

  test("no worker is started when the time is up", () => {
    assert.deepEqual(planRollStep({ oldWorkers: 3, started: 1, wanted: 4 }, { ...calm, nowMs: 600_000 }), {
      kind: "give-up",
    });
  });
});

test("a roll of any size ends in time, with at most one worker more than before or after, and never with none", () => {
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
        let state: RollState = { oldWorkers: before, started: 0, wanted };
        let nowMs = 0;
        for (;;) {
          const times = { nowMs, deadlineMs, drainTimeoutMs, bootMs: state.started === 0 ? undefined : bootMs };
          const left = estimateRollMs(state, times);
          assert.ok(left >= 0 && left <= Math.max(0, deadlineMs - nowMs));
          const step = planRollStep(state, times);
          if (step.kind === "done" || step.kind === "give-up") {
            assert.ok(step.kind === "give-up" || (state.oldWorkers === 0 && state.started === wanted));
            return;
          }
          if (step.kind === "start") {
            // As the actor does: a start is cut short at the deadline.
            if (nowMs + bootMs > deadlineMs) return;
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
