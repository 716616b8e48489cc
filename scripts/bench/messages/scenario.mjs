// Scenario "messages": fabrics side by side. Each scenario has its own fleets, which stay up for all of its windows and are loaded in turn.
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism, cpus } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { ask } from "../shared/ask.mjs";
import { startPinned, stop } from "../shared/processes.mjs";
import { writeJson, writeText } from "../shared/report.mjs";
import { readRoleRssBytes } from "../shared/roles.mjs";
import { describeDoubt } from "../shared/saturation.mjs";
import { renderChart } from "./chart.mjs";
import { startFleet, stopFleet } from "./fleet.mjs";
import { LOAD_CORE, measureLatency, measureWindow, SERVER_CORE } from "./measure.mjs";
import { countLatencies, judgeGates, planLatencies, summarizeWorkload } from "./results.mjs";
import { readSettings } from "./settings.mjs";
import { renderCapacities, renderCosts, renderGates, renderLatencies } from "./tables.mjs";
import { WORKLOADS } from "./workloads.mjs";

/** A fleet's five processes share the core that one process has to itself, so its code is warm the later. */
const PROCESS_WARMUP_SHARE = 0.4;
const LATENCY_LEAD_S = 0.2;
const FLEET_START_S = 3; // start, connect and stop
const PROCESS_START_S = 1.5;

/** Runs the scenarios and answers the exit code: 1 when a gate failed and gates were asked for. */
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
  const measured = [];
  for (const workload of settings.workloads) {
    measured.push(await runWorkload(workload, settings, startedMs));
  }
  const summaries = measured.map(summarizeWorkload);
  const gates = judgeGates(summaries);
  showResults(summaries, gates);
  showDoubts(measured.flatMap(({ windows }) => windows));

  await mkdir(dirname(settings.jsonFile), { recursive: true });
  await mkdir(dirname(settings.svgFile), { recursive: true });
  writeJson(settings.jsonFile, { benchmark: "messages", ...about, settings, summaries, gates, measured });
  writeText(settings.svgFile, renderChart(summaries, { workers: settings.workers, ...about }));
  console.log(
    `\n${((performance.now() - startedMs) / 1_000).toFixed(0)} s. Figures: ${settings.jsonFile}\nChart: ${settings.svgFile}`,
  );
  return settings.hasGates && (gates.length === 0 || gates.some(({ isPassed }) => !isPassed)) ? 1 : 0;
}

function describeMachine(startedAt) {
  const require = createRequire(import.meta.url);
  return {
    startedAt: startedAt.toISOString(),
    node: process.version,
    cpu: cpus()[0].model,
    socketIo: require("socket.io/package.json").version,
    clusterAdapter: require("@socket.io/cluster-adapter/package.json").version,
    loadAverage: Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]),
  };
}

const isFleet = (side) => side.adapter !== undefined;
const warmupS = (side, settings) => settings.warmupS * (isFleet(side) ? 1 : PROCESS_WARMUP_SHARE);

function expectSeconds(settings) {
  const { sides, windows, windowS, settleS, latencyS, latencyRounds } = settings;
  const sum = (read) => sides.reduce((total, side) => total + read(side), 0);
  const latencies = latencyS === 0 ? 0 : countLatencies(sides.map(({ name }) => name)) * latencyRounds;
  const perWorkload =
    sum((side) => (isFleet(side) ? FLEET_START_S : PROCESS_START_S)) +
    sum((side) => warmupS(side, settings) + windows * windowS + (windows - 1) * settleS) +
    latencies * (LATENCY_LEAD_S + latencyS);
  return perWorkload * settings.workloads.length;
}

function showPlan(settings, about) {
  console.log(
    `messages: ${settings.workloads.join(", ")}; sides ${settings.sides.map(({ name }) => name).join(", ")}; fleets of ${settings.workers} workers; ` +
      `${settings.windows} windows of ${settings.windowS} s each, in turn; servers on core ${SERVER_CORE}, load on core ${LOAD_CORE}.\n` +
      `Node ${about.node}, socket.io ${about.socketIo}, @socket.io/cluster-adapter ${about.clusterAdapter}; ${about.cpu}; load average ${about.loadAverage}. ` +
      `Takes about ${(expectSeconds(settings) / 60).toFixed(1)} min.`,
  );
}

