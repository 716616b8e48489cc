/** A host with its router and workers keeps the fabric's promises, whatever happens to it: thousands of random histories. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainFailure, run } from "./replays.js";

const isFull = process.env.TEST_SIZE === "full";
const firstSeed = 1;
const seedCount = isFull ? 2_500 : 160;
const seedsPerTest = isFull ? 500 : 80;
const steps = 150;

describe("one host on virtual time", { timeout: 600_000 }, () => {
  for (let from = firstSeed; from < firstSeed + seedCount; from += seedsPerTest) {
    const to = from + seedsPerTest - 1;
    test(`keeps its promises in the histories of seeds ${from} to ${to}`, async () => {
      let deliveries = 0;
      let requests = 0;
      for (let seed = from; seed <= to; seed++) {
        const result = await run({ seed, steps });
        if (result.violation !== undefined) assert.fail(await explainFailure({ seed, steps }));
        deliveries += result.deliveries;
        requests += result.requests;
      }
      // A history in which nothing happens keeps every promise.
      assert.ok(deliveries > seedsPerTest * 50, `${deliveries} deliveries`);
      assert.ok(requests > seedsPerTest * 5, `${requests} requests`);
    });
  }

  test("is the same each time: a seed is its history", async () => {
    const traces = [[], []] as [string[], string[]];
    for (const trace of traces) await run({ seed: 77, steps }, (line) => trace.push(line));
    assert.ok(traces[0].length > steps);
    assert.deepEqual(traces[0], traces[1]);
  });
});
