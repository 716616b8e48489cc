/** What the bootstrap looks at and changes: node_modules, dist/, and Debian's packages for the tests. */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export { BuildError, build, findBuildReason } from "./build.mjs";
export { withProjectLock } from "./project-lock.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const modulesDirectory = path.join(root, "node_modules");
const stampPath = path.join(modulesDirectory, ".signalbox-bootstrap.json");

// --- Dependencies -------------------------------------------------------------------------------------------------

/** Why the dependencies must be installed, or undefined when node_modules matches the lock file. */
export function findInstallReason() {
  if (!fs.existsSync(modulesDirectory)) return "node_modules is missing";
  const wanted = describeInstall();
  const found = readJson(stampPath);
  if (found === undefined) {
    const fault = findInstallFault();
    if (fault === undefined) writeInstallStamp();
    return fault;
  }
  if (found.lock !== wanted.lock)
    return findInstallFault() === undefined ? writeInstallStamp() : "package-lock.json has changed";
  if (found.runtime !== wanted.runtime)
    return `they were installed for ${found.runtime}, and this is ${wanted.runtime}`;
  // npm writes this file last: without it an installation was interrupted.
  return fs.existsSync(path.join(modulesDirectory, ".package-lock.json"))
    ? undefined
    : "the installation is incomplete";
}

/** Notes what node_modules was installed from; without the right to write there, the next run looks closely again. */
export function writeInstallStamp() {
  try {
    fs.writeFileSync(stampPath, `${JSON.stringify(describeInstall())}\n`);
  } catch {
    return;
  }
}

function describeInstall() {
  const lockText = fs.readFileSync(path.join(root, "package-lock.json"), "utf8");
  const platform = `${process.platform}-${process.arch}`;
  return {
    lock: createHash("sha256").update(lockText).digest("hex"),
    runtime: isBuiltForNodeVersion(lockText) ? `Node ABI ${process.versions.modules} on ${platform}` : platform,
  };
}

/** Only an install script can compile something for this version of Node; those that package.json denies do not run. */
function isBuiltForNodeVersion(lockText) {
  if (!lockText.includes('"hasInstallScript"')) return false;
  const decisions = readJson(path.join(root, "package.json"))?.allowScripts ?? {};
  return Object.entries(JSON.parse(lockText).packages).some(([location, entry]) => {
    const name = location.slice(location.lastIndexOf("node_modules/") + "node_modules/".length);
    return entry.hasInstallScript === true && decisions[name] !== false;
  });
}

/** Compares with npm's own record of what it installed: an `npm ci` or `npm install` by hand counts as well. */
function findInstallFault() {
  const installed = readJson(path.join(modulesDirectory, ".package-lock.json"))?.packages;
  if (installed === undefined) return "node_modules does not say what is in it";
  const wanted = readJson(path.join(root, "package-lock.json"))?.packages ?? {};
  for (const [location, entry] of Object.entries(wanted)) {
    if (location === "" || !isForThisPlatform(entry)) continue;
    const name = location.slice("node_modules/".length);
    if (installed[location] === undefined) return `${name} is not installed`;
    if (installed[location].version !== entry.version) return `${name} is not at ${entry.version}`;
  }
  return undefined;
}

function isForThisPlatform(entry) {
  const isListed = (list, value) =>
    list === undefined ||
    list.includes(value) ||
    (list.some((item) => item.startsWith("!")) && !list.includes(`!${value}`));
  // Which C library runs here is npm's to know: packages that depend on it may be absent.
  if (entry.optional && entry.libc !== undefined) return false;
  return isListed(entry.os, process.platform) && isListed(entry.cpu, process.arch);
}

/** The npm that runs this script when there is one, else the one in PATH. */
export function npmCommand(args) {
  const running = process.env.npm_execpath ?? "";
  return running.endsWith("npm-cli.js") ? { file: process.execPath, args: [running, ...args] } : { file: "npm", args };
}

// --- Debian's packages --------------------------------------------------------------------------------------------

/** Programs that tests start, each with the package that brings it. */
const programs = [
  { name: "redis-server", package: "redis-server" },
  { name: "nginx", package: "nginx" },
  { name: "chromium", package: "chromium" },
];

const policyPath = "/usr/sbin/policy-rc.d";
const policyDenies = 101;
const packageListsDirectory = "/var/lib/apt/lists";
const packageListsMaxAgeMs = 7 * 24 * 3_600_000;

