// Scenario "rooms": a host announces a million rooms to another. How long it takes, what both routers need for it and how long
// they keep messages waiting meanwhile; and the same with the limits as they are by default, where the host is flooded.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startRedis } from "../hosts/redis.mjs";
import { startRouter } from "../router/router-process.mjs";
import { ask } from "../shared/ask.mjs";
import { parseOptions, readNumber, showOptions, UsageError } from "../shared/options.mjs";
import { startPinned, stop } from "../shared/processes.mjs";
import { renderTable, writeJson } from "../shared/report.mjs";

const SERVER_CORE = 0;
const LOAD_CORE = 1;
const DEFAULT_LIMITS = { perWorker: 200_000, perHost: 1_000_000 };
const OTHER_ROOMS = 100; // of the workers that measure: there is room for them
const MESSAGES = 200; // to rooms of the announcing host, when it has announced them
const PATIENCE_MS = 120_000;
const POLL_MS = 20;
const SETTLE_MS = 2_500; // two reports
const HOSTS = ["aaaa", "bbbb"];
const load = fileURLToPath(new URL("./load.mjs", import.meta.url));

const OPTIONS = {
  rooms: { type: "string", default: "1000000", help: "rooms to announce" },
  gates: { type: "boolean", default: false, help: "exit code 1 when a message does not arrive or rooms stay unknown" },
  json: { type: "string", help: "write the figures to this file" },
  help: { type: "boolean", default: false, help: "show this" },
};

export async function run(args) {
  const values = parseOptions(args, OPTIONS);
  if (values.help) {
    showOptions("npm run bench -- rooms [options]", OPTIONS);
    return 0;
  }
  const rooms = readNumber(values, "rooms", { min: 1, max: 10_000_000, isInteger: true });
  if (values.json !== undefined && !existsSync(dirname(resolve(values.json)))) {
    throw new UsageError(`--json: there is no directory ${dirname(resolve(values.json))}`);
  }
  console.log(
    `rooms: ${rooms.toLocaleString("en")} announced by one host to another; routers and Redis on core ${SERVER_CORE}, workers on core ${LOAD_CORE}; about a minute`,
  );
  const more = rooms + OTHER_ROOMS;
  const raised = {
    perWorker: Math.max(more, DEFAULT_LIMITS.perWorker),
    perHost: Math.max(more, DEFAULT_LIMITS.perHost),
  };
  const runs = [];
  for (const [name, limits] of Object.entries({ "limits raised": raised, "limits by default": DEFAULT_LIMITS })) {
    runs.push({ name, limits, ...(await measure(rooms, limits)) });
  }
  show(runs);
  if (values.json !== undefined) {
    writeJson(values.json, { rooms, runs });
  }
  const isPassed = runs.every((each) => judge(each, rooms));
  console.log(`\nall rooms known or the host flooded, all messages arrived: ${isPassed ? "pass" : "FAIL"}`);
  return values.gates && !isPassed ? 1 : 0;
}

function judge({ limits, isFlooded, knownRooms, arrivals }, rooms) {
  const isTooMuch = rooms > limits.perWorker || rooms > limits.perHost;
  return arrivals === MESSAGES && isFlooded === isTooMuch && (isTooMuch || knownRooms === rooms);
}

