/** Hosts and the bus between them keep the fabric's promises, whatever happens to them: thousands of random histories. */

import { describe, test } from "node:test";
import { checkHistories, checkRepeats, listSeedBatches } from "./fleet-histories.js";

describe("a fleet on virtual time", { timeout: 600_000 }, () => {
  for (const { title, seeds } of listSeedBatches(1)) test(title, () => checkHistories(seeds));

  test("is the same each time: a seed is its history", () => checkRepeats(77));
});
