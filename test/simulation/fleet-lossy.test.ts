/** The same as fleet.test.ts with a bus that loses, doubles and reorders messages: in even seeds it does. */

import { describe, test } from "node:test";
import { checkHistories, checkRepeats, listSeedBatches } from "./fleet-histories.js";

describe("a fleet on virtual time, over a bus that loses much", { timeout: 600_000 }, () => {
  for (const { title, seeds } of listSeedBatches(2)) test(title, () => checkHistories(seeds));

  test("is the same each time: a seed is its history", () => checkRepeats(78));
});
