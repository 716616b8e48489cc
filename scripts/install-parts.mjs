/** What installing and uninstalling have in common. */

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
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
    // As units have it: then they can be asked whether they use it.
    if (!/^\/[\w.,:+@/ -]*$/.test(values.prefix)) {
      throw new Error(
        `--prefix: ${JSON.stringify(values.prefix)} is not an absolute path of letters, digits, blanks and _.,:+@-`,
      );
    }
    return { ...values, prefix: path.resolve(values.prefix), rest: positionals };
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${usage}`);
    return undefined;
  }
}

/** Throws when a directory is there that install.mjs has not made: it is not to be removed. */
export function refuseForeign(directory) {
  if (!fs.existsSync(directory) || fs.existsSync(path.join(directory, markerName))) return;
  throw new Error(`${directory} is there, and not made by this program: choose another --prefix, or remove it`);
}

/** Where a package goes below the prefix: as it is below the clone. Throws for one that is elsewhere. */
export function nameInside(clone, directory) {
  const name = path.relative(clone, directory);
  if (!name.startsWith("..")) return name;
  throw new Error(`the package ${directory} is not in ${clone}: install from a clone of its own, after npm ci`);
}

/** Whether the text of a unit, or what systemd shows of one, runs the Signalbox of this prefix. */
export function usesPrefix(text, prefix) {
  const program = path.join(prefix, "dist/cli/main.js");
  return ["", '"'].some((quote) => text.includes(` ${quote}${program}${quote} `));
}

/** Services that run from the prefix, out of what `systemctl show --property=Id,ActiveState,ExecStart` prints. */
export function readUsers(shown, prefix) {
  return shown.split("\n\n").flatMap((unit) => {
    const [, id] = /^Id=(.*)$/m.exec(unit) ?? [];
    const isActive = !/^ActiveState=(inactive|failed)$/m.test(unit);
    return id !== undefined && isActive && usesPrefix(unit, prefix) ? [id] : [];
  });
}

/** sd_booted(3) */
export function isSystemdHere() {
  return fs.existsSync("/run/systemd/system");
}

/** Runs a program to its end; throws when it fails. */
export function run(program, args) {
  runWith(program, args, "inherit");
}

/** The same; gives what it prints. */
export function read(program, args) {
  return runWith(program, args, "pipe");
}

function runWith(program, args, stdout) {
  const outcome = spawnSync(program, args, { stdio: ["ignore", stdout, "inherit"], encoding: "utf8" });
  if (outcome.error !== undefined) throw outcome.error;
  if (outcome.status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${outcome.status}`);
  return outcome.stdout;
}

export function say(text) {
  process.stdout.write(`${text}\n`);
}
