/** Splits a command line into flags and other words, without knowing what they mean. Pure. */

import { parseArgs } from "node:util";

export type Token = ReturnType<typeof tokenize>[number];

/**
 * Lexes only: with no option declared to take a value, parseArgs leaves the next word a positional, and whether it
 * belongs to the flag is decided by the caller. (Declared as strings, `--port --host x` would make "--host" the port.)
 */
export function tokenize(argv: readonly string[]) {
  const options = { help: { type: "boolean", short: "h" }, version: { type: "boolean", short: "v" } } as const;
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  return tokens;
}
