// Reads the options of a scenario and says in one line what is wrong with them.
import { parseArgs } from "node:util";

/** The caller's mistake, not ours: shown as one line, without a stack. */
export class UsageError extends Error {}

/** Values by option name; a table entry is what `parseArgs` wants, with a `help` text beside it. */
export function parseOptions(args, table) {
  try {
    return parseArgs({ args, options: table }).values;
  } catch (error) {
    const [firstSentence] = error.message.split(/\.\s|\n/);
    throw new UsageError(`${firstSentence} (--help shows all options)`);
  }
}

export function readNumber(values, name, { min, max, isInteger = false }) {
  const value = Number(values[name]);
  if (values[name].trim() === "" || !(value >= min && value <= max) || (isInteger && !Number.isInteger(value))) {
    throw new UsageError(`--${name} must be ${isInteger ? "a whole number" : "a number"} from ${min} to ${max}`);
  }
  return value;
}

/** The names of a list "a,b,c", each of them once and known. */
export function readNames(values, name, knownNames) {
  const names = [...new Set(values[name].split(",").filter(Boolean))];
  const unknown = names.find((text) => !knownNames.includes(text));
  if (unknown !== undefined) {
    throw new UsageError(`--${name}: "${unknown}" is none of ${knownNames.join(", ")}`);
  }
  if (names.length === 0) {
    throw new UsageError(`--${name} needs at least one of ${knownNames.join(", ")}`);
  }
  return names;
}

export function showOptions(usage, table) {
  const width = Math.max(...Object.keys(table).map((name) => name.length)) + 2;
  console.log(`Usage: ${usage}\n`);
  for (const [name, { default: value, help }] of Object.entries(table)) {
    const hasDefault = value !== undefined && value !== false && !Array.isArray(value);
    console.log(`  --${name.padEnd(width)}${help}${hasDefault ? ` (default ${value})` : ""}`);
  }
}
