import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseRetirement, type RetireCandidate } from "../../src/primary/retire-policy.js";

const calm: RetireCandidate = { slot: 0, rssBytes: 100, readyForMs: 60_000, bootMs: 500 };
const limits = { maxWorkerRssBytes: 200, maxWorkerAgeMs: 100_000 };

test("the largest of those that are too large, else the oldest of those that are too old, else nobody", () => {
  const cases: [why: string, changes: Partial<RetireCandidate>[], expected: object | undefined][] = [
    ["all within the limits", [{}, {}], undefined],
    ["at the limits", [{ rssBytes: 200 }, { readyForMs: 100_000 }], undefined],
    ["too large", [{}, { rssBytes: 201 }, { rssBytes: 300 }], { slot: 2, reason: "memory" }],
    ["too old", [{ readyForMs: 100_001 }, { readyForMs: 100_002 }, {}], { slot: 1, reason: "age" }],
    ["both", [{ readyForMs: 100_001 }, { rssBytes: 201 }], { slot: 1, reason: "memory" }],
    ["too large from the start", [{ rssBytes: 300, readyForMs: 4_999 }], undefined],
    ["too large after ten times its start", [{ rssBytes: 300, readyForMs: 5_000 }], { slot: 0, reason: "memory" }],
    ["no worker is ready", [], undefined],
  ];
  for (const [why, changes, expected] of cases) {
    const workers = changes.map((change, slot) => ({ ...calm, slot, ...change }));
    assert.deepEqual(chooseRetirement(workers, limits), expected, why);
  }
});

test("without limits nobody", () => {
  const grown = { ...calm, rssBytes: Number.MAX_SAFE_INTEGER, readyForMs: Number.MAX_SAFE_INTEGER };
  assert.equal(chooseRetirement([grown], { maxWorkerRssBytes: undefined, maxWorkerAgeMs: undefined }), undefined);
});
