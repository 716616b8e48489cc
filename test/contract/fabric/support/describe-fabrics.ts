/** One suite, several fabrics: every test of it is run on each, on a stage of its own for each file. */

import { after, afterEach, before, describe, type TestContext, test } from "node:test";
import { fabrics } from "./fabrics.js";
import { type KnownLimit, knownLimits } from "./known-limits.js";
import { Stage, type StageOptions } from "./stage.js";

export interface SuiteOptions extends StageOptions {
  /** The tests run side by side, because some of them wait out a timeout; then no client of theirs may matter to another. */
  readonly isConcurrent?: boolean;
}

export function describeFabrics(title: string, define: (stage: Stage) => void, options: SuiteOptions = {}): void {
  const { isConcurrent = false } = options;
  const settings = { timeout: 120_000, concurrency: isConcurrent };
  describe(title, settings, () => {
    for (const fabric of fabrics) {
      describe(`on ${fabric}`, settings, () => {
        const stage = new Stage(fabric, options);
        before(async () => await stage.open());
        after(async () => await stage.close());
        if (!isConcurrent) afterEach(async () => await stage.dismiss());
        define(stage);
      });
    }
  });
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
