// The options of the regions scenario.
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseOptions, readNames, readNumber, showOptions, UsageError } from "../shared/options.mjs";
import { PAYLOADS } from "./payloads.mjs";

const RESULTS_DIR = fileURLToPath(new URL("../../../bench-results", import.meta.url));
const README_FILE = fileURLToPath(new URL("../../../README.md", import.meta.url));
const ROUTER_FILE = fileURLToPath(new URL("../../../dist/router/router-main.js", import.meta.url));
export const PARTS = ["throughput", "latency", "compression"];

const OPTIONS = {
  parts: { type: "string", default: PARTS.join(","), help: "what to measure" },
  payloads: { type: "string", default: "100,1000", help: "bytes of the payloads of which the throughput is measured" },
  json: { type: "string", help: "write all figures to this file (default: bench-results/)" },
  windows: { type: "string", default: "5", help: "windows per side, in turn" },
  "window-s": { type: "string", default: "2", help: "seconds counted per window" },
  "warmup-s": { type: "string", default: "6", help: "CPU seconds of a link before its first window" },
  "settle-s": { type: "string", default: "0.6", help: "seconds of load before every window" },
  rate: { type: "string", default: "500", help: "messages per second of the latencies, and of compression" },
  "delay-ms": { type: "string", default: "80", help: "what each way of the delayed link takes" },
  "latency-rounds": { type: "string", default: "3", help: "rounds of latencies" },
  "latency-s": { type: "string", default: "5", help: "seconds of latencies counted per round" },
  "latency-warmup-s": { type: "string", default: "6", help: "seconds at that rate before the first" },
  quick: { type: "boolean", default: false, help: "short windows after a short warm-up: to see that it works" },
  gates: { type: "boolean", default: false, help: "exit code 1 when a gate fails" },
  readme: { type: "boolean", default: false, help: "write the figures into README.md: all parts" },
  help: { type: "boolean", default: false, help: "show this" },
};

const QUICK = {
  windows: "1",
  "window-s": "0.5",
  "warmup-s": "0.5",
  "latency-rounds": "1",
  "latency-s": "1",
  "latency-warmup-s": "1",
};

/** Answers undefined when only help was asked for. */
export function readSettings(args, startedAt) {
  const given = parseOptions(args, withoutDefaults(OPTIONS));
  if (given.help) {
    showOptions("npm run bench -- regions [options]", OPTIONS);
    return undefined;
  }
  const values = { ...defaultsOf(OPTIONS), ...(given.quick ? QUICK : {}), ...given };
  const count = (name, max) => readNumber(values, name, { min: 1, max, isInteger: true });
  const seconds = (name, min = 0) => readNumber(values, name, { min, max: 120 });
  const stamp = startedAt.toISOString().slice(0, 19).replaceAll(":", "-");
  const jsonFile = resolve(values.json ?? join(RESULTS_DIR, `regions-${stamp}.json`));
  if (values.json !== undefined && !existsSync(dirname(jsonFile))) {
    throw new UsageError(`--json: there is no directory ${dirname(jsonFile)}`);
  }
  const settings = {
    parts: readNames(values, "parts", PARTS),
    payloads: readPayloads(values.payloads),
    compressed: Object.keys(PAYLOADS),
    windows: count("windows", 50),
    windowS: seconds("window-s", 0.2),
    warmupS: seconds("warmup-s"),
    settleS: seconds("settle-s"),
    ratePerSecond: count("rate", 10_000),
    delayMs: count("delay-ms", 1_000),
    latencyRounds: count("latency-rounds", 50),
    latencyS: seconds("latency-s", 0.2),
    latencyWarmupS: seconds("latency-warmup-s"),
    hasGates: values.gates,
    readmeFile: values.readme ? README_FILE : undefined,
    jsonFile,
  };
  if (values.readme && settings.parts.length < PARTS.length) {
    throw new UsageError("--readme is for all parts");
  }
  if (!existsSync(ROUTER_FILE)) {
    throw new UsageError("dist/router/router-main.js is missing: npm run build");
  }
  return settings;
}

const withoutDefaults = (table) =>
  Object.fromEntries(Object.entries(table).map(([name, { default: _, ...option }]) => [name, option]));

const defaultsOf = (table) => Object.fromEntries(Object.entries(table).map(([name, option]) => [name, option.default]));

/** Numbers of bytes, ascending. */
function readPayloads(text) {
  const sizes = text
    .split(",")
    .map((each) => readNumber({ payloads: each }, "payloads", { min: 1, max: 50_000, isInteger: true }));
  return [...new Set(sizes)].sort((a, b) => a - b);
}
