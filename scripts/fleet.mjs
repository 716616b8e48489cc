/**
 * Starts Redis and several hosts on this machine, and nginx if it is wanted, to try a fleet out: prints where each is, follows
 * their logs, and ends all of it on Ctrl-C. It keeps nothing: Redis has its data in memory, and its socket in a temporary directory.
 */

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { prettyFactory } from "pino-pretty";
import { findNginx, startNginx } from "./fleet-nginx.mjs";
import { createRegionSettings, nameLinkSocket, openWays } from "./fleet-regions.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const cli = path.join(root, "dist/cli/main.js");
const redisTimeoutMs = 10_000;
/** A host that is told to end drains first; whoever is still there after this is killed. */
const endTimeoutMs = 15_000;
const maxHosts = 64;

const usage = `npm run fleet -- [options]

Starts Redis and several hosts on this machine, and follows their logs. Ctrl-C ends all of it.

  --hosts COUNT     hosts to start [3], of each region if there are several
  --regions NAMES   regions, each with a Redis of its own, linked to each other: eu,us [one region]
  --latency TIME    what each way between two regions takes: 80ms [0ms]
  --workers COUNT   workers of each host [2]
  --app PATH        application to run [the demo]
  --port FIRST      port of the first host, the others follow [any free ports]
  --redis URL       a Redis that is there already, instead of one of its own
  --nginx           put an nginx in front of the hosts, on any free port
  --stock           run the fabric stock instead of routed
  -h, --help        print this
`;

const pretty = prettyFactory({
  colorize: process.stdout.isTTY === true,
  ignore: "pid,hostname,hostKey,adminPort",
  singleLine: true,
});

/** A mistake of the caller: told without a stack. */
class UsageError extends Error {}

async function main() {
  const options = readOptions();
  if (options === undefined) return 0;
  const nginx = options.hasNginx ? await requireNginx() : undefined;
  const directory = mkdtempSync(path.join(tmpdir(), "sbx-fleet-"));
  const ending = waitForEnd();
  endWithOutput(() => ending.note("nobody reads the output any more"));
  const processes = [];
  let ways = [];
  try {
    const hosts = [];
    const { regions } = options;
    const listSettings = regions.length > 1 ? createRegionSettings(regions, directory) : () => ({});
    const linkSockets = {};
    for (const region of regions) {
      const redisUrl = options.redis ?? (await startRedis(directory, region, processes));
      for (let count = 0; count < options.hosts; count++) {
        const index = hosts.length;
        const settings = { SIGNALBOX_REDIS_URL: redisUrl, ...listSettings(region, index + 1) };
        hosts.push(startHost(index, options, settings, directory, processes));
        linkSockets[region] = [...(linkSockets[region] ?? []), nameLinkSocket(directory, index + 1)];
      }
    }
    if (regions.length > 1) ways = await openWays(linkSockets, options.latencyMs, directory);
    for (const host of hosts) host.ended.then((how) => ending.note(`host ${host.number} has ended (${how})`));
    const addresses = await Promise.race([Promise.all(hosts.map(async ({ ready }) => await ready)), ending.reason]);
    if (Array.isArray(addresses)) {
      const front = nginx === undefined ? undefined : await startFront(nginx, addresses, directory, processes);
      front?.ended.then((how) => ending.note(`nginx has ended (${how})`));
      say(`\n${hosts.length} hosts are ready. Ctrl-C ends them.`);
      for (const [index, address] of addresses.entries()) {
        const region = regions.length > 1 ? `  in ${regions[Math.floor(index / options.hosts)]}` : "";
        say(`  host ${index + 1}  ${address}${region}`);
      }
      if (front !== undefined) say(`  nginx   ${front.url}`);
      say("");
    }
    const reason = await ending.reason;
    if (reason !== undefined) process.stderr.write(`${reason}: the others are told to end as well\n`);
    return reason === undefined ? 0 : 1;
  } finally {
    await endAll(processes);
    for (const way of ways) way.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function readOptions() {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        hosts: { type: "string", default: "3" },
        workers: { type: "string", default: "2" },
        app: { type: "string" },
        port: { type: "string", default: "0" },
        redis: { type: "string" },
        regions: { type: "string", default: "default" },
        latency: { type: "string", default: "0ms" },
        nginx: { type: "boolean", default: false },
        stock: { type: "boolean", default: false },
        help: { type: "boolean", short: "h" },
      },
    }));
  } catch (error) {
    throw new UsageError(`${error.message}\n\n${usage}`);
  }
  if (values.help) {
    process.stdout.write(usage);
    return undefined;
  }
  const hosts = readCount("--hosts", values.hosts, 1, maxHosts);
  const regions = readRegions(values);
  if (values.app !== undefined && !existsSync(values.app))
    throw new UsageError(`--app: there is no file ${values.app}`);
  return {
    hosts,
    workers: readCount("--workers", values.workers, 1, 256),
    port: readCount("--port", values.port, 0, 65_535 - hosts * regions.length),
    regions,
    latencyMs: readLatency(values.latency),
    app: values.app,
    redis: values.redis,
    hasNginx: values.nginx,
    fabric: values.stock ? "stock" : "routed",
  };
}

