// The options of the hosts scenario.
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseOptions, readNames, readNumber, showOptions, UsageError } from "../shared/options.mjs";
import { LOADS } from "./loads.mjs";
import { CLI_FILE, SIDES } from "./sides.mjs";

const RESULTS_DIR = fileURLToPath(new URL("../../../bench-results", import.meta.url));
const README_FILE = fileURLToPath(new URL("../../../README.md", import.meta.url));
export const PARTS = ["loads", "growth", "idle"];

const OPTIONS = {
  parts: { type: "string", default: PARTS.join(","), help: "what to measure" },
  loads: { type: "string", default: Object.keys(LOADS).join(","), help: "what to send, through how many hosts" },
  sides: { type: "string", default: SIDES.join(","), help: "fabrics, measured in turn" },
  windows: { type: "string", default: "5", help: "windows per side and load" },
  "window-s": { type: "string", default: "5", help: "seconds counted per window" },
  "warmup-s": {
    type: "string",
    default: "8",
    help: "CPU seconds of a fleet of up to four workers before its first window; of more, in proportion",
  },
  "settle-s": { type: "string", default: "0.6", help: "seconds of load before every window" },
  "growth-hosts": { type: "string", default: "2,4,6,8", help: "numbers of hosts with one worker each" },
  "growth-windows": { type: "string", default: "5", help: "windows per number of hosts" },
  "idle-hosts": { type: "string", default: "2,4,8", help: "numbers of hosts without clients" },
  "idle-workers": { type: "string", default: "1,4", help: "numbers of workers of those hosts" },
  "idle-s": { type: "string", default: "6", help: "seconds counted of the traffic between idle hosts" },
  clients: { type: "string", help: "clients per side instead of the load's own number" },
  outstanding: { type: "string", help: "deliveries under way at most, instead of the load's own number" },
  quick: { type: "boolean", default: false, help: "short windows after a short warm-up: to see that it works" },
  gates: { type: "boolean", default: false, help: "exit code 1 when a gate fails" },
  readme: { type: "boolean", default: false, help: "write the figures into README.md: all loads, all sides" },
  json: { type: "string", help: "write all figures to this file (default: bench-results/)" },
  svg: { type: "string", help: "write the chart to this file (default: beside the figures)" },
  help: { type: "boolean", default: false, help: "show this" },
};

const QUICK = {
  windows: "1",
  "window-s": "1",
  "warmup-s": "1.5",
  "growth-windows": "1",
  "growth-hosts": "2,4",
  "idle-hosts": "2,4",
  "idle-s": "2",
};

/** Answers undefined when only help was asked for. */
export function readSettings(args, startedAt) {
  const given = parseOptions(args, withoutDefaults(OPTIONS));
  if (given.help) {
    showOptions("npm run bench -- hosts [options]", OPTIONS);
    return undefined;
  }
  const values = { ...defaultsOf(OPTIONS), ...(given.quick ? QUICK : {}), ...given };
  const seconds = (name, min) => readNumber(values, name, { min, max: 120 });
  const count = (name, min, max) =>
    values[name] === undefined ? undefined : readNumber(values, name, { min, max, isInteger: true });
  const stamp = startedAt.toISOString().slice(0, 19).replaceAll(":", "-");
  const jsonFile = resolve(values.json ?? join(RESULTS_DIR, `hosts-${stamp}.json`));
  const settings = {
    parts: readNames(values, "parts", PARTS),
    loads: readNames(values, "loads", Object.keys(LOADS)),
    sides: readNames(values, "sides", SIDES),
    windows: count("windows", 1, 50),
    windowS: seconds("window-s", 0.2),
    warmupS: seconds("warmup-s", 0),
    settleS: seconds("settle-s", 0),
    growthHosts: readCounts(values, "growth-hosts", 2, 16),
    growthWindows: count("growth-windows", 1, 50),
    idleHosts: readCounts(values, "idle-hosts", 2, 16),
    idleWorkers: readCounts(values, "idle-workers", 1, 16),
    idleS: seconds("idle-s", 0.2),
    clients: count("clients", 4, 2_000),
    outstanding: count("outstanding", 1, 20_000),
    hasGates: values.gates,
    readmeFile: values.readme ? README_FILE : undefined,
    jsonFile: checkDirectory("json", jsonFile, values.json),
    svgFile: checkDirectory("svg", resolve(values.svg ?? `${jsonFile.replace(/\.json$/, "")}.svg`), values.svg),
  };
  if (values.readme && (settings.loads.length < Object.keys(LOADS).length || settings.sides.length < SIDES.length)) {
    throw new UsageError("--readme is for all loads on all sides");
  }
  if (settings.sides.includes("routed") && !existsSync(CLI_FILE)) {
    throw new UsageError("dist/cli/main.js is missing: npm run build");
  }
  return settings;
}

const withoutDefaults = (table) =>
  Object.fromEntries(Object.entries(table).map(([name, { default: _, ...option }]) => [name, option]));

const defaultsOf = (table) => Object.fromEntries(Object.entries(table).map(([name, option]) => [name, option.default]));

/** The numbers of a list "2,4,8", ascending. */
function readCounts(values, name, min, max) {
  const counts = values[name]
    .split(",")
    .map((text) => readNumber({ [name]: text }, name, { min, max, isInteger: true }));
  return [...new Set(counts)].sort((a, b) => a - b);
}

/** Found out now rather than after half an hour. */
function checkDirectory(option, file, given) {
  if (given !== undefined && !existsSync(dirname(file))) {
    throw new UsageError(`--${option}: there is no directory ${dirname(file)}`);
  }
  return file;
}
