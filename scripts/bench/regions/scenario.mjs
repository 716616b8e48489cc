// Scenario "regions": one link between the routers of two regions, beside plain ws; what it adds to a delay; what compression does.
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism, cpus, loadavg } from "node:os";
import { dirname } from "node:path";
import { renderGates } from "../hosts/tables.mjs";
import { LOAD_CORE, SERVER_CORE } from "../messages/measure.mjs";
import { writeJson } from "../shared/report.mjs";
import { describeDoubt } from "../shared/saturation.mjs";
import { measureCompression } from "./compression.mjs";
import { judgeLatency, judgeThroughput } from "./gates.mjs";
import { measureLatency } from "./latency.mjs";
import { writeReadme } from "./readme.mjs";
import { summarizeCompression, summarizeLatency, summarizeThroughput } from "./results.mjs";
import { readSettings } from "./settings.mjs";
import { renderCompression, renderLatency, renderThroughput } from "./tables.mjs";
import { measureThroughput } from "./throughput.mjs";

const START_S = 3; // of the processes of a part

/** Runs the parts and answers the exit code: 1 when a gate failed and gates were asked for. */
export async function run(args) {
  const startedAt = new Date();
  const settings = readSettings(args, startedAt);
  if (settings === undefined) {
    return 0;
  }
  if (availableParallelism() < 2) {
    throw new Error("two cores are needed: one for the routers, one for the load");
  }
  const about = describeMachine(startedAt);
  showPlan(settings, about);
  const startedMs = performance.now();
  const say = (place, text) =>
    console.log(`${((performance.now() - startedMs) / 1_000).toFixed(0).padStart(5)} s  ${place.padEnd(12)}${text}`);
  const { throughput, latency, compression, windows } = await measure(settings, say);
  const gates = [...judgeThroughput(throughput), ...(latency === undefined ? [] : judgeLatency(latency))];
  showResults({ throughput, latency, compression, windows, gates });
  await mkdir(dirname(settings.jsonFile), { recursive: true });
  const figures = { throughput, latency, compression, gates, windows };
  writeJson(settings.jsonFile, { benchmark: "regions", ...about, settings, ...figures });
  console.log(`\n${((performance.now() - startedMs) / 1_000).toFixed(0)} s. Figures: ${settings.jsonFile}`);
  if (settings.readmeFile !== undefined) {
    writeReadme(settings.readmeFile, { about, windows: settings.windows, throughput, latency, compression });
    console.log(`Table: ${settings.readmeFile}`);
  }
  return settings.hasGates && (gates.length === 0 || gates.some(({ isPassed }) => !isPassed)) ? 1 : 0;
}

function describeMachine(startedAt) {
  return {
    startedAt: startedAt.toISOString(),
    node: process.version,
    cpu: cpus()[0].model,
    ws: createRequire(import.meta.url)("ws/package.json").version,
    loadAverage: loadavg()[0],
  };
}

/** Roughly: a warm-up on a busy machine takes longer. */
function expectSeconds({ parts, payloads, compressed, windows, windowS, settleS, warmupS, ...latency }) {
  const turn = windows * (windowS + settleS);
  const { latencyRounds, latencyS, latencyWarmupS } = latency;
  const seconds = {
    throughput: payloads.length * (2.5 * warmupS + 4 * turn + START_S),
    latency: 4 * (latencyRounds * (latencyS + settleS) + latencyWarmupS) + START_S,
    compression: compressed.length * (warmupS + 4 * turn + START_S),
  };
  return parts.reduce((sum, part) => sum + seconds[part], 0);
}

function showPlan(settings, about) {
  console.log(
    `regions: ${settings.parts.join(", ")}; payloads of ${settings.payloads.join(", ")} bytes; ${settings.windows} windows of ` +
      `${settings.windowS} s each, in turn; routers on core ${SERVER_CORE}, load on core ${LOAD_CORE}.\n` +
      `Node ${about.node}, ws ${about.ws}; ${about.cpu}; load average ${about.loadAverage.toFixed(2)}. ` +
      `Takes about ${(expectSeconds(settings) / 60).toFixed(1)} min.`,
  );
}

/** The parts that were asked for; the others are empty or undefined. */
async function measure(settings, say) {
  const { parts } = settings;
  const throughput = [];
  const windows = [];
  for (const payload of parts.includes("throughput") ? settings.payloads : []) {
    const measured = await measureThroughput({ payload, settings, say: (text) => say(`${payload} bytes`, text) });
    throughput.push(summarizeThroughput(measured));
    windows.push(...measured.windows.map((window) => ({ payload, ...window })));
  }
  const latency = parts.includes("latency")
    ? summarizeLatency(await measureLatency({ settings, say: (text) => say("latency", text) }))
    : undefined;
  const compressed = [];
  for (const payload of parts.includes("compression") ? settings.compressed : []) {
    compressed.push(...(await measureCompression({ payload, settings, say: (text) => say(payload, text) })));
  }
  return { throughput, latency, compression: summarizeCompression(compressed), windows };
}

function showResults({ throughput, latency, compression, windows, gates }) {
  if (throughput.length > 0) {
    console.log(`\n${renderThroughput(throughput)}`);
  }
  if (latency !== undefined) {
    console.log(`\n${renderLatency(latency)}`);
  }
  if (compression.length > 0) {
    console.log(`\n${renderCompression(compression)}`);
  }
  console.log(gates.length > 0 ? `\n${renderGates(gates)}` : "\nNo gate was measured.");
  const doubted = windows.filter((window) => describeDoubt(window) !== "").length;
  if (doubted > 0) {
    console.log(
      `\nIn ${doubted} of ${windows.length} windows the servers were not the only limit (the lines above say which): on a quiet machine the figures are firmer.`,
    );
  }
}
