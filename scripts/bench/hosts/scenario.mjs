// Scenario "hosts": several hosts and the Redis between them on one core; routed beside @socket.io/redis-adapter, how it grows
// with hosts, and what hosts without clients say.
import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism, cpus, loadavg } from "node:os";
import { dirname } from "node:path";
import { SEED } from "../messages/client-group.mjs";
import { LOAD_CORE, SERVER_CORE } from "../messages/measure.mjs";
import { WORKLOADS } from "../messages/workloads.mjs";
import { UsageError } from "../shared/options.mjs";
import { writeJson, writeText } from "../shared/report.mjs";
import { describeDoubt } from "../shared/saturation.mjs";
import { renderChart } from "./chart.mjs";
import { judgeGrowth, judgeIdle, judgeLoads } from "./gates.mjs";
import { expectRemoteHosts, summarizeGrowth } from "./growth.mjs";
import { measureIdle } from "./idle.mjs";
import { measureFleets } from "./load-windows.mjs";
import { LOADS } from "./loads.mjs";
import { writeReadme } from "./readme.mjs";
import { startRedis } from "./redis.mjs";
import { summarizeLoad } from "./results.mjs";
import { readSettings } from "./settings.mjs";
import { renderCapacities, renderCosts, renderGates, renderGrowth, renderIdle } from "./tables.mjs";

const WORKER_START_S = 0.5;
const IDLE_REST_S = 3; // quiet before it is counted, and the end
const GROWTH_WORKLOAD = "room";

/** Runs the parts and answers the exit code: 1 when a gate failed and gates were asked for. */
export async function run(args) {
  const startedAt = new Date();
  const settings = readSettings(args, startedAt);
  if (settings === undefined) {
    return 0;
  }
  if (availableParallelism() < 2) {
    throw new Error("two cores are needed: one for the servers, one for the load");
  }
  const about = describeMachine(startedAt);
  showPlan(settings, about);
  const startedMs = performance.now();
  const say = (place, text) =>
    console.log(`${((performance.now() - startedMs) / 1_000).toFixed(0).padStart(5)} s  ${place.padEnd(13)}${text}`);
  const redis = await startRedis(SERVER_CORE);
  let results;
  try {
    results = await measure({ settings, redis, say });
  } finally {
    await redis.stop();
  }
  const { summaries, growth, idle, windows } = results;
  const gates = [
    ...judgeLoads(summaries),
    ...(growth === undefined ? [] : judgeGrowth(growth)),
    ...(idle === undefined ? [] : judgeIdle(idle)),
  ];
  showResults(results, gates);
  await mkdir(dirname(settings.jsonFile), { recursive: true });
  await mkdir(dirname(settings.svgFile), { recursive: true });
  writeJson(settings.jsonFile, { benchmark: "hosts", ...about, settings, summaries, growth, idle, gates, windows });
  console.log(`\n${((performance.now() - startedMs) / 1_000).toFixed(0)} s. Figures: ${settings.jsonFile}`);
  if (summaries.length > 0) {
    writeText(settings.svgFile, renderChart(summaries, about));
    console.log(`Chart: ${settings.svgFile}`);
  }
  if (settings.readmeFile !== undefined) {
    writeReadme(settings.readmeFile, { about, windows: settings.windows, summaries, growth, idle });
    console.log(`Table: ${settings.readmeFile}`);
  }
  return settings.hasGates && (gates.length === 0 || gates.some(({ isPassed }) => !isPassed)) ? 1 : 0;
}

function describeMachine(startedAt) {
  const require = createRequire(import.meta.url);
  return {
    startedAt: startedAt.toISOString(),
    node: process.version,
    cpu: cpus()[0].model,
    socketIo: require("socket.io/package.json").version,
    redisAdapter: require("@socket.io/redis-adapter/package.json").version,
    redis: readRedisVersion(),
    loadAverage: loadavg()[0],
  };
}

/** @throws UsageError when there is no Redis to be started */
function readRedisVersion() {
  try {
    return execFileSync("redis-server", ["--version"], { encoding: "utf8" }).match(/v=(\S+)/)?.[1];
  } catch {
    throw new UsageError("redis-server is not installed. On Debian or Ubuntu: sudo apt-get install redis-server.");
  }
}

