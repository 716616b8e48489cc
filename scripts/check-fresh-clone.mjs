/**
 * Proves the first minute of a new user: clones HEAD, runs `npm start` with nothing installed, connects to the demo,
 * stops it, and runs the unit tests there (`--full-test`: `npm test`). Ends only what it started, leaves nothing behind.
 */

import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const startTimeoutMs = 300_000;
const connectTimeoutMs = 20_000;
const stopTimeoutMs = 60_000;
const pollMs = 100;
const canListProcesses = fs.existsSync("/proc/self/cwd");

/** A client of the clone's own socket.io-client, by one transport, without the other to fall back on. */
const clientScript = `
import { io } from "socket.io-client";
const socket = io(process.argv[1], { transports: [process.argv[2]], reconnection: false });
socket.on("connect", () => { console.log(socket.id); socket.close(); });
socket.on("connect_error", (error) => { console.error(error.message, error.description ?? ""); process.exit(1); });
`;

const { values: options } = parseArgs({ options: { "full-test": { type: "boolean" } } });
const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "signalbox-clone-")));
const clone = path.join(directory, "signalbox");
const started = new Set();

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(name, () => {
    cleanUp();
    process.exit(130);
  });
}

try {
  await checkFreshClone();
} catch (error) {
  process.stderr.write(`Fresh clone FAILED: ${error.message}\n`);
  process.exitCode = 1;
} finally {
  cleanUp();
}

async function checkFreshClone() {
  const startedMs = performance.now();
  requireNoModulesAbove(directory);
  await timed("git clone", () => runToEnd("git", ["clone", "--quiet", root, clone], { cwd: directory }));

  const port = await findFreePort();
  const adminPort = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const env = { SIGNALBOX_PORT: String(port), SIGNALBOX_ADMIN_PORT: String(adminPort) };
  const host = startProcess("npm", ["start"], { cwd: clone, env });
  await timed("npm start until the page answers", () => waitForPage(`${url}/`, host));
  for (const transport of ["polling", "websocket"]) {
    await timed(`a client connects by ${transport}`, () => connect(url, transport));
  }
  await timed("SIGTERM until nothing is left", () => stop(host));

  const script = options["full-test"] ? "test" : "test:unit";
  await timed(`npm run ${script}`, () => runToEnd("npm", ["run", script], { cwd: clone, isShown: true }));
  const left = listProcessesIn(clone);
  if (left.length > 0) throw new Error(`the tests left processes behind: ${describeProcesses(left)}`);
  process.stdout.write(`Fresh clone ok in ${formatSeconds(startedMs)}\n`);
}

async function timed(label, work) {
  const startedMs = performance.now();
  await work();
  process.stdout.write(`${formatSeconds(startedMs).padStart(8)}  ${label}\n`);
}

/** A node_modules further up would serve what the clone forgot to install. */
function requireNoModulesAbove(start) {
  for (let current = start; ; current = path.dirname(current)) {
    const modules = path.join(current, "node_modules");
    if (fs.existsSync(modules)) throw new Error(`${modules} is in reach of the clone; set TMPDIR to another place.`);
    if (current === path.dirname(current)) return;
  }
}

function findFreePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Starts in a process group of its own, which is what cleaning up ends. */
function startProcess(file, args, { cwd, env = {}, isShown = false }) {
  const child = spawn(file, args, {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    detached: true,
    stdio: ["ignore", isShown ? "inherit" : "pipe", isShown ? "inherit" : "pipe"],
  });
  const handle = { child, output: "", exit: undefined };
  started.add(handle);
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text) => {
      handle.output += text;
    });
  }
  handle.ended = new Promise((resolve) => {
    child.once("error", (error) => {
      handle.exit = { code: 1, signal: null };
      handle.output += error.message;
      resolve(handle.exit);
    });
    child.once("exit", (code, signal) => {
      handle.exit = { code, signal };
      resolve(handle.exit);
    });
  });
  return handle;
}

