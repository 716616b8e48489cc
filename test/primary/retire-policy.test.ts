import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseRetirement, findLargeTooSoon, type RetireCandidate } from "../../src/primary/retire-policy.js";

const calm: RetireCandidate = { slot: 0, rssBytes: 100, readyForMs: 60_000, bootMs: 500, isReplacement: false };
const large = { rssBytes: 300, isReplacement: true };
const limits = { maxWorkerRssBytes: 200, maxWorkerAgeMs: 100_000 };

test("the largest of those that are too large, else the oldest of those that are too old, else nobody", () => {
  const cases: [why: string, changes: Partial<RetireCandidate>[], expected: object | undefined][] = [
    ["all within the limits", [{}, {}], undefined],
    ["at the limits", [{ rssBytes: 200 }, { readyForMs: 100_000 }], undefined],
    ["too large", [{}, { rssBytes: 201 }, { rssBytes: 300 }], { slot: 2, reason: "memory" }],
    ["too old", [{ readyForMs: 100_001 }, { readyForMs: 100_002 }, {}], { slot: 1, reason: "age" }],
    ["both", [{ readyForMs: 100_001 }, { rssBytes: 201 }], { slot: 1, reason: "memory" }],
    ["too large from the start", [{ rssBytes: 300, readyForMs: 0 }], { slot: 0, reason: "memory" }],
    ["too large again, soon", [{ ...large, readyForMs: 99_999 }], undefined],
    ["too large again after 5 minutes", [{ ...large, readyForMs: 300_000 }], { slot: 0, reason: "memory" }],
    [
      "soon for one that starts slowly",
      [{ ...large, readyForMs: 300_000, bootMs: 30_001 }],
      { slot: 0, reason: "age" },
    ],
    ["too old meanwhile", [{ ...large, readyForMs: 100_001 }], { slot: 0, reason: "age" }],
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

test("a replacement that is soon too large itself casts doubt on the limit", () => {
  const cases: [why: string, change: Partial<RetireCandidate>, isFound: boolean][] = [
    ["too large soon", { ...large, readyForMs: 299_999 }, true],
    ["too large later", { ...large, readyForMs: 300_000 }, false],
    ["within the limit", { ...large, rssBytes: 200 }, false],
    ["not a replacement", { ...large, isReplacement: false }, false],
  ];
  for (const [why, change, isFound] of cases) {
    const found = findLargeTooSoon([calm, { ...calm, slot: 1, ...change }], limits);
    assert.equal(found?.slot, isFound ? 1 : undefined, why);
  }
});