/** One scenario on all sides: windows in turn, then latencies in turn. */
async function runWorkload(workload, settings, startedMs) {
  const { summary, unit } = WORKLOADS[workload];
  const say = (text) =>
    console.log(`${((performance.now() - startedMs) / 1_000).toFixed(0).padStart(4)} s  ${workload.padEnd(9)}${text}`);
  say(`${summary}; figures in ${unit}`);
  const fleets = [];
  const load = startPinned({
    name: "load",
    core: LOAD_CORE,
    args: [fileURLToPath(new URL("./load.mjs", import.meta.url))],
    ipc: true,
  });
  try {
    for (const side of settings.sides) {
      const fleet = await startFleet(side, { core: SERVER_CORE, ...settings });
      fleets.push({ ...fleet, warmupS: warmupS(side, settings) });
      const clientCount = settings.clients ?? WORKLOADS[workload].clients;
      const outstanding = settings.outstanding ?? WORKLOADS[workload].outstanding;
      await ask(
        load,
        { type: "connect", side: side.name, workload, ports: fleet.ports, clientCount, outstanding },
        "connected",
      );
    }
    const windows = await measureWindows({ load, fleets, settings, say });
    const rssBytesBySide = bySide(fleets, (fleet) => readRoleRssBytes(fleet.pidsByRole));
    const latencies = settings.latencyS === 0 ? [] : await measureLatencies({ load, fleets, windows, settings, say });
    const countersBySide = {};
    for (const { name } of fleets) {
      const { type, atMs, cpuUs, ...counters } = await ask(load, { type: "read", side: name }, "counters");
      countersBySide[name] = counters;
    }
    const sides = fleets.map(({ name }) => name);
    return { workload, sides, windows, latencies, rssBytesBySide, countersBySide };
  } finally {
    await stop(load);
    await Promise.all(fleets.map((fleet) => stopFleet(fleet, { ...settings, workload })));
  }
}

const bySide = (fleets, read) => Object.fromEntries(fleets.map((fleet) => [fleet.name, read(fleet)]));

async function measureWindows({ load, fleets, settings, say }) {
  const windows = [];
  for (let turn = 0; turn < settings.windows; turn++) {
    for (const fleet of fleets) {
      const leadS = turn === 0 ? fleet.warmupS : settings.settleS;
      const window = await measureWindow({ load, fleet, leadS, windowS: settings.windowS });
      windows.push(window);
      say(
        `${fleet.name.padEnd(10)} ${turn + 1}/${settings.windows}  ${window.perSecond.toFixed(0).padStart(6)}/s  ` +
          `${window.perSecondAndCore.toFixed(0).padStart(6)}/s and core  server CPU ${(window.saturation * 100).toFixed(0)} %  ` +
          `load busy ${(window.loadBusy * 100).toFixed(0)} %${describeDoubt(window)}`,
      );
    }
  }
  return windows;
}

async function measureLatencies({ load, fleets, windows, settings, say }) {
  const latencies = [];
  const plan = planLatencies(
    windows,
    fleets.map(({ name }) => name),
  );
  for (let round = 0; round < settings.latencyRounds; round++) {
    for (const { side, at, ratePerSecond } of plan) {
      const fleet = fleets.find(({ name }) => name === side);
      const timing = { leadS: LATENCY_LEAD_S, windowS: settings.latencyS };
      latencies.push({ side, at, ...(await measureLatency({ load, fleet, ratePerSecond, ...timing })) });
    }
    const text = latencies
      .slice(-plan.length)
      .map(({ side, at, p50Ms, p99Ms }) => `${side} at ${at} ${p50Ms.toFixed(1)} / ${p99Ms.toFixed(1)}`);
    say(`latency ${round + 1}/${settings.latencyRounds}, ms p50 / p99: ${text.join("; ")}`);
  }
  return latencies;
}

function showResults(summaries, gates) {
  console.log(`\n${renderCapacities(summaries)}\n\n${renderCosts(summaries)}`);
  if (summaries.some(({ sides }) => sides.some(({ latencies }) => latencies.length > 0))) {
    console.log(`\n${renderLatencies(summaries)}`);
  }
  console.log(gates.length > 0 ? `\n${renderGates(gates)}` : "\nNo gate was measured: they are about the routed side.");
}

/** Said of every run, so that nobody has to look through the lines of the windows. */
function showDoubts(windows) {
  const doubted = windows.filter((window) => describeDoubt(window) !== "").length;
  console.log(
    doubted === 0
      ? `\nIn all ${windows.length} windows the servers were the limit.`
      : `\nIn ${doubted} of ${windows.length} windows the servers were not the only limit (the lines above say which): on a quiet machine the figures are firmer.`,
  );
}
