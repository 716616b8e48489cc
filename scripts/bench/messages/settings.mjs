// The options of the message scenarios and the sides they name.
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseOptions, readNames, readNumber, showOptions, UsageError } from "../shared/options.mjs";
import { WORKLOADS } from "./workloads.mjs";

const ADAPTER_FILE = fileURLToPath(new URL("../../../dist/adapter.js", import.meta.url));
const RESULTS_DIR = fileURLToPath(new URL("../../../bench-results", import.meta.url));

/** The modules that fleets load their fabric from; in-memory has none, it is a process by itself. */
const KNOWN_SIDES = new Map([
  ["routed", pathToFileURL(ADAPTER_FILE).href],
  ["stock", "@socket.io/cluster-adapter"],
  ["in-memory", undefined],
]);

const OPTIONS = {
  scenarios: { type: "string", default: Object.keys(WORKLOADS).join(","), help: "what to send" },
  sides: { type: "string", default: [...KNOWN_SIDES.keys()].join(","), help: "fabrics, measured in turn" },
  side: {
    type: "string",
    multiple: true,
    default: [],
    help: "NAME=FILE: one more side, or another module for a known one; it exports createAdapter and setupPrimary",
  },
  windows: { type: "string", default: "5", help: "windows per side and scenario" },
  "window-s": { type: "string", default: "3", help: "seconds counted per window" },
  "warmup-s": {
    type: "string",
    default: "7",
    help: "seconds of load before a fleet's first window; one process, which has the core to itself, gets a part of it",
  },
  "settle-s": { type: "string", default: "0.6", help: "seconds of load before every later window" },
  "latency-s": { type: "string", default: "0.8", help: "seconds recorded per round and rate; 0: no latencies" },
  "latency-rounds": { type: "string", default: "3", help: "rounds of the latencies, sides in turn" },
  workers: { type: "string", default: "4", help: "worker processes per fleet" },
  clients: { type: "string", help: "clients per side instead of the scenario's own number" },
  outstanding: { type: "string", help: "deliveries under way at most, instead of the scenario's own number" },
  quick: { type: "boolean", default: false, help: "one short window after a short warm-up: to see that it works" },
  gates: { type: "boolean", default: false, help: "exit code 1 when a gate fails" },
  json: { type: "string", help: "write all figures to this file (default: bench-results/)" },
  svg: { type: "string", help: "write the chart to this file (default: beside the figures)" },
  "cpu-prof": { type: "string", help: "directory for CPU profiles of all server processes, written when they end" },
  help: { type: "boolean", default: false, help: "show this" },
};

const QUICK = { windows: "1", "window-s": "1", "warmup-s": "1", "latency-s": "0.3", "latency-rounds": "1" };

/** Answers undefined when only help was asked for. */
export function readSettings(args, startedAt) {
  const given = parseOptions(args, withoutDefaults(OPTIONS));
  if (given.help) {
    showOptions("npm run bench -- messages [options]", OPTIONS);
    return undefined;
  }
  const values = { ...defaultsOf(OPTIONS), ...(given.quick ? QUICK : {}), ...given };
  const seconds = (name, min) => readNumber(values, name, { min, max: 120 });
  const count = (name, min, max) =>
    values[name] === undefined ? undefined : readNumber(values, name, { min, max, isInteger: true });
  const stamp = startedAt.toISOString().slice(0, 19).replaceAll(":", "-");
  const jsonFile = resolve(values.json ?? join(RESULTS_DIR, `messages-${stamp}.json`));
  return {
    workloads: readNames(values, "scenarios", Object.keys(WORKLOADS)),
    windows: count("windows", 1, 50),
    windowS: seconds("window-s", 0.2),
    warmupS: seconds("warmup-s", 0),
    settleS: seconds("settle-s", 0),
    latencyS: seconds("latency-s", 0),
    latencyRounds: count("latency-rounds", 1, 20),
    workers: count("workers", 1, 32),
    clients: count("clients", 4, 2_000),
    outstanding: count("outstanding", 1, 20_000),
    sides: readSides(values),
    hasGates: values.gates,
    jsonFile: checkDirectory("json", jsonFile, values.json),
    svgFile: checkDirectory("svg", resolve(values.svg ?? `${jsonFile.replace(/\.json$/, "")}.svg`), values.svg),
    profileDir: values["cpu-prof"] === undefined ? undefined : resolve(values["cpu-prof"]),
  };
}

function withoutDefaults(table) {
  return Object.fromEntries(Object.entries(table).map(([name, { default: _, ...option }]) => [name, option]));
}

function defaultsOf(table) {
  return Object.fromEntries(Object.entries(table).map(([name, option]) => [name, option.default]));
}

/** Found out now rather than after eight minutes. */
function checkDirectory(option, file, given) {
  if (given !== undefined && !existsSync(dirname(file))) {
    throw new UsageError(`--${option}: there is no directory ${dirname(file)}`);
  }
  return file;
}

function readSides(values) {
  const moduleByName = new Map(KNOWN_SIDES);
  const named = [];
  for (const text of values.side) {
    const [, name, file] = text.match(/^([\w.-]+)=(.+)$/) ?? [];
    if (name === undefined) {
      throw new UsageError(`--side: "${text}" is not NAME=FILE`);
    }
    moduleByName.set(name, locateModule(name, file));
    named.push(name);
  }
  const names = readNames({ sides: [values.sides, ...named].join(",") }, "sides", [...moduleByName.keys()]);
  if (names.includes("routed") && !named.includes("routed") && !existsSync(ADAPTER_FILE)) {
    throw new UsageError("dist/adapter.js is missing: npm run build (or --side routed=MODULE)");
  }
  return names.map((name) => ({ name, adapter: moduleByName.get(name) }));
}

/** A path, or the name of an installed package. */
function locateModule(name, file) {
  if (existsSync(file)) {
    return pathToFileURL(resolve(file)).href;
  }
  if (/^[./]/.test(file)) {
    throw new UsageError(`--side ${name}: there is no file ${file}`);
  }
  try {
    return import.meta.resolve(file);
  } catch {
    throw new UsageError(`--side ${name}: there is neither a file nor a package ${file}`);
  }
}
