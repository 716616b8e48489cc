/**
 * Makes a fresh clone ready for one npm script: dependencies, build, and for the tests Debian's packages. It says what
 * it will do before it does it, and does nothing that is done already. It starts no service.
 */

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

const needsByTask = {
  start: { build: true, systemPackages: false },
  unit: { build: false, systemPackages: false },
  test: { build: true, systemPackages: true },
  check: { build: false, systemPackages: false },
  bench: { build: true, systemPackages: false },
};

const minimumNode = { major: 20, minor: 19 };
const heartbeatMs = 10_000;
const terminalRefreshMs = 500;

/** Something that stops the script; `help` is the one command (or sentence) that gets further. */
class BootstrapError extends Error {
  constructor(message, help, exitCode = 1) {
    super(message);
    this.help = help;
    this.exitCode = exitCode;
  }
}

const task = process.argv[2];
const isAllowedToChange = !["no", "0", "false", "off"].includes((process.env.SIGNALBOX_BOOTSTRAP || "").toLowerCase());
const isCi = !["", "0", "false"].includes((process.env.CI || "").toLowerCase());

async function main() {
  const needs = needsByTask[task];
  if (needs === undefined) {
    const tasks = Object.keys(needsByTask).join("|");
    throw new BootstrapError(`"${task || ""}" is no task of the bootstrap.`, `node scripts/bootstrap.mjs ${tasks}`);
  }
  checkPlatform();
  checkNodeVersion();
  // Loaded only now: older versions of Node would stop at its syntax instead of telling their version.
  const parts = await import("./bootstrap-parts.mjs");

  const plan = makePlan(parts, needs);
  if (plan.installReason === undefined && plan.buildReason === undefined && plan.missing.length === 0) return;
  if (!isAllowedToChange) return refuse(parts, plan);

  if (plan.installReason !== undefined || plan.buildReason !== undefined) {
    await parts.withProjectLock(() => prepareDirectory(parts, needs), sayWaiting);
  }
  if (plan.missing.length > 0) await prepareMachine(parts);
}

function checkPlatform() {
  if (process.platform !== "win32") return;
  throw new BootstrapError(
    "Signalbox does not run on Windows: it hands open sockets from process to process and joins them by Unix sockets.",
    "Run it in the Windows Subsystem for Linux: wsl --install -d Debian",
  );
}

function checkNodeVersion() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > minimumNode.major || (major === minimumNode.major && minor >= minimumNode.minor)) return;
  const wanted = `${minimumNode.major}.${minimumNode.minor}`;
  throw new BootstrapError(
    `Signalbox needs Node ${wanted} or newer; this is ${process.version}.`,
    suggestNodeCommand(),
  );
}

function suggestNodeCommand() {
  if (process.env.NVM_DIR) return "nvm install 24";
  if (process.env.FNM_DIR) return "fnm use --install-if-missing 24";
  if (process.env.VOLTA_HOME) return "volta install node@24";
  return isRoot() ? "npx --yes n 24" : "sudo npx --yes n 24";
}

/** What is missing, and why; nothing is changed. */
function makePlan(parts, needs) {
  return {
    installReason: parts.findInstallReason(),
    buildReason: needs.build ? parts.findBuildReason() : undefined,
    missing: needs.systemPackages ? parts.findMissingPrograms() : [],
  };
}

function refuse(parts, plan) {
  const faults = [];
  if (plan.installReason !== undefined) faults.push({ text: plan.installReason, help: "npm ci --include=dev" });
  if (plan.buildReason !== undefined) faults.push({ text: plan.buildReason, help: "npm run build" });
  if (faults.length === 0) return acceptMissingPrograms(parts, plan.missing);
  const texts = faults.map((fault) => fault.text).join("; ");
  throw new BootstrapError(
    `SIGNALBOX_BOOTSTRAP=no leaves the machine alone, but ${texts}.`,
    faults.map((fault) => fault.help).join(" && "),
  );
}

/** Runs under the lock, so everything is looked at again: the process waited for may have done it all. */
async function prepareDirectory(parts, needs) {
  const installReason = parts.findInstallReason();
  if (installReason !== undefined) await install(parts, installReason);
  const buildReason = needs.build ? parts.findBuildReason() : undefined;
  if (buildReason === undefined) return;
  say(`building dist/, because ${buildReason}`);
  const startedMs = Date.now();
  try {
    await parts.build();
  } catch (error) {
    if (!(error instanceof parts.BuildError)) throw error;
    throw new BootstrapError(error.message, "Correct the errors above, then: npm run build");
  }
  say(`built in ${formatSeconds(startedMs)}`);
}

async function install(parts, reason) {
  // npm's own waits between attempts add up to minutes without a network.
  const patience = ["--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"];
  const command = parts.npmCommand(["ci", "--include=dev", ...patience]);
  say(`installing dependencies into node_modules (npm ci --include=dev), because ${reason}`);
  const startedMs = Date.now();
  const result = await run("npm ci", command.file, command.args, process.env);
  if (result.code !== 0) {
    process.stderr.write(result.tail);
    throw new BootstrapError(...explainNpmFailure(result));
  }
  for (const line of result.lines) if (line.startsWith("npm warn EBADENGINE")) say(line);
  parts.writeInstallStamp();
  say(`dependencies installed in ${formatSeconds(startedMs)}`);
}

