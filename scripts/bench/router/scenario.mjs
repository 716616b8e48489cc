// Scenario "router": how many frames the router alone routes per second and core. The real router process on one core; the
// load, which plays a sending and a receiving worker over the same Unix socket, on the other.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ask } from "../shared/ask.mjs";
import { readCpuSeconds } from "../shared/cpu.mjs";
import { parseOptions, readNumber, showOptions, UsageError } from "../shared/options.mjs";
import { startPinned, stop } from "../shared/processes.mjs";
import { renderSpread, writeJson } from "../shared/report.mjs";
import { summarize } from "../shared/statistics.mjs";
import { startRouter } from "./router-process.mjs";

const SERVER_CORE = 0;
const LOAD_CORE = 1;
const MIN_FRAMES_PER_CORE_SECOND = 300_000;

const OPTIONS = {
  windows: { type: "string", default: "5", help: "windows" },
  "window-s": { type: "string", default: "2", help: "seconds counted per window" },
  "warmup-s": { type: "string", default: "2", help: "seconds of load before the first" },
  payload: { type: "string", default: "100", help: "bytes of a frame's payload" },
  gates: { type: "boolean", default: false, help: `exit code 1 below ${MIN_FRAMES_PER_CORE_SECOND} frames` },
  json: { type: "string", help: "write the figures to this file" },
  help: { type: "boolean", default: false, help: "show this" },
};

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export async function run(args) {
  const values = parseOptions(args, OPTIONS);
  if (values.help) {
    showOptions("npm run bench -- router [options]", OPTIONS);
    return 0;
  }
  if (args.some((arg) => !arg.startsWith("-")) && args.length === 1) {
    throw new UsageError(`"${args[0]}" is no option (--help shows all options)`);
  }
  const settings = {
    windows: readNumber(values, "windows", { min: 1, max: 100, isInteger: true }),
    windowMs: readNumber(values, "window-s", { min: 0.1, max: 60 }) * 1_000,
    warmupMs: readNumber(values, "warmup-s", { min: 0, max: 60 }) * 1_000,
    payloadBytes: readNumber(values, "payload", { min: 1, max: 1_000_000, isInteger: true }),
  };
  const seconds = Math.ceil((settings.warmupMs + settings.windows * settings.windowMs) / 1_000) + 1;
  console.log(`router: ${settings.payloadBytes}-byte frames, one room, one receiver; about ${seconds} s`);
  const directory = mkdtempSync(join(tmpdir(), "sbx-bench-"));
  try {
    return await measure(settings, join(directory, "router.sock"), values);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measure(settings, socketPath, { gates, json }) {
  const router = await startRouter({ core: SERVER_CORE, socketPath, hostKey: "benc" });
  const load = startPinned({ name: "load", core: LOAD_CORE, args: [here("./load.mjs")], ipc: true });
  await ask(load, { type: "begin", socketPath, payloadBytes: settings.payloadBytes }, "begun");
  await sleep(settings.warmupMs);
  const windows = [];
  for (let i = 1; i <= settings.windows; i++) {
    windows.push(await measureWindow(router, load, settings.windowMs));
    const { framesPerCoreSecond, share } = windows.at(-1);
    console.log(`  ${i}/${settings.windows}  ${Math.round(framesPerCoreSecond)} frames/s and core  router ${share} %`);
  }
  await stop(load);
  await stop(router);
  const frames = summarize(windows.map((window) => window.framesPerCoreSecond));
  const isEnough = frames.median >= MIN_FRAMES_PER_CORE_SECOND;
  console.log(
    `\n${renderSpread(frames)} frames routed per second and core; gate ${MIN_FRAMES_PER_CORE_SECOND}: ${isEnough ? "pass" : "FAIL"}`,
  );
  if (json !== undefined) {
    writeJson(json, { settings, windows, frames });
  }
  return gates && !isEnough ? 1 : 0;
}

async function measureWindow(router, load, windowMs) {
  const before = await ask(load, { type: "count" }, "counted");
  const cpuBefore = readCpuSeconds(router.pid);
  const startedMs = performance.now();
  await sleep(windowMs);
  const after = await ask(load, { type: "count" }, "counted");
  const cpuSeconds = readCpuSeconds(router.pid) - cpuBefore;
  const frames = after.received - before.received;
  return {
    frames,
    framesPerCoreSecond: frames / cpuSeconds,
    share: Math.round((cpuSeconds / ((performance.now() - startedMs) / 1_000)) * 100),
  };
}
