/** Linked regions on virtual time: thousands of random histories of cut links, moved links and killed routers. */

import { describe, test } from "node:test";
import { checkHistories, checkRepeats, listSeedBatches } from "./region-histories.js";

describe("regions on virtual time", { timeout: 600_000 }, () => {
  for (const { title, seeds } of listSeedBatches(1)) test(title, () => checkHistories(seeds));

  test("are the same each time: a seed is its history", () => checkRepeats(77));
});