function explainNpmFailure({ tail }) {
  const help = "npm ci --include=dev";
  if (
    /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED)\b/.test(
      tail,
    )
  ) {
    return [
      "The npm registry cannot be reached, so the dependencies cannot be installed.",
      `When the network is back: ${help}`,
    ];
  }
  if (/\b(EACCES|EPERM|EROFS)\b/.test(tail)) {
    return [`${root} or npm's cache cannot be written by this user.`, `sudo chown -R "$(id -un)" "${root}" ~/.npm`];
  }
  if (/\bENOSPC\b/.test(tail)) return ["The disk is full.", `Make room, then: ${help}`];
  return ["npm could not install the dependencies (its words are above).", help];
}

/** Debian's packages for the tests: installed when this user may, else the command is shown and those tests are skipped. */
async function prepareMachine(parts) {
  const missing = parts.findMissingPrograms();
  if (missing.length === 0) return;
  const obstacle = parts.findAptObstacle();
  if (obstacle !== undefined) return acceptMissingPrograms(parts, missing, obstacle);
  const packages = missing.map((program) => program.package);
  say(`installing Debian packages for the tests: ${packages.join(", ")}; none of their services is started or enabled`);
  const startedMs = Date.now();
  // Debian's own packages are one for the whole machine: two clones must not disagree about policy-rc.d.
  const result = await parts.withProjectLock(() => parts.installSystemPackages(packages, run, say), sayWaiting);
  if (result.fault !== undefined) {
    process.stderr.write(result.tail || "");
    throw new BootstrapError(result.fault, parts.aptCommandFor(packages));
  }
  const still = parts.findMissingPrograms();
  if (still.length > 0) {
    const names = still.map((program) => program.name).join(", ");
    throw new BootstrapError(`${names} cannot be found although installed.`, parts.aptCommandFor(packages));
  }
  say(`Debian packages installed in ${formatSeconds(startedMs)}; ${result.note}`);
}

function acceptMissingPrograms(parts, missing, obstacle) {
  if (missing.length === 0) return;
  const names = missing.map((program) => program.name).join(", ");
  const help = parts.aptCommandFor(missing.map((program) => program.package));
  const why = obstacle === undefined ? "" : ` (${obstacle})`;
  if (isCi) throw new BootstrapError(`The tests need ${names}, and CI must not skip any${why}.`, help);
  say(`not installed: ${names}${why}. The tests that need them are skipped. To run them: ${help}`);
}

let runningChild;
let interruptedBy;

/** Runs a program, shows that time passes, and keeps the end of what it said. */
function run(label, file, args, env) {
  if (interruptedBy !== undefined) throw new BootstrapError(`Interrupted by ${interruptedBy}.`, `npm run ${task}`, 130);
  const startedMs = Date.now();
  const lines = [];
  const isTerminal = process.stdout.isTTY === true;
  const showProgress = () => {
    const last = (lines.filter((line) => !line.startsWith("npm ")).pop() || "").slice(0, 60);
    const text = `signalbox: ${label} ... ${Math.round((Date.now() - startedMs) / 1000)} s  ${last}`;
    process.stdout.write(isTerminal ? `\r\x1b[2K${text}` : `${text}\n`);
  };
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    runningChild = child;
    const timer = setInterval(showProgress, isTerminal ? terminalRefreshMs : heartbeatMs);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text) => {
        for (const line of text.split(/[\r\n]+/)) if (line.trim() !== "") lines.push(line.trimEnd());
      });
    }
    const end = () => {
      clearInterval(timer);
      runningChild = undefined;
      if (isTerminal) process.stdout.write("\r\x1b[2K");
    };
    child.once("error", (error) => {
      end();
      reject(new BootstrapError(`${file} cannot be run: ${error.message}`, `which ${file}`));
    });
    child.once("close", (code, signal) => {
      end();
      if (interruptedBy === undefined)
        resolve({ code: signal === null ? code : 1, lines, tail: `${lines.slice(-40).join("\n")}\n` });
      else reject(new BootstrapError(`Interrupted by ${interruptedBy}.`, `npm run ${task}`, 130));
    });
  });
}

/** The child is ended first and waited for, so that locks and policy files are put away on the normal path. */
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    interruptedBy = signal;
    if (runningChild === undefined) process.exit(130);
    runningChild.kill(signal);
  });
}

function sayWaiting(pid, seconds) {
  say(`waiting for process ${pid}, which is preparing the same directory (${seconds} s)`);
}

function say(text) {
  process.stdout.write(`signalbox: ${text}\n`);
}

function formatSeconds(startedMs) {
  return `${((Date.now() - startedMs) / 1000).toFixed(1)} s`;
}

function isRoot() {
  return typeof process.getuid === "function" && process.getuid() === 0;
}

main().catch((error) => {
  if (!(error instanceof BootstrapError)) {
    process.stderr.write(
      `signalbox: ${error.stack}\nsignalbox: try: rm -rf node_modules dist && npm ci --include=dev && npm run build\n`,
    );
    process.exitCode = 1;
    return;
  }
  process.stderr.write(`signalbox: ${error.message}\n${error.help ? `signalbox: try: ${error.help}\n` : ""}`);
  process.exitCode = error.exitCode;
});