/** Roughly: starts of workers are the least certain part. */
function expectSeconds(settings) {
  const { sides, windows, windowS, warmupS, settleS } = settings;
  const under = (fleets, count) => fleets * (warmupS + count * windowS + (count - 1) * settleS);
  let seconds = 0;
  if (settings.parts.includes("loads")) {
    for (const { hosts, workers } of settings.loads.map((name) => LOADS[name])) {
      seconds += under(sides.length, windows) + sides.length * hosts * (workers + 2) * WORKER_START_S;
    }
  }
  if (settings.parts.includes("growth")) {
    seconds += under(settings.growthHosts.length, settings.growthWindows);
    seconds += settings.growthHosts.reduce((sum, hosts) => sum + hosts * 3 * WORKER_START_S, 0);
  }
  if (settings.parts.includes("idle")) {
    for (const hosts of settings.idleHosts) {
      for (const workers of settings.idleWorkers) {
        seconds += settings.idleS + IDLE_REST_S + hosts * (workers + 2) * WORKER_START_S;
      }
    }
  }
  return seconds;
}

function showPlan(settings, about) {
  console.log(
    `hosts: ${settings.parts.join(", ")}; loads ${settings.loads.join(", ")}; sides ${settings.sides.join(", ")}; ` +
      `${settings.windows} windows of ${settings.windowS} s each, in turn; servers and Redis on core ${SERVER_CORE}, load on core ${LOAD_CORE}.\n` +
      `Node ${about.node}, socket.io ${about.socketIo}, @socket.io/redis-adapter ${about.redisAdapter}, Redis ${about.redis}; ${about.cpu}; ` +
      `load average ${about.loadAverage.toFixed(2)}. Takes about ${(expectSeconds(settings) / 60).toFixed(1)} min.`,
  );
}

/** The parts that were asked for; the others are empty or undefined. */
async function measure({ settings, redis, say }) {
  const { parts, sides } = settings;
  const summaries = [];
  const windows = [];
  for (const name of parts.includes("loads") ? settings.loads : []) {
    const load = { name, ...LOADS[name] };
    const fleets = sides.map((side) => ({ name: side, side, hosts: load.hosts, workers: load.workers }));
    const measured = await measureFleets({
      fleets,
      workload: load.workload,
      redis,
      settings,
      windows: settings.windows,
      say: (text) => say(name, text),
    });
    summaries.push(summarizeLoad(load, sides, measured));
    windows.push(...measured.windows.map((window) => ({ load: name, ...window })));
  }
  let growth;
  if (parts.includes("growth")) {
    const measured = await measureGrowth({ settings, redis, say });
    growth = measured.growth;
    windows.push(...measured.windows.map((window) => ({ load: "growth", ...window })));
  }
  const idle = parts.includes("idle") ? await measureIdleFleets({ settings, redis, say }) : undefined;
  return { summaries, growth, idle, windows };
}

async function measureGrowth({ settings, redis, say }) {
  const workload = WORKLOADS[GROWTH_WORKLOAD];
  const fleets = settings.growthHosts.map((hosts) => ({
    name: `${hosts}x1`,
    side: "routed",
    hosts,
    workers: 1,
    remoteHosts: expectRemoteHosts(workload, settings.clients ?? workload.clients, hosts, SEED),
  }));
  const measured = await measureFleets({
    fleets,
    workload: GROWTH_WORKLOAD,
    redis,
    settings,
    windows: settings.growthWindows,
    say: (text) => say("growth", text),
  });
  return { growth: summarizeGrowth(fleets, measured), windows: measured.windows };
}

async function measureIdleFleets({ settings, redis, say }) {
  const rows = [];
  for (const hosts of settings.idleHosts) {
    for (const workers of settings.idleWorkers) {
      const row = await measureIdle({ hosts, workers, seconds: settings.idleS, redis });
      rows.push(row);
      say(
        "idle",
        `${hosts}x${workers}  ${row.messages.toFixed(2)} messages, ${row.bytes.toFixed(0)} bytes per s and host`,
      );
    }
  }
  return rows;
}

function showResults({ summaries, growth, idle, windows }, gates) {
  if (summaries.length > 0) {
    console.log(`\n${renderCapacities(summaries)}\n\n${renderCosts(summaries)}`);
  }
  if (growth !== undefined) {
    console.log(`\n${renderGrowth(growth)}`);
  }
  if (idle !== undefined) {
    console.log(`\n${renderIdle(idle)}`);
  }
  console.log(gates.length > 0 ? `\n${renderGates(gates)}` : "\nNo gate was measured: they are about the routed side.");
  const doubted = windows.filter((window) => describeDoubt(window) !== "").length;
  if (doubted > 0) {
    console.log(
      `\nIn ${doubted} of ${windows.length} windows the servers were not the only limit (the lines above say which): on a quiet machine the figures are firmer.`,
    );
  }
}
