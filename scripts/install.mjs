#!/usr/bin/env node
/** Puts Signalbox and the units of a service on this machine. Doing it again replaces what is there; settings stay. */

import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import {
  environmentDirectory,
  isSystemdHere,
  markerName,
  readOptions,
  run,
  say,
  unitDirectory,
} from "./install-parts.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

const usage = `Usage: node scripts/install.mjs [--prefix DIR] [--destdir DIR] [--start] [-- flags of signalbox systemd]

Copies the built Signalbox with its packages to a directory, writes the units of a service to ${unitDirectory} and its
settings to ${environmentDirectory}, and tells systemd. Settings that are there already stay. Needs no network.

  --prefix DIR   where Signalbox goes [/opt/signalbox]
  --destdir DIR  put all of it below this directory, to try it or to make a package of it; systemd is not told
  --start        start the service now and at every boot
  --             what follows goes to signalbox systemd: --app PATH, --name NAME, --user USER, --template, settings

For example: node scripts/install.mjs --start -- --app /srv/app/app.js --port 8080
`;

function main() {
  const options = readOptions({ start: { type: "boolean" } }, usage);
  if (options === undefined) return 2;
  const cli = path.join(root, "dist/cli/main.js");
  if (!fs.existsSync(cli)) {
    process.stderr.write("There is no build to install. Run: npm run build\n");
    return 1;
  }
  // First the part that can find faults of the user's.
  const units = fs.mkdtempSync(path.join(os.tmpdir(), "sbx-install-"));
  try {
    const where = ["--signalbox", options.prefix, "--out", units];
    run(process.execPath, [cli, "systemd", ...where, ...options.rest]);
    copyPackage(path.join(options.destdir, options.prefix));
    const names = copyUnits(units, options.destdir);
    tellSystemd(options, names);
  } finally {
    fs.rmSync(units, { recursive: true, force: true });
  }
  return 0;
}

/** Beside the old one first: at no time is there half of it. */
function copyPackage(prefix) {
  if (fs.existsSync(prefix) && !fs.existsSync(path.join(prefix, markerName))) {
    throw new Error(`${prefix} is there, and not made by this program: choose another --prefix, or remove it`);
  }
  const next = `${prefix}.next`;
  const previous = `${prefix}.previous`;
  for (const directory of [next, previous]) fs.rmSync(directory, { recursive: true, force: true });
  fs.mkdirSync(next, { recursive: true, mode: 0o755 });
  for (const name of ["dist", "package.json", "README.md", "CHANGELOG.md", "LICENSE"]) {
    fs.cpSync(path.join(root, name), path.join(next, name), { recursive: true });
  }
  for (const directory of listPackages()) {
    const name = path.relative(root, directory);
    // Packages inside it that it needs are listed themselves; others of it, for development, are not wanted.
    const filter = (source) => source === directory || path.basename(source) !== "node_modules";
    fs.cpSync(directory, path.join(next, name), { recursive: true, dereference: true, filter });
  }
  fs.writeFileSync(path.join(next, markerName), "");
  if (fs.existsSync(prefix)) fs.renameSync(prefix, previous);
  fs.renameSync(next, prefix);
  fs.rmSync(previous, { recursive: true, force: true });
  say(`Signalbox is in ${prefix}`);
}

/** Directories of all packages that Signalbox needs to run, those of its peers included. */
function listPackages() {
  const found = new Set();
  const visit = (manifestPath) => {
    const {
      dependencies = {},
      peerDependencies = {},
      peerDependenciesMeta = {},
    } = JSON.parse(fs.readFileSync(manifestPath, "utf8"));
    for (const name of Object.keys({ ...dependencies, ...peerDependencies })) {
      const directory = createRequire(manifestPath)
        .resolve.paths(name)
        .map((modules) => path.join(modules, name))
        .find((candidate) => fs.existsSync(path.join(candidate, "package.json")));
      if (directory === undefined && peerDependenciesMeta[name]?.optional) continue;
      if (directory === undefined) throw new Error(`the package ${name} is not installed: run npm install`);
      if (found.has(directory)) continue;
      found.add(directory);
      visit(path.join(directory, "package.json"));
    }
  };
  visit(path.join(root, "package.json"));
  return found;
}

function copyUnits(from, destdir) {
  const names = fs.readdirSync(from);
  const copy = (name, directory, mode) => {
    const target = path.join(destdir, directory, name);
    fs.mkdirSync(path.dirname(target), { recursive: true, mode: 0o755 });
    fs.copyFileSync(path.join(from, name), target);
    fs.chmodSync(target, mode);
    say(`wrote ${target}`);
  };
  for (const name of names) {
    const settings = path.join(destdir, environmentDirectory, name);
    if (!name.endsWith(".env")) copy(name, unitDirectory, 0o644);
    else if (!fs.existsSync(settings)) copy(name, environmentDirectory, 0o600);
    else say(`${settings} is there already, and stays as it is`);
  }
  return names.filter((name) => !name.endsWith(".env"));
}

function tellSystemd({ destdir, start }, names) {
  if (destdir !== "") return;
  if (!isSystemdHere()) {
    say("systemd does not run here: it finds the units when it does");
    return;
  }
  run("systemctl", ["daemon-reload"]);
  const service = names.find((name) => name.endsWith(".service"));
  const isTemplate = service.includes("@.");
  if (!start || isTemplate) say(`Start it: systemctl enable --now ${service.replace("@.", "@NAME.")}`);
  else {
    // What runs of an earlier installation is to run the new one.
    run("systemctl", ["enable", service]);
    run("systemctl", ["restart", service]);
    say(`Runs: systemctl status ${service}`);
  }
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`install: ${error.message}\n`);
  process.exitCode = 1;
}
