/** Runs one seed again and prints what happened: node --import tsx test/simulation/replay.ts --seed 17 --history 300 */

import { parseArgs } from "node:util";
import { runSeed } from "./run-seed.js";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    history: { type: "string" },
    lines: { type: "string" },
    grep: { type: "string" },
  },
});
const lines: string[] = [];
const result = await runSeed({
  seed: Number(values.seed),
  steps: Number(values.history ?? 300),
  writeTrace: (line) => lines.push(line),
});
const grep = values.grep;
console.log(
  lines
    .filter((l) => grep === undefined || new RegExp(grep).test(l))
    .slice(-Number(values.lines ?? 60))
    .join("\n"),
);
console.log(result);
