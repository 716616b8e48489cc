/** The same as regions.test.ts with the even seeds. */

import { describe, test } from "node:test";
import { checkHistories, checkRepeats, listSeedBatches } from "./region-histories.js";

describe("regions on virtual time, even seeds", { timeout: 600_000 }, () => {
  for (const { title, seeds } of listSeedBatches(2)) test(title, () => checkHistories(seeds));

  test("are the same each time: a seed is its history", () => checkRepeats(78));
});
