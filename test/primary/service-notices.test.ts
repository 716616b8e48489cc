import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { nothingTold, planNotice, type ServiceFacts } from "../../src/primary/service-notices.js";

const lookMs = 1_000;
const watchdogMs = 30_000;
const running: ServiceFacts = {
  state: "running",
  reload: undefined,
  workers: 4,
  readyWorkers: 4,
  sessions: 12,
  notReadyReason: undefined,
  isHealthy: true,
};

/** Looks once for each of the facts, a second apart, and gives what was told each time. */
function tell(
  facts: readonly Partial<ServiceFacts>[],
  stepMs = lookMs,
  waitsMs: number | undefined = watchdogMs,
): string[][] {
  let told = nothingTold;
  return facts.map((change, index) => {
    const plan = planNotice(told, { ...running, ...change }, waitsMs, lookMs, 10_000 + index * stepMs);
    told = plan.told;
    return [...plan.variables];
  });
}

describe("what systemd is told", () => {
  test("a host that starts, runs, and stops", () => {
    const facts = [
      { state: "starting", readyWorkers: 0, sessions: 0 },
      { readyWorkers: 1, sessions: 0 },
      {},
      { state: "draining" },
      { state: "closed", sessions: 0 },
    ] as const;
    assert.deepEqual(tell(facts), [
      ["STATUS=Starts: 0 of 4 workers ready"],
      ["READY=1", "STATUS=1 of 4 workers ready, 0 sessions", "WATCHDOG=1"],
      ["STATUS=4 of 4 workers ready, 12 sessions"],
      ["STOPPING=1", "STATUS=Stops: 12 sessions left"],
      [],
    ]);
  });

  test("a host that reloads, and one that is stopped meanwhile", () => {
    const reload = { workersDone: 1, workers: 4 };
    assert.deepEqual(tell([{}, { reload }, { reload }, {}], lookMs, undefined), [
      ["READY=1", "STATUS=4 of 4 workers ready, 12 sessions", "WATCHDOG=1"],
      ["RELOADING=1", "STATUS=Reloads: 1 of 4 workers replaced; 4 of 4 workers ready, 12 sessions"],
      [],
      ["READY=1", "STATUS=4 of 4 workers ready, 12 sessions"],
    ]);
    assert.deepEqual(tell([{}, { reload }, { reload, state: "draining" }], lookMs, undefined).at(-1), [
      "STOPPING=1",
      "STATUS=Stops: 12 sessions left",
    ]);
  });

  test("one that is stopped before it was ready was never ready", () => {
    const said = tell([{ state: "starting" }, { state: "draining" }, { state: "draining" }]).flat();
    assert.ok(!said.includes("READY=1"));
    assert.equal(said.filter((variable) => variable === "STOPPING=1").length, 1);
  });

  test("why it takes no new sessions", () => {
    const [first] = tell([{ notReadyReason: "the router has been away for 6 s" }]);
    assert.ok(
      first?.includes(
        "STATUS=4 of 4 workers ready, 12 sessions; takes no new sessions: the router has been away for 6 s",
      ),
    );
  });

  test("a change of the workers within a second, one of the sessions within five", () => {
    const workers = tell([{}, { readyWorkers: 3 }, { readyWorkers: 3 }], 600).slice(1);
    assert.deepEqual(workers, [[], ["STATUS=3 of 4 workers ready, 12 sessions"]]);
    const sessions = tell([{}, ...Array.from({ length: 6 }, () => ({ sessions: 13 }))]).slice(1);
    assert.deepEqual(sessions, [[], [], [], [], ["STATUS=4 of 4 workers ready, 13 sessions"], []]);
  });

  test("no sign of life while it is not healthy, or nobody waits for one", () => {
    const sick = tell(Array.from({ length: 60 }, () => ({ isHealthy: false }))).flat();
    assert.ok(!sick.includes("WATCHDOG=1"));
    let told = nothingTold;
    for (let nowMs = 0; nowMs < 100_000; nowMs += 1_000) {
      const plan = planNotice(told, running, undefined, lookMs, nowMs);
      told = plan.told;
      assert.ok(!plan.variables.includes("WATCHDOG=1"));
    }
  });

  test("a healthy host gives a sign of life at least every half of the time, however late its looks are", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 500, max: 120_000 }),
        fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 10, maxLength: 300 }),
        (limitMs, steps) => {
          const stepMs = Math.min(1_000, limitMs / 4);
          let told = nothingTold;
          let nowMs = 0;
          let lastMs: number | undefined;
          for (const step of steps) {
            nowMs += step * stepMs;
            const plan = planNotice(told, running, limitMs, stepMs, nowMs);
            told = plan.told;
            if (plan.variables.includes("WATCHDOG=1")) lastMs = nowMs;
            assert.ok(lastMs !== undefined && nowMs - lastMs <= limitMs / 2);
          }
        },
      ),
    );
  });
});
