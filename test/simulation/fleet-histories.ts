/** Every second seed of fleets: two test files share them, so that they run at the same time. */

import assert from "node:assert/strict";
import { explainFailure, run } from "./replays.js";

const isFull = process.env.TEST_SIZE === "full";
const seedsPerTest = isFull ? 500 : 40;
const testCount = isFull ? 5 : 1;
const steps = 60;

/** The batches of seeds of one test file; each is one test, named by `title`. */
export function listSeedBatches(firstSeed: number): { readonly title: string; readonly seeds: readonly number[] }[] {
  return Array.from({ length: testCount }, (_, index) => {
    const from = firstSeed + 2 * index * seedsPerTest;
    const seeds = Array.from({ length: seedsPerTest }, (_, count) => from + 2 * count);
    return { title: `keeps its promises in the histories of every second seed from ${from} to ${seeds.at(-1)}`, seeds };
  });
}

/** Runs the seeds' histories; rejects with the first broken promise and the command that shows it again. */
export async function checkHistories(seeds: readonly number[]): Promise<void> {
  let deliveries = 0;
  let requests = 0;
  for (const seed of seeds) {
    const replay = { seed, steps, isFleet: true };
    const result = await run(replay);
    if (result.violation !== undefined) assert.fail(await explainFailure(replay));
    deliveries += result.deliveries;
    requests += result.requests;
  }
  // A history in which nothing happens keeps every promise.
  assert.ok(deliveries > seeds.length * 20, `${deliveries} deliveries`);
  assert.ok(requests > seeds.length * 5, `${requests} requests`);
}

/** A seed is its history: the same each time. */
export async function checkRepeats(seed: number): Promise<void> {
  const traces = [[], []] as [string[], string[]];
  for (const trace of traces) await run({ seed, steps, isFleet: true }, (line) => trace.push(line));
  assert.ok(traces[0].length > steps);
  assert.deepEqual(traces[0], traces[1]);
}