function readRegions({ regions: text, redis, nginx, stock }) {
  const regions = text.split(",");
  const areNames = regions.every((name) => /^[a-z0-9][a-z0-9-]{0,31}$/.test(name));
  if (!areNames || new Set(regions).size !== regions.length || regions.length > 8) {
    throw new UsageError(`--regions is to be up to 8 names like eu,us, and not ${JSON.stringify(text)}`);
  }
  if (regions.length > 1 && (redis !== undefined || nginx || stock)) {
    throw new UsageError(
      "--regions goes without --redis, --nginx and --stock: each region has its own Redis, and the fabric is routed",
    );
  }
  return regions;
}

function readLatency(text) {
  const [, digits] = /^(\d{1,5})(?:ms)?$/.exec(text) ?? [];
  if (digits === undefined) throw new UsageError(`--latency is to be like 80ms, and not ${JSON.stringify(text)}`);
  return Number(digits);
}

function readCount(name, text, least, most) {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= least && count <= most) return count;
  throw new UsageError(`${name} is to be a whole number from ${least} to ${most}, and not ${JSON.stringify(text)}`);
}

/** `reason` resolves when somebody wants an end (with undefined), or something has ended by itself. */
function waitForEnd() {
  let note = () => {};
  const reason = new Promise((resolve) => {
    note = resolve;
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => note(undefined));
  return { reason, note };
}

/** Starts a Redis that only this user reaches, and resolves with its URL when it answers. */
async function startRedis(directory, region, processes) {
  const socket = path.join(directory, `redis-${region}.sock`);
  const args = ["--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--save", "", "--appendonly", "no"];
  // A group of its own: Ctrl-C is for this script, which ends Redis after the hosts.
  const child = spawn("redis-server", [...args, "--dir", directory], {
    stdio: ["ignore", "ignore", "inherit"],
    detached: true,
  });
  processes.push({ child, isLast: true });
  const failed = new Promise((resolve) => {
    child.once("error", (error) => resolve(error));
    child.once("exit", (code, signal) => resolve(new Error(`redis-server has ended (${signal ?? code})`)));
  });
  for (const deadlineMs = performance.now() + redisTimeoutMs; performance.now() < deadlineMs; ) {
    if (await isAnswering(socket)) return `unix://${socket}`;
    const error = await Promise.race([failed, pause(20)]);
    if (error?.code === "ENOENT") {
      throw new UsageError(
        "redis-server is not installed. On Debian or Ubuntu: sudo apt-get install redis-server. Or name one with --redis URL.",
      );
    }
    if (error !== undefined) throw error;
  }
  throw new Error(`redis-server does not answer after ${redisTimeoutMs} ms`);
}

async function isAnswering(socket) {
  return await new Promise((resolve) => {
    const connection = connect(socket);
    connection.once("connect", () => connection.write("PING\r\n"));
    connection.once("data", (data) => {
      connection.destroy();
      resolve(data.toString().startsWith("+PONG"));
    });
    connection.once("error", () => resolve(false));
  });
}

/** Before anything is started: without it there is nothing to try out. */
async function requireNginx() {
  const nginx = await findNginx();
  if (nginx !== undefined) return nginx;
  throw new UsageError(
    "nginx is not installed. On Debian or Ubuntu: sudo apt-get install nginx-light. Or leave --nginx out.",
  );
}

async function startFront(nginx, addresses, directory, processes) {
  const hosts = addresses.map((address, index) => ({ hostKey: nameHost(index), address: new URL(address).host }));
  return await startNginx(nginx, hosts, directory, processes, (line) => say(`nginx  | ${line}`));
}

/** On one machine with ports from the system, all hosts would derive the same key. */
function nameHost(index) {
  return `h${String(index + 1).padStart(3, "0")}`;
}

function startHost(index, { app, port, workers, fabric }, settings, directory, processes) {
  const number = index + 1;
  const env = {
    ...process.env,
    SIGNALBOX_HOST_KEY: nameHost(index),
    SIGNALBOX_PORT: String(port === 0 ? 0 : port + index),
    SIGNALBOX_ADMIN_PORT: "0",
    SIGNALBOX_WORKERS: String(workers),
    SIGNALBOX_FABRIC: fabric,
    SIGNALBOX_RUNTIME_DIR: path.join(directory, String(number)),
    SIGNALBOX_LOG_FORMAT: "json",
    ...settings,
  };
  const child = spawn(process.execPath, [cli, "start", ...(app === undefined ? [] : [app])], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const ended = new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  processes.push({ child, isLast: false });
  const ready = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [, address] = /"msg":"Ready at (\S+)/.exec(line) ?? [];
      if (address !== undefined) resolve(address);
      follow(number, line.startsWith("{") ? pretty(line).trimEnd() : line);
    });
  });
  createInterface({ input: child.stderr }).on("line", (line) => follow(number, line));
  return { number, ready, ended };
}

function follow(number, text) {
  for (const line of text.split("\n")) say(`host ${number} | ${line}`);
}

/** Without a reader of the output nobody is trying the fleet out any more: it ends as with Ctrl-C. */
function endWithOutput(note) {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", note);
}

function say(line) {
  process.stdout.write(`${line}\n`);
}

/** Hosts first: one that loses its Redis would say so, and nginx carries what their clients are told. */
async function endAll(processes) {
  for (const isLast of [false, true]) {
    await Promise.all(processes.filter((each) => each.isLast === isLast).map(async ({ child }) => await end(child)));
  }
}

async function end(child) {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const limit = setTimeout(() => child.kill("SIGKILL"), endTimeoutMs);
  await ended;
  clearTimeout(limit);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof UsageError ? error.message : error.stack}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
