/** Runs seeds, and says of one that fails what happened and how to run it again. */

import { parseArgs } from "node:util";
import { findBrokenRule } from "./broken-rules.js";
import { runRegions } from "./regions/run-regions.js";
import { runSeed, type SeedResult } from "./run-seed.js";

export interface Replay {
  readonly seed: number;
  readonly steps: number;
  /** Several hosts instead of one. */
  readonly isFleet?: boolean | undefined;
  /** Several regions of hosts, linked. */
  readonly isRegions?: boolean | undefined;
  /** Name of a rule that is broken on purpose. */
  readonly broken?: string | undefined;
}

export const usage =
  "node --import tsx test/simulation/replay.ts --seed <number> --history <steps> [--fleet | --regions] [--broken <rule>] [--lines <count>] [--only <pattern>]";

/** How many of the last events are shown. */
const defaultLines = 40;
/** Shorter histories that are tried when one fails: the shortest one that fails, too, is the easiest to read. */
const shorterSteps = [10, 20, 40, 80, 120];

export async function run(
  { seed, steps, isFleet = false, isRegions = false, broken }: Replay,
  writeTrace?: (line: string) => void,
): Promise<SeedResult> {
  const mend = broken === undefined ? undefined : findBrokenRule(broken).breakIt();
  try {
    if (isRegions) return runRegions({ seed, steps, writeTrace });
    return await runSeed({ seed, steps, isFleet, writeTrace });
  } finally {
    mend?.();
  }
}

/** What a failing seed is worth reading of. @throws Error when it does not fail again: the run is not deterministic then */
export async function explainFailure(failing: Replay): Promise<string> {
  let shortest = failing;
  for (const steps of shorterSteps) {
    if (steps >= failing.steps || (await run({ ...failing, steps })).violation === undefined) continue;
    shortest = { ...failing, steps };
    break;
  }
  const { text, result } = await describe(shortest, { lines: defaultLines });
  if (result.violation === undefined) throw new Error(`seed ${failing.seed} fails only now and then: ${failing.steps}`);
  return text;
}

async function describe(
  replay: Replay,
  show: { readonly lines: number; readonly only?: RegExp | undefined },
): Promise<{ text: string; result: SeedResult }> {
  const lines: string[] = [];
  const result = await run(replay, (line) => {
    if (show.only?.test(line) ?? true) lines.push(line);
  });
  const text = [
    `seed ${replay.seed} (${result.profile}): ${result.violation ?? "no violation"}`,
    `replay: ${renderCommand(replay)}`,
    "the last events:",
    ...lines.slice(-show.lines),
  ].join("\n");
  return { text, result };
}

function renderCommand({ seed, steps, isFleet, isRegions, broken }: Replay): string {
  const what = isRegions === true ? " --regions" : isFleet === true ? " --fleet" : "";
  const rule = broken === undefined ? "" : ` --broken ${broken}`;
  return `node --import tsx test/simulation/replay.ts --seed ${seed} --history ${steps}${what}${rule}`;
}

/** Runs what a replay command says. @throws Error when it says nothing that can be run */
export async function replay(args: readonly string[]): Promise<{ text: string; result: SeedResult }> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string" },
      history: { type: "string" },
      fleet: { type: "boolean" },
      regions: { type: "boolean" },
      broken: { type: "string" },
      lines: { type: "string" },
      only: { type: "string" },
    },
  });
  const [seed, steps, lines] = [values.seed, values.history ?? "200", values.lines ?? "60"].map(Number);
  if (!Number.isInteger(seed) || !Number.isInteger(steps) || !Number.isInteger(lines)) throw new Error(usage);
  return await describe(
    {
      seed: seed as number,
      steps: steps as number,
      isFleet: values.fleet,
      isRegions: values.regions,
      broken: values.broken,
    },
    { lines: lines as number, only: values.only === undefined ? undefined : new RegExp(values.only) },
  );
}
