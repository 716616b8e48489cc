#!/usr/bin/env node
/** Takes off what install.mjs has put on this machine: the service, its units, Signalbox; settings only when told so. */

import fs from "node:fs";
import path from "node:path";
import {
  environmentDirectory,
  isSystemdHere,
  markerName,
  readOptions,
  run,
  say,
  unitDirectory,
  usesPrefix,
} from "./install-parts.mjs";

const usage = `Usage: node scripts/uninstall.mjs [--name NAME] [--prefix DIR] [--destdir DIR] [--purge]

Stops the service, and removes its units and, unless other units use it, Signalbox. Settings and the application's files
(/var/lib/NAME) stay.

  --name NAME    name of the units [signalbox]
  --prefix DIR   where Signalbox is [/opt/signalbox]
  --destdir DIR  all of it is below this directory; systemd is not told
  --purge        remove the settings as well
`;

function main() {
  const options = readOptions({ name: { type: "string", default: "signalbox" }, purge: { type: "boolean" } }, usage);
  if (options === undefined) return 2;
  const { name, destdir } = options;
  const below = (inside) => path.join(destdir, inside);
  const units = [`${name}.socket`, `${name}.service`, `${name}@.socket`, `${name}@.service`].filter((unit) =>
    fs.existsSync(below(`${unitDirectory}/${unit}`)),
  );
  const isTold = destdir === "" && isSystemdHere();
  // Of a template: all instances.
  if (isTold && units.length > 0) {
    run("systemctl", ["disable", ...units]);
    run("systemctl", ["stop", ...units.map((unit) => unit.replace("@.", "@*."))]);
  }
  for (const unit of units) remove(below(`${unitDirectory}/${unit}`));
  if (isTold) run("systemctl", ["daemon-reload"]);
  const others = findOthers(below(unitDirectory), options.prefix);
  if (others.length > 0) say(`${below(options.prefix)} stays: ${others.join(", ")} use it`);
  else removePackage(below(options.prefix));
  if (options.purge) remove(below(`${environmentDirectory}/${name}.env`));
  return 0;
}

/** Units that are left, and run from there. */
function findOthers(directory, prefix) {
  if (!fs.existsSync(directory)) return [];
  const services = fs.readdirSync(directory).filter((name) => name.endsWith(".service"));
  return services.filter((name) => {
    const file = path.join(directory, name);
    // Masked units are links to nothing.
    return fs.statSync(file, { throwIfNoEntry: false })?.isFile() && usesPrefix(fs.readFileSync(file, "utf8"), prefix);
  });
}

function removePackage(prefix) {
  if (fs.existsSync(path.join(prefix, markerName))) remove(prefix);
  else if (fs.existsSync(prefix)) say(`${prefix} was not made by install.mjs, and stays`);
}

function remove(file) {
  if (!fs.existsSync(file)) return;
  fs.rmSync(file, { recursive: true });
  say(`removed ${file}`);
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`uninstall: ${error.message}\n`);
  process.exitCode = 1;
}
