import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { freshHistory, planRestart, type RestartSettings, type SlotHistory } from "../../src/primary/restart-policy.js";

const settings: RestartSettings = { backoffMinMs: 500, backoffMaxMs: 30_000, maxRestarts: 10, stableAfterMs: 60_000 };
const calm = { settings, history: freshHistory, readyForMs: undefined, restartsWithoutReady: 0, hasReadyWorkers: true };

function planDelay(history: SlotHistory, readyForMs?: number): { delayMs: number; history: SlotHistory } {
  const decision = planRestart({ ...calm, history, readyForMs });
  assert.equal(decision.kind, "restart");
  return decision;
}

test("the backoff doubles from half a second to half a minute and stays there", () => {
  let history = freshHistory;
  const delays: number[] = [];
  for (let crash = 0; crash < 9; crash++) {
    const decision = planDelay(history);
    history = decision.history;
    delays.push(decision.delayMs);
  }
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

describe("the crash after a life of", () => {
  const cases: [string, number | undefined, number][] = [
    ["never ready is one more in the row", undefined, 8_000],
    ["a moment is one more in the row", 0, 8_000],
    ["just under a minute is one more in the row", 59_999, 8_000],
    ["a minute is the first of a new row", 60_000, 500],
    ["an hour is the first of a new row", 3_600_000, 500],
  ];
  for (const [what, readyForMs, delayMs] of cases) {
    test(what, () => {
      const decision = planDelay({ crashesInARow: 4 }, readyForMs);
      assert.equal(decision.delayMs, delayMs);
      assert.equal(decision.history.crashesInARow, delayMs === 500 ? 1 : 5);
    });
  }
});

describe("the host gives up", () => {
  const cases: [string, { restartsWithoutReady: number; hasReadyWorkers: boolean }, "restart" | "give-up"][] = [
    ["not before the limit", { restartsWithoutReady: 9, hasReadyWorkers: false }, "restart"],
    ["at the limit, with no worker ready", { restartsWithoutReady: 10, hasReadyWorkers: false }, "give-up"],
    ["not at the limit while one is ready", { restartsWithoutReady: 10, hasReadyWorkers: true }, "restart"],
    ["not far above the limit while one is ready", { restartsWithoutReady: 1_000, hasReadyWorkers: true }, "restart"],
  ];
  for (const [what, input, kind] of cases) {
    test(what, () => assert.equal(planRestart({ ...calm, ...input }).kind, kind));
  }

  test("after ten restarts in which no worker became ready", () => {
    let history = freshHistory;
    let restarts = 0;
    for (;;) {
      const decision = planRestart({ ...calm, history, restartsWithoutReady: restarts, hasReadyWorkers: false });
      if (decision.kind === "give-up") break;
      history = decision.history;
      restarts++;
    }
    assert.equal(restarts, 10);
  });
});

test("every delay lies within its bounds, after thousands of crashes too", () => {
  const limits = fc.tuple(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 0, max: 100_000 }));
  fc.assert(
    fc.property(limits, fc.nat({ max: 1_000_000 }), ([backoffMinMs, extra], crashesInARow) => {
      const backoffMaxMs = backoffMinMs + extra;
      const decision = planRestart({
        ...calm,
        settings: { ...settings, backoffMinMs, backoffMaxMs },
        history: { crashesInARow },
      });
      assert.equal(decision.kind, "restart");
      assert.ok(decision.delayMs >= backoffMinMs && decision.delayMs <= backoffMaxMs);
    }),
  );
});
