/** The simulation of regions notices when a rule of the links is broken, and says how to see it again. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainFailure, replay, run } from "../replays.js";
import { brokenRegionRules } from "./broken-region-rules.js";
import { steps } from "./region-histories.js";

const maxSeeds = 200;
const isFull = process.env["TEST_SIZE"] === "full";
/** It takes dozens of seeds until these come to matter: at full size only. */
const noticedLate = new Set(["acked-before-passed-on", "kept-for-a-host-not-told"]);

async function findFailure(broken: string): Promise<number> {
  for (let seed = 1; seed <= maxSeeds; seed++) {
    if ((await run({ seed, steps, broken, isRegions: true })).violation !== undefined) return seed;
  }
  return assert.fail(`none of ${maxSeeds} seeds notices it`);
}

describe("a broken rule of links is noticed, and its replay shows it again", { timeout: 300_000 }, () => {
  for (const { name, what } of brokenRegionRules) {
    if (noticedLate.has(name) && !isFull) continue;
    test(`${name}: ${what}`, async () => {
      const message = await explainFailure({ seed: await findFailure(name), steps, broken: name, isRegions: true });
      const [, , , , ...args] = /^replay: (.*)$/m.exec(message)?.[1]?.split(" ") ?? [];
      const { result } = await replay(args);
      assert.ok(result.violation !== undefined && message.includes(result.violation), message);
    });
  }
});
