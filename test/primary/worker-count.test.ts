import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chooseWorkerCount, parseCpuMax } from "../../src/primary/worker-count.js";

describe("cpu.max", () => {
  const cases: [string, string, number | undefined][] = [
    ["without a quota", "max 100000\n", undefined],
    ["without a quota and period", "max", undefined],
    ["of one and a half CPUs", "150000 100000\n", 1.5],
    ["of two CPUs in another period", "20000 10000\n", 2],
    ["of a tenth of a CPU", "10000 100000\n", 0.1],
    ["without a period has the default one", "50000\n", 0.5],
    ["that is empty", "", undefined],
    ["that is no number", "abc 100000", undefined],
    ["of nothing", "0 100000", undefined],
    ["with a period of nothing", "100000 0", undefined],
    ["below nothing", "-1 100000", undefined],
  ];
  for (const [what, text, quota] of cases) test(what, () => assert.equal(parseCpuMax(text), quota));
});

describe("the host runs", () => {
  const cases: [string, number | "auto", number, string | undefined, number][] = [
    ["as many workers as the setting says", 3, 8, undefined, 3],
    ["as many as the setting says, whatever the quota", 6, 2, "100000 100000", 6],
    ["a worker for each CPU", "auto", 8, undefined, 8],
    ["a worker for each CPU when there is no quota", "auto", 8, "max 100000", 8],
    ["no more than the quota, rounded up", "auto", 8, "150000 100000", 2],
    ["exactly a whole quota", "auto", 8, "400000 100000", 4],
    ["no more than the CPUs, however high the quota", "auto", 2, "1600000 100000", 2],
    ["one worker under the smallest quota", "auto", 8, "1000 100000", 1],
    ["one worker where the system knows no CPU", "auto", 0, undefined, 1],
  ];
  for (const [what, setting, availableParallelism, cpuMax, count] of cases) {
    test(what, () => assert.equal(chooseWorkerCount(setting, { availableParallelism, cpuMax }), count));
  }
});
