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
  nameInside,
  read,
  readOptions,
  readUsers,
  refuseForeign,
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
  --start        start the service now and at every boot; whatever else runs from the same prefix is restarted. Without
                 it, nothing may run from there: a running host would go on with parts of the new version
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
  // Whoever installs may keep files to himself; the service runs as somebody else.
  process.umask(0o022);
  // First the part that can find faults of the user's.
  const units = fs.mkdtempSync(path.join(os.tmpdir(), "sbx-install-"));
  try {
    const where = ["--signalbox", options.prefix, "--out", units];
    run(process.execPath, [cli, "systemd", ...where, ...options.rest]);
    const isTold = options.destdir === "" && isSystemdHere();
    const users = isTold ? findUsers(options.prefix) : [];
    if (users.length > 0 && !options.start) {
      throw new Error(
        `${users.join(", ")} run from ${options.prefix}: give --start, which restarts them, or stop them first`,
      );
    }
    copyPackage(path.join(options.destdir, options.prefix));
    const names = copyUnits(units, options.destdir);
    if (isTold) tellSystemd(options, names, users);
    else if (options.destdir === "") say("systemd does not run here: it finds the units when it does");
  } finally {
    fs.rmSync(units, { recursive: true, force: true });
  }
  return 0;
}

/** Services that run from there, those with other names and instances of templates included. */
function findUsers(prefix) {
  return readUsers(read("systemctl", ["show", "--property=Id,ActiveState,ExecStart", "*.service"]), prefix);
}

/** Beside the old one first: at no time is there half of it. */
function copyPackage(prefix) {
  const next = `${prefix}.next`;
  const previous = `${prefix}.previous`;
  const packages = [...listPackages()].map((directory) => ({ directory, name: nameInside(root, directory) }));
  for (const directory of [prefix, next, previous]) refuseForeign(directory);
  for (const directory of [next, previous]) fs.rmSync(directory, { recursive: true, force: true });
  fs.mkdirSync(next, { recursive: true, mode: 0o755 });
  // First of all: what is left of an installation that was cut off is to be known as such.
  fs.writeFileSync(path.join(next, markerName), "");
  for (const name of ["dist", "package.json", "README.md", "CHANGELOG.md", "LICENSE"]) {
    fs.cpSync(path.join(root, name), path.join(next, name), { recursive: true });
  }
  for (const { directory, name } of packages) {
    // Packages inside it that it needs are listed themselves; others of it, for development, are not wanted.
    const filter = (source) => source === directory || path.basename(source) !== "node_modules";
    fs.cpSync(directory, path.join(next, name), { recursive: true, dereference: true, filter });
  }
  // The clone's own modes came along.
  run("chmod", ["-R", "u=rwX,go=rX", next]);
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
    const text = fs.readFileSync(path.join(from, name), "utf8");
    const isChanged = fs.existsSync(target) && fs.readFileSync(target, "utf8") !== text;
    fs.writeFileSync(target, text, { mode });
    fs.chmodSync(target, mode);
    say(`wrote ${target}`);
    if (isChanged && name.endsWith(".socket")) {
      say(
        `It was another before: where it is in use, the old address holds until systemctl restart ${name.replace("@.", "@NAME.")}`,
      );
    }
  };
  for (const name of names) {
    const settings = path.join(destdir, environmentDirectory, name);
    if (!name.endsWith(".env")) copy(name, unitDirectory, 0o644);
    else if (!fs.existsSync(settings)) copy(name, environmentDirectory, 0o600);
    else say(`${settings} is there already, and stays as it is`);
  }
  return names.filter((name) => !name.endsWith(".env"));
}

function tellSystemd({ start }, names, users) {
  run("systemctl", ["daemon-reload"]);
  const service = names.find((name) => name.endsWith(".service"));
  const isTemplate = service.includes("@.");
  if (!start || isTemplate) say(`Start it: systemctl enable --now ${service.replace("@.", "@NAME.")}`);
  else run("systemctl", ["enable", service]);
  if (!start) return;
  // What runs of an earlier installation is to run the new one.
  const restarted = [...new Set([...(isTemplate ? [] : [service]), ...users])];
  if (restarted.length > 0) run("systemctl", ["restart", ...restarted]);
  for (const name of restarted) say(`Runs: systemctl status ${name}`);
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`install: ${error.message}\n`);
  process.exitCode = 1;
}