/** The clone gets neither this project's settings nor what npm tells its scripts about this one. */
function cleanEnvironment() {
  const isForeign = (name) => /^(npm_|SIGNALBOX_|INIT_CWD$|NODE_PATH$|NODE_OPTIONS$)/.test(name);
  const kept = Object.entries(process.env).filter(([name]) => !isForeign(name));
  const env = Object.fromEntries(kept);
  const own = path.join(root, "node_modules", ".bin");
  env.PATH = (env.PATH ?? "")
    .split(path.delimiter)
    .filter((entry) => entry !== own)
    .join(path.delimiter);
  return env;
}

async function runToEnd(file, args, settings) {
  const handle = startProcess(file, args, settings);
  const { code, signal } = await handle.ended;
  if (code === 0) return handle.output;
  throw new Error(`${file} ${args.join(" ").slice(0, 80)} ended with ${signal ?? code}\n${handle.output}`);
}

async function waitForPage(url, host) {
  const deadlineMs = performance.now() + startTimeoutMs;
  while (performance.now() < deadlineMs) {
    if (host.exit !== undefined) throw new Error(`npm start ended with ${host.exit.code}\n${host.output}`);
    const status = await fetch(url).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      () => undefined,
    );
    if (status === 200) return;
    await sleep(pollMs);
  }
  throw new Error(`${url} did not answer 200 within ${startTimeoutMs / 1000} s\n${host.output}`);
}

async function connect(url, transport) {
  const args = ["--input-type=module", "-e", clientScript, url, transport];
  const client = startProcess(process.execPath, args, { cwd: clone });
  const exit = await atMost(connectTimeoutMs, client.ended);
  if (exit?.code !== 0) throw new Error(`no client could connect by ${transport}: ${client.output || "no answer"}`);
}

/** The signal goes to the host itself: npm's exit code is then the host's. */
async function stop(host) {
  if (!canListProcesses) process.kill(-host.child.pid, "SIGTERM");
  else process.kill(findPrimary(host).pid, "SIGTERM");
  const exit = await atMost(stopTimeoutMs, host.ended);
  if (exit?.code !== 0) throw new Error(`after SIGTERM the host ended with ${exit?.code ?? "nothing"}\n${host.output}`);
  const left = listProcessesIn(clone);
  if (left.length > 0) throw new Error(`the host left processes behind: ${describeProcesses(left)}\n${host.output}`);
}

function findPrimary(host) {
  const processes = listProcessesIn(clone);
  const primary = processes.find(({ parent, command }) => {
    return command.endsWith("dist/cli/main.js start") && parent === host.child.pid;
  });
  if (primary === undefined) throw new Error(`the host is not a child of npm: ${describeProcesses(processes)}`);
  return primary;
}

/** Processes that work in the clone; none where the system does not list them (only Linux does). */
function listProcessesIn(home) {
  if (!canListProcesses) return [];
  const found = [];
  for (const name of fs.readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const cwd = fs.readlinkSync(`/proc/${name}/cwd`);
      if (cwd !== home && !cwd.startsWith(`${home}/`)) continue;
      const stat = fs.readFileSync(`/proc/${name}/stat`, "utf8");
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const command = fs.readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      if (state !== "Z") found.push({ pid: Number(name), parent: Number(parent), command });
    } catch {
      // The process ended while it was looked at.
    }
  }
  return found;
}

function describeProcesses(processes) {
  return processes.map(({ pid, command }) => `${pid} ${command}`).join("; ");
}

function cleanUp() {
  for (const { child, exit } of started) {
    if (child.pid === undefined) continue;
    // The group may outlive its first process, but then the number is still the group's.
    const isGone = exit !== undefined && !hasGroup(child.pid);
    if (!isGone) killGroup(child.pid);
  }
  fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

function hasGroup(id) {
  try {
    process.kill(-id, 0);
    return true;
  } catch {
    return false;
  }
}

function killGroup(id) {
  try {
    process.kill(-id, "SIGKILL");
  } catch {
    // Ended by itself in this moment.
  }
}

function sleep(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** What the promise resolves with, or undefined when it takes longer. */
function atMost(ms, promise) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function formatSeconds(startedMs) {
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
}
