/** Every second seed of fleets, as tests: two files share them, so that they run at the same time. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainFailure, run } from "./replays.js";

const isFull = process.env.TEST_SIZE === "full";
const seedsPerTest = isFull ? 500 : 40;
const testCount = isFull ? 5 : 1;
const steps = 60;

export function testFleet({ name, firstSeed }: { readonly name: string; readonly firstSeed: number }): void {
  describe(name, { timeout: 600_000 }, () => {
    for (let index = 0; index < testCount; index++) {
      const from = firstSeed + 2 * index * seedsPerTest;
      const to = from + 2 * (seedsPerTest - 1);
      test(`keeps its promises in the histories of every second seed from ${from} to ${to}`, async () => {
        let deliveries = 0;
        let requests = 0;
        for (let seed = from; seed <= to; seed += 2) {
          const replay = { seed, steps, isFleet: true };
          const result = await run(replay);
          if (result.violation !== undefined) assert.fail(await explainFailure(replay));
          deliveries += result.deliveries;
          requests += result.requests;
        }
        // A history in which nothing happens keeps every promise.
        assert.ok(deliveries > seedsPerTest * 20, `${deliveries} deliveries`);
        assert.ok(requests > seedsPerTest * 5, `${requests} requests`);
      });
    }

    test("is the same each time: a seed is its history", async () => {
      const traces = [[], []] as [string[], string[]];
      for (const trace of traces) await run({ seed: firstSeed + 76, steps, isFleet: true }, (line) => trace.push(line));
      assert.ok(traces[0].length > steps);
      assert.deepEqual(traces[0], traces[1]);
    });
  });
}
