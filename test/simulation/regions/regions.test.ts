/** Linked regions on virtual time: thousands of random histories of cut links, moved links and killed routers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkSession } from "../../../src/link/link-session.js";
import { JoinsUnderWay } from "../../../src/router/host-bus/joins-under-way.js";
import { AckGate } from "../../../src/router/region-link/ack-gate.js";
import { RegionTruth } from "../../../src/router/region-link/region-truth.js";
import { OriginFilter } from "../../../src/routing/origin-filter.js";
import { replace } from "../replace.js";
import { type RegionResult, runRegions } from "./run-regions.js";

const isFull = process.env["TEST_SIZE"] === "full";
const seeds = isFull ? 5_000 : 40;
const steps = 120;

test(`regions keep their promises in the histories of seeds 1 to ${seeds}`, { timeout: 600_000 }, () => {
  const sum = { deliveries: 0, lost: 0, kills: 0, cuts: 0 };
  for (let seed = 1; seed <= seeds; seed++) {
    const result: RegionResult = runRegions({ seed, steps });
    if (result.violation !== undefined) {
      const trace: string[] = [];
      runRegions({ seed, steps, writeTrace: (line) => trace.push(line) });
      assert.fail(`seed ${seed}: ${result.violation}\n${trace.slice(-60).join("\n")}`);
    }
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += result[name];
  }
  // A history in which nothing happens keeps every promise.
  assert.ok(sum.deliveries > 50 * seeds, `${sum.deliveries} deliveries`);
  assert.ok(sum.kills > seeds / 2 && sum.cuts > seeds, `${sum.kills} kills, ${sum.cuts} cuts`);
  assert.ok(sum.lost > seeds / 10, `${sum.lost} lost`);
});

test("is the same each time: a seed is its history", () => {
  const traces = [[], []] as [string[], string[]];
  for (const trace of traces) runRegions({ seed: 5, steps, writeTrace: (line) => trace.push(line) });
  assert.ok(traces[0].length > steps);
  assert.deepEqual(withoutLinkIds(traces[0]), withoutLinkIds(traces[1]));
});

/** They are counted on over all histories of a process. */
function withoutLinkIds(trace: readonly string[]): string[] {
  return trace.map((line) => line.replace(/link \d+/g, "link"));
}

/** Each makes one rule of the links not hold, until what it answers is called. */
const brokenRules: Readonly<Record<string, () => () => void>> = {
  "a link is acknowledged before what came has been passed on": () =>
    replace(AckGate.prototype, "advance", () => () => Number.MAX_SAFE_INTEGER),
  "what comes again is taken again": () => replace(OriginFilter.prototype, "isNew", () => () => true),
  "other hosts' rooms are not announced to other regions": () =>
    replace(RegionTruth.prototype, "listRooms", () => function* () {}),
  "joins of other regions count as carried out at once": () => replace(JoinsUnderWay.prototype, "note", () => () => {}),
  "what was not acknowledged is given up with the link": () =>
    replace(
      LinkSession.prototype,
      "noteCarrier",
      (former) =>
        function (this: LinkSession, isUp, nowMs) {
          if (!isUp && this.peerIncarnation.length === 2) this.giveUpAll();
          former.call(this, isUp, nowMs);
        },
    ),
};

for (const [what, breakIt] of Object.entries(brokenRules)) {
  test(`it is noticed when ${what}`, () => {
    const mend = breakIt();
    try {
      for (let seed = 1; seed <= 200; seed++) if (runRegions({ seed, steps }).violation !== undefined) return;
    } finally {
      mend();
    }
    assert.fail("no history has shown it");
  });
}

test("it is noticed when hosts without Redis are not told what they may have missed of a link that has moved", () => {
  const mend = replace(AckGate.prototype, "takeKept", () => () => []);
  try {
    for (let seed = 3; seed <= 200; seed += 4) if (runRegions({ seed, steps }).violation !== undefined) return;
  } finally {
    mend();
  }
  assert.fail("no history has shown it");
});
