import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { freshHistory } from "../../src/primary/restart-policy.js";
import {
  explainRouterAbsence,
  isRouterExpected,
  planRouterRestart,
  routerAbsenceLimitMs,
} from "../../src/primary/router-policy.js";

const settings = { backoffMinMs: 500, backoffMaxMs: 30_000 };

describe("a router that ended is started again", () => {
  const cases: [
    string,
    { crashesInARow: number; readyForMs: number | undefined },
    { delayMs: number; next: number },
  ][] = [
    ["at once after a stable life", { crashesInARow: 0, readyForMs: 10_000 }, { delayMs: 0, next: 0 }],
    [
      "at once after a stable life that followed crashes",
      { crashesInARow: 7, readyForMs: 3_600_000 },
      { delayMs: 0, next: 0 },
    ],
    [
      "with the shortest backoff after a short life",
      { crashesInARow: 0, readyForMs: 9_999 },
      { delayMs: 500, next: 1 },
    ],
    [
      "with the shortest backoff when it was never ready",
      { crashesInARow: 0, readyForMs: undefined },
      { delayMs: 500, next: 1 },
    ],
    ["later with each crash in a row", { crashesInARow: 1, readyForMs: 0 }, { delayMs: 1_000, next: 2 }],
    ["later still", { crashesInARow: 5, readyForMs: undefined }, { delayMs: 16_000, next: 6 }],
    ["with the longest backoff in the end", { crashesInARow: 6, readyForMs: undefined }, { delayMs: 30_000, next: 7 }],
    [
      "with the longest backoff for ever",
      { crashesInARow: 100_000, readyForMs: 1 },
      { delayMs: 30_000, next: 100_001 },
    ],
  ];
  for (const [what, { crashesInARow, readyForMs }, { delayMs, next }] of cases) {
    test(what, () => {
      assert.deepEqual(planRouterRestart({ settings, history: { crashesInARow }, readyForMs }), {
        delayMs,
        history: { crashesInARow: next },
      });
    });
  }

  test("a stable life between crashes begins the row anew", () => {
    const crashed = planRouterRestart({ settings, history: { crashesInARow: 4 }, readyForMs: 5 });
    const stable = planRouterRestart({ settings, history: crashed.history, readyForMs: 60_000 });
    assert.deepEqual(stable, { delayMs: 0, history: freshHistory });
    assert.equal(planRouterRestart({ settings, history: stable.history, readyForMs: 5 }).delayMs, 500);
  });
});

describe("a host whose router is away", () => {
  test("takes sessions while the router is there", () => assert.equal(explainRouterAbsence(undefined, 1e9), undefined));

  test("takes sessions during a restart", () => {
    assert.equal(explainRouterAbsence(1_000, 1_000), undefined);
    assert.equal(explainRouterAbsence(1_000, 1_000 + routerAbsenceLimitMs - 1), undefined);
  });

  test("says from then on for how long, and what that means", () => {
    assert.match(
      explainRouterAbsence(1_000, 6_000) ?? "",
      /^the router has been away for 5 s: .*messages between workers do not/,
    );
    assert.match(explainRouterAbsence(1_000, 62_999) ?? "", /for 61 s/);
  });
});

describe("a router that is away is waited for", () => {
  const { backoffMaxMs } = settings;
  const limitMs = routerAbsenceLimitMs + 3 * backoffMaxMs;
  const cases: [what: string, absentSinceMs: number | undefined, nowMs: number, expected: boolean][] = [
    ["while it is there", undefined, 1e9, true],
    ["beyond the time in which the host takes sessions", 1_000, 1_000 + routerAbsenceLimitMs, true],
    ["beyond the longest wait for a restart", 1_000, 1_000 + backoffMaxMs + routerAbsenceLimitMs, true],
    ["up to the limit", 1_000, 1_000 + limitMs - 1, true],
    ["and no longer", 1_000, 1_000 + limitMs, false],
  ];
  for (const [what, absentSinceMs, nowMs, expected] of cases) {
    test(what, () => assert.equal(isRouterExpected(absentSinceMs, backoffMaxMs, nowMs), expected));
  }

  test("until a restart after the longest wait has been tried, whatever the waits", () => {
    const wait = fc.integer({ min: 1, max: 3_600_000 });
    fc.assert(
      fc.property(wait, wait, (one, other) => {
        const waits = { backoffMinMs: Math.min(one, other), backoffMaxMs: Math.max(one, other) };
        let nowMs = 0;
        for (let history = freshHistory, delayMs = 0; delayMs < waits.backoffMaxMs; nowMs += delayMs) {
          ({ delayMs, history } = planRouterRestart({ settings: waits, history, readyForMs: undefined }));
        }
        assert.ok(isRouterExpected(0, waits.backoffMaxMs, nowMs));
      }),
    );
  });
});
