/** The simulation notices when a rule of the fabric is broken, and says how to see it again. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { brokenFleetRules } from "./broken-fleet-rules.js";
import { brokenRules } from "./broken-rules.js";
import { explainFailure, replay, run } from "./replays.js";

const steps = 200;
const fleetSteps = 60;
/** Most are noticed in the first few. */
const maxSeeds = 400;
/** It needs an announcement between the asking for a part and the part, of what is in that part. */
const moreSeeds: ReadonlyMap<string, number> = new Map([["parts-override-news", 3_000]]);
const isFull = process.env["TEST_SIZE"] === "full";
/** It takes dozens of seeds until these come to matter: at full size only. */
const noticedLate = new Set([
  "bye-ignored",
  "first-snapshot-is-truth",
  "gap-not-noticed",
  "hosts-not-awaited",
  "host-joins-done-too-soon",
  "incomplete-view-trusted",
  "lost-counted-wrong",
  "nobody-expected",
  "parts-override-news",
  "the-dead-are-waited-for",
  "uncertain-sent-again",
  "unreachable-awaited",
  "volatile-kept",
]);
const root = fileURLToPath(new URL("../..", import.meta.url));

/** The first seed that notices. */
async function findFailure(broken: string, isFleet = false): Promise<number> {
  const seeds = moreSeeds.get(broken) ?? maxSeeds;
  for (let seed = 1; seed <= seeds; seed++) {
    if ((await run({ seed, steps: isFleet ? fleetSteps : steps, broken, isFleet })).violation !== undefined)
      return seed;
  }
  return assert.fail(`none of ${seeds} seeds notices it`);
}

/** The command that a message names, in words. */
function findCommand(message: string): string[] {
  const [, command] = /^replay: (.*)$/m.exec(message) ?? [];
  assert.ok(command !== undefined, message);
  return command.split(" ");
}

describe("a broken rule is noticed, and its replay shows it again", { timeout: 300_000 }, () => {
  for (const { name, what } of brokenRules) {
    if (noticedLate.has(name) && !isFull) continue;
    test(`${name}: ${what}`, async () => {
      const seed = await findFailure(name);
      const message = await explainFailure({ seed, steps, broken: name });
      const [program, , , file, ...args] = findCommand(message);
      assert.deepEqual([program, file], ["node", "test/simulation/replay.ts"]);
      const { result } = await replay(args);
      assert.ok(result.violation !== undefined && message.includes(result.violation), result.violation);
      assert.match(message, /VIOLATION/);
    });
  }

  for (const { name, what } of brokenFleetRules) {
    if (noticedLate.has(name) && !isFull) continue;
    test(`in a fleet: ${name}: ${what}`, async () => {
      const seed = await findFailure(name, true);
      const message = await explainFailure({ seed, steps: fleetSteps, broken: name, isFleet: true });
      const [, , , , ...args] = findCommand(message);
      const { result } = await replay(args);
      assert.ok(result.violation !== undefined && message.includes(result.violation), result.violation);
    });
  }

  test("mended again, all rules hold", async () => {
    assert.equal((await run({ seed: 1, steps })).violation, undefined);
  });

  test("the command is one for a shell: it ends with 1, and prints the violation", async () => {
    const broken = "joins-not-expected";
    const message = await explainFailure({ seed: await findFailure(broken), steps, broken });
    const [, ...args] = findCommand(message);
    const { code, output } = await new Promise<{ code: unknown; output: string }>((resolve) => {
      execFile(process.execPath, args, { cwd: root }, (error, stdout) => {
        resolve({ code: error?.code, output: stdout });
      });
    });
    assert.equal(code, 1);
    assert.ok(output.startsWith(message.split("\n")[0] ?? ""), output);
  });
});