async function measure(rooms, limits) {
  const directory = mkdtempSync(join(tmpdir(), "sbx-bench-"));
  const redis = await startRedis(SERVER_CORE);
  const processes = [];
  try {
    const redisUrl = await redis.addUser("rooms");
    const hosts = [];
    for (const hostKey of HOSTS) {
      const host = await startHost({ hostKey, directory, redisUrl, limits });
      hosts.push(host);
      processes.push(host.router);
    }
    const startLoad = (name) => {
      const process = startPinned({ name, core: LOAD_CORE, args: [load], ipc: true });
      processes.push(process);
      return process;
    };
    return await announceRooms({ rooms, hosts, announcer: startLoad("announcer"), pinger: startLoad("pinger") });
  } finally {
    await Promise.all(processes.map(stop));
    await redis.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function startHost({ hostKey, directory, redisUrl, limits }) {
  const socketPath = join(directory, `${hostKey}.sock`);
  const bus = {
    redisUrl,
    ca: null,
    channelPrefix: "bench-rooms",
    instance: hostKey,
    name: hostKey,
    isServing: false,
    restarts: 0,
    maxOutboxBytes: 64 * 1_024 * 1_024,
    maxOutboxAgeMs: 60_000,
    unreachableAfterMs: 3_000,
    maxRooms: limits.perHost,
  };
  const more = { bus, maxRoomsPerWorker: limits.perWorker, maxOutboxBytes: 256 * 1_024 * 1_024 };
  const router = await startRouter({ name: hostKey, core: SERVER_CORE, socketPath, hostKey, more });
  const host = { router, hostKey, socketPath, report: undefined };
  router.child.on("message", (message) => {
    if (message.type === "router:report") {
      host.report = message;
    }
  });
  return host;
}

/** What this host knows of the other one. */
const remoteOf = ({ report }) => report?.bus?.hosts[0];

async function announceRooms({ rooms, hosts: [here, there], announcer, pinger }) {
  await waitUntil(() => [here, there].every((host) => remoteOf(host)?.isFlooded === false), "the hosts do not meet");
  const place = ({ hostKey, socketPath }, slot) => ({ socketPath, place: `${hostKey}${slot}` });
  const { bytes } = await ask(announcer, { type: "prepare", ...place(here, "AA"), rooms }, "prepared");
  const paths = [
    { name: "within the announcing host", from: place(here, "AB"), to: place(here, "AC") },
    { name: "within the other host", from: place(there, "AB"), to: place(there, "AC") },
    { name: "from the one to the other", from: place(here, "AD"), to: place(there, "AD") },
    { name: "from the other to the one", from: place(there, "AE"), to: place(here, "AE") },
  ];
  await ask(pinger, { type: "beginPings", paths }, "pinging");
  await sleep(SETTLE_MS);
  const ownRooms = remoteOf(there).rooms; // of the pings
  const quiet = await ask(pinger, { type: "takePings" }, "pings");
  const rssBefore = [here, there].map(readRss);
  const startedMs = performance.now();
  const announced = ask(announcer, { type: "announce" }, "announced");
  const isDone = ({ isFlooded, rooms: known }) => isFlooded || known - ownRooms >= rooms;
  await waitUntil(() => isDone(remoteOf(there)), "the other host does not know the rooms");
  const reportedMs = performance.now() - startedMs;
  const { ms: takenMs } = await announced;
  await sleep(SETTLE_MS);
  const busy = await ask(pinger, { type: "takePings" }, "pings");
  const rssAfter = [here, there].map(readRss);
  await ask(pinger, { type: "send", ...place(there, "AF"), rooms, count: MESSAGES }, "sent");
  const arrivals = await waitForArrivals(announcer);
  const { isFlooded, rooms: known } = remoteOf(there);
  return {
    bytes,
    takenMs,
    reportedMs,
    isFlooded,
    knownRooms: Math.max(0, known - ownRooms), // a flooded host's are not kept
    rss: HOSTS.map((hostKey, i) => ({ hostKey, beforeBytes: rssBefore[i], afterBytes: rssAfter[i] })),
    pings: busy.paths.map(({ name, longestMs, count }, i) => ({
      name,
      longestMs,
      count,
      quietMs: quiet.paths[i].longestMs,
    })),
    arrivals,
  };
}

/** The messages are under way for a moment. */
async function waitForArrivals(announcer) {
  let arrivals = 0;
  const deadlineMs = performance.now() + 5_000;
  while (arrivals < MESSAGES && performance.now() < deadlineMs) {
    await sleep(POLL_MS);
    ({ arrivals } = await ask(announcer, { type: "arrivals" }, "arrivals"));
  }
  return arrivals;
}

async function waitUntil(isSo, complaint) {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    if (performance.now() > deadlineMs) {
      throw new Error(complaint);
    }
    await sleep(POLL_MS);
  }
}

function readRss({ router }) {
  const [, kib] = readFileSync(`/proc/${router.pid}/status`, "utf8").match(/^VmRSS:\s+(\d+) kB/m);
  return Number(kib) * 1_024;
}

function show(runs) {
  const megabytes = (bytes) => (bytes / 1e6).toFixed(0);
  const rows = runs.map(({ name, takenMs, reportedMs, isFlooded, knownRooms, rss, arrivals }) => [
    name,
    (takenMs / 1_000).toFixed(2),
    (reportedMs / 1_000).toFixed(1),
    isFlooded ? "yes" : "no",
    knownRooms.toLocaleString("en"),
    ...rss.map(({ beforeBytes, afterBytes }) => `${megabytes(beforeBytes)} to ${megabytes(afterBytes)}`),
    `${arrivals} of ${MESSAGES}`,
  ]);
  const header = ["run", "s until taken", "s until reported", "flooded", "rooms known", "MB announcing", "MB other"];
  console.log(`\n${renderTable([...header, "messages arrived"], rows)}`);
  const pings = runs.flatMap((each) =>
    each.pings.map((ping, i) => [
      i === 0 ? each.name : "",
      ping.name,
      ping.longestMs.toFixed(1),
      ping.quietMs.toFixed(1),
      ping.count,
    ]),
  );
  console.log(`\n${renderTable(["run", "messages", "longest ms", "quiet before", "measured"], pings)}`);
}
