/** Every second seed of regions: two test files share them, so that they run at the same time. */

import assert from "node:assert/strict";
import { explainFailure, run } from "../replays.js";
import { linkFaults, linkPhases, nameStrike } from "./link-phases.js";
import { runRegions } from "./run-regions.js";

const isFull = process.env["TEST_SIZE"] === "full";
const seedsPerTest = isFull ? 625 : 32;
const testCount = isFull ? 4 : 1;
export const steps = 60;

/** The batches of seeds of one test file; each is one test, named by `title`. */
export function listSeedBatches(firstSeed: number): { readonly title: string; readonly seeds: readonly number[] }[] {
  return Array.from({ length: testCount }, (_, index) => {
    const from = firstSeed + 2 * index * seedsPerTest;
    const seeds = Array.from({ length: seedsPerTest }, (_, count) => from + 2 * count);
    return {
      title: `keep their promises in the histories of every second seed from ${from} to ${seeds.at(-1)}`,
      seeds,
    };
  });
}

/** Runs the seeds' histories; rejects with the first broken promise and the command that shows it again. */
export async function checkHistories(seeds: readonly number[]): Promise<void> {
  const sum = { deliveries: 0, requests: 0, lost: 0, kills: 0, cuts: 0 };
  const strikes = new Map<string, number>();
  for (const seed of seeds) {
    const result = runRegions({ seed, steps });
    if (result.violation !== undefined) assert.fail(await explainFailure({ seed, steps, isRegions: true }));
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += result[name];
    for (const [name, count] of result.strikes) strikes.set(name, (strikes.get(name) ?? 0) + count);
  }
  // A history in which nothing happens keeps every promise.
  assert.ok(sum.deliveries > 40 * seeds.length && sum.requests > 3 * seeds.length, JSON.stringify(sum));
  assert.ok(sum.kills > seeds.length && sum.cuts > seeds.length && sum.lost > seeds.length / 40, JSON.stringify(sum));
  for (const phase of linkPhases) {
    for (const fault of linkFaults) {
      const name = nameStrike({ phase, fault });
      const count = strikes.get(name) ?? 0;
      assert.ok(count > seeds.length / 50, `${name}: ${count} times`);
    }
  }
}

/** A seed is its history: the same each time. */
export async function checkRepeats(seed: number): Promise<void> {
  const traces = [[], []] as [string[], string[]];
  for (const trace of traces) await run({ seed, steps, isRegions: true }, (line) => trace.push(line));
  assert.ok(traces[0].length > steps);
  assert.deepEqual(traces[0], traces[1]);
}