export function findMissingPrograms() {
  // Debian keeps servers in directories that are not in every user's PATH.
  const directories = [...(process.env.PATH ?? "").split(path.delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return programs.filter(
    (program) => !directories.some((directory) => isExecutable(path.join(directory, program.name))),
  );
}

/** Why this script does not install packages itself, or undefined when it does. */
export function findAptObstacle() {
  if (process.platform !== "linux") return "only on Debian are they installed by themselves";
  const release = readText("/etc/os-release") ?? "";
  if (!/^ID=["']?debian["']?$/m.test(release)) {
    // Ubuntu's chromium is a snap: it needs a running snapd and does not see this directory.
    return "only on Debian are they installed by themselves";
  }
  if (!isExecutable("/usr/bin/apt-get")) return "apt-get is missing";
  if (process.getuid() !== 0) return "installing needs root";
  if (fs.existsSync(policyPath) && !doesPolicyDeny())
    return `${policyPath} lets services start, and it is not this script's to change`;
  return undefined;
}

/** An existing policy is asked, never changed: for each package, and for one that no rule of it can name. */
function doesPolicyDeny() {
  const names = [...programs.map((program) => program.package), "signalbox-probe"];
  return names.every((name) => spawnSync(policyPath, [name, "start"], { stdio: "ignore" }).status === policyDenies);
}

export function aptCommandFor(packages) {
  return `${process.getuid() === 0 ? "" : "sudo "}apt-get install -y --no-install-recommends ${packages.join(" ")}`;
}

/**
 * Installs packages without starting or enabling a service. Debian asks policy-rc.d before it starts one: while apt
 * runs, it says no. Debian enables units by links: those that are new afterwards are removed by `disable`.
 */
export async function installSystemPackages(packages, run, say) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (label, ...args) => run(label, "apt-get", ["-o", "DPkg::Lock::Timeout=300", ...args], env);
  const update = async () => {
    say("refreshing Debian's package lists (apt-get update)");
    return apt("apt-get update", "update");
  };
  let isUpdated = false;
  if (arePackageListsOld()) {
    const updated = await update();
    if (updated.code !== 0) return { fault: "Debian's package lists cannot be refreshed.", tail: updated.tail };
    isUpdated = true;
  }

  const linksBefore = new Set(listEnablingLinks());
  let disabled;
  let isolated;
  try {
    isolated = await withServicesDenied(async () => {
      const args = ["install", "-y", "--no-install-recommends", ...packages];
      const installed = await apt("apt-get install", ...args);
      if (installed.code === 0 || isUpdated) return installed;
      // Lists that are a few days old may name packages that the mirror has replaced since.
      const updated = await update();
      return updated.code === 0 ? apt("apt-get install", ...args) : installed;
    });
  } finally {
    // After a failure or Ctrl-C as well: some packages may be set up already.
    disabled = disableNewUnits(linksBefore);
  }
  if (isolated.code !== 0) return { fault: "Debian's packages could not be installed.", tail: isolated.tail };
  if (disabled.remaining.length > 0) return { fault: `Could not disable: ${disabled.remaining.join(", ")}.` };
  return {
    note:
      disabled.units.length === 0
        ? "no service was added"
        : `installed, not started, not enabled: ${disabled.units.join(", ")}`,
  };
}

function arePackageListsOld() {
  try {
    const files = fs
      .readdirSync(packageListsDirectory)
      .filter((name) => name.endsWith("_Packages") || name.includes("_Packages."));
    const newestMs = Math.max(...files.map((name) => fs.statSync(path.join(packageListsDirectory, name)).mtimeMs));
    const directoryMs = fs.statSync(packageListsDirectory).mtimeMs;
    return files.length === 0 || Date.now() - Math.max(newestMs, directoryMs) > packageListsMaxAgeMs;
  } catch {
    return true;
  }
}

async function withServicesDenied(work) {
  const text = `#!/bin/sh\n# Temporary: written by Signalbox's bootstrap while apt runs.\nexit ${policyDenies}\n`;
  if (fs.existsSync(policyPath)) return work();
  // wx: a policy that appears at this moment belongs to somebody else.
  fs.writeFileSync(policyPath, text, { flag: "wx", mode: 0o755 });
  fs.chmodSync(policyPath, 0o755);
  const remove = () => {
    if (readText(policyPath) === text) fs.rmSync(policyPath, { force: true });
  };
  process.once("exit", remove);
  try {
    return await work();
  } finally {
    process.removeListener("exit", remove);
    remove();
  }
}

/** Links by which systemd or SysV init would start something at boot. */
function listEnablingLinks() {
  const links = [];
  for (const base of ["/etc/systemd/system", "/etc/systemd/user"]) {
    for (const directory of listNames(base).filter((name) => /\.(wants|requires)$/.test(name))) {
      for (const name of listNames(path.join(base, directory))) links.push(path.join(base, directory, name));
    }
  }
  for (const level of ["2", "3", "4", "5"]) {
    for (const name of listNames(`/etc/rc${level}.d`).filter((entry) => entry.startsWith("S"))) {
      links.push(`/etc/rc${level}.d/${name}`);
    }
  }
  return links;
}

function disableNewUnits(linksBefore) {
  const isNew = (link) => !linksBefore.has(link);
  const added = listEnablingLinks().filter(isNew);
  const units = new Set();
  const scripts = new Set();
  for (const link of added) {
    if (link.startsWith("/etc/rc")) scripts.add(path.basename(link).replace(/^S\d\d/, ""));
    else units.add(path.basename(link));
  }
  // Debian's own helper: it needs no running systemd, and later upgrades respect what it noted.
  for (const unit of units) spawnSync("deb-systemd-helper", ["disable", unit], { stdio: "ignore" });
  for (const script of scripts) spawnSync("update-rc.d", [script, "disable"], { stdio: "ignore" });
  return {
    units: [...new Set([...units, ...[...scripts].map((script) => `${script}.service`)])],
    remaining: listEnablingLinks().filter(isNew),
  };
}

// --- Files --------------------------------------------------------------------------------------------------------

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

function readText(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function listNames(directory) {
  try {
    return fs.readdirSync(directory);
  } catch {
    return [];
  }
}

function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}
