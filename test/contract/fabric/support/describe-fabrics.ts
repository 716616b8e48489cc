/** One suite, several fabrics: every test of it is run on each, on a stage of its own for each file. */

import { after, afterEach, before, describe, type TestContext, test } from "node:test";
import { fabrics } from "./fabrics.js";
import { type KnownLimit, knownLimits } from "./known-limits.js";
import { Stage, type StageOptions } from "./stage.js";

export function describeFabrics(title: string, define: (stage: Stage) => void, options: StageOptions = {}): void {
  for (const fabric of fabrics) {
    describe(`${title}: ${fabric}`, { timeout: 120_000 }, () => {
      const stage = new Stage(fabric, options);
      before(async () => await stage.open());
      after(async () => await stage.close());
      afterEach(async () => await stage.dismiss());
      define(stage);
    });
  }
}

type Run = (t: TestContext) => Promise<void>;

/** A statement that a fabric cannot hold: there the test shows what happens instead. */
export function testLimited(
  stage: Stage,
  name: keyof typeof knownLimits,
  runs: { readonly holds: Run; readonly instead: Run },
): void {
  const limit: KnownLimit = knownLimits[name];
  test(limit.title, async (t) => {
    if (!limit.fabrics.includes(stage.fabric)) return await runs.holds(t);
    t.diagnostic(`${stage.fabric} cannot hold this: ${limit.whatHappens}`);
    await runs.instead(t);
  });
}
