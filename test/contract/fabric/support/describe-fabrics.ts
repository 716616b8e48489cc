/** One suite, several fabrics: every test of it is run on each, on a stage of its own for each file; several hosts need a Redis. */

import { after, afterEach, before, describe, type TestContext, test } from "node:test";
import { skipOrFail } from "../../../support/prerequisite.js";
import { missingRedis, redisPath } from "../../../support/redis/local-redis.js";
import { chooseLayouts, isWhole, type Layout, type LayoutName } from "./fabrics.js";
import { type KnownLimit, knownLimits } from "./known-limits.js";
import { Stage, type StageOptions } from "./stage.js";

/** The tests of one theme. */
export interface Suite {
  readonly title: string;
  define(stage: Stage): void;
}

export interface SuiteOptions extends StageOptions {
  /** What is run on several hosts in each run; at full size all suites are. */
  readonly onSeveralHosts?: Partial<Record<LayoutName, readonly Suite[]>>;
  /** At normal size the stock adapter is left out: it waits out timeouts where the routed fabric knows. */
  readonly isStockForFullSize?: boolean;
  /** The tests run side by side, because they wait out timeouts; then no client of one may matter to another. */
  readonly isConcurrent?: boolean;
}

/** Runs the suites on each fabric; they share the stage, to which each test comes empty. */
export function describeFabrics(title: string, suites: readonly Suite[], options: SuiteOptions = {}): void {
  const { isConcurrent = false, onSeveralHosts = {}, isStockForFullSize = false } = options;
  const isLeftOut = ({ name }: Layout): boolean => isStockForFullSize && name === "stock" && !isWhole;
  const settings = { timeout: 180_000, concurrency: isConcurrent };
  describe(title, settings, () => {
    const layouts = chooseLayouts(Object.keys(onSeveralHosts)).filter((layout) => !isLeftOut(layout));
    const canOpen = ({ hosts }: Layout): boolean => hosts === 1 || redisPath !== undefined;
    for (const { name } of layouts.filter((layout) => !canOpen(layout))) {
      test(`on ${name}`, (t) => skipOrFail(t, missingRedis));
    }
    const stages = layouts.filter(canOpen).map((layout) => new Stage(layout, options));
    // Tests mostly wait: the host of the next fabric starts while those of the one before it run.
    const opened: Promise<void>[] = [];
    before(() => {
      for (const [index, stage] of stages.entries())
        opened.push((opened[index - 1] ?? Promise.resolve()).then(async () => await stage.open()));
      // Each is awaited where its tests begin, which may be too late for Node.
      for (const opening of opened) opening.catch(() => {});
    });
    for (const [index, stage] of stages.entries()) {
      describe(`on ${stage.layout.name}`, settings, () => {
        before(async () => await opened[index]);
        after(async () => await stage.close());
        if (!isConcurrent) afterEach(async () => await stage.dismiss());
        const chosen = isWhole ? suites : (onSeveralHosts[stage.layout.name] ?? suites);
        for (const suite of chosen) describe(suite.title, settings, () => suite.define(stage));
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
    const { name, fabric } = stage.layout;
    if (!limit.fabrics.includes(fabric) && !limit.fabrics.includes(name)) return await runs.holds(t);
    t.diagnostic(`${name} cannot hold this: ${limit.whatHappens}`);
    await runs.instead(t);
  });
}
