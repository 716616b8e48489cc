/** Runs one seed of the simulation again and prints what happened, as the message of a failing seed says. */

import { replay } from "./replays.js";

const { text, result } = await replay(process.argv.slice(2));
process.stdout.write(`${text}\n`);
process.exitCode = result.violation === undefined ? 0 : 1;
