/** What installing and uninstalling have in common. */

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { parseArgs } from "node:util";

export const unitDirectory = "/etc/systemd/system";
export const environmentDirectory = "/etc/signalbox";
/** Shows that a directory is an installation, and may be removed. */
export const markerName = ".signalbox-installed";

/** The options of both, and those given; undefined after it has said what is wrong with them, or what they are. */
export function readOptions(own, usage) {
  const common = {
    prefix: { type: "string", default: "/opt/signalbox" },
    destdir: { type: "string", default: "" },
    help: { type: "boolean", short: "h" },
  };
  try {
    const { values, positionals } = parseArgs({ options: { ...common, ...own }, allowPositionals: true });
    if (values.help) {
      process.stdout.write(usage);
      process.exit(0);
    }
    if (!values.prefix.startsWith("/")) throw new Error(`--prefix: ${values.prefix} is not an absolute path`);
    return { ...values, rest: positionals };
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${usage}`);
    return undefined;
  }
}

/** sd_booted(3) */
export function isSystemdHere() {
  return fs.existsSync("/run/systemd/system");
}

/** Runs a program to its end; throws when it fails. */
export function run(program, args) {
  const { status, error } = spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}`);
}

export function say(text) {
  process.stdout.write(`${text}\n`);
}
