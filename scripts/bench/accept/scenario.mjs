// Scenario "accept": how many clients a fleet takes in per second and core. Sides stay up during the whole run and are loaded in turn.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ask } from "../shared/ask.mjs";
import { listTree, readCoreBusySeconds, readSwitches, readTreeCpu } from "../shared/cpu.mjs";
import { parseOptions, readNames, readNumber, showOptions, UsageError } from "../shared/options.mjs";
import { findFreePort, startPinned, stop, waitUntilServing } from "../shared/processes.mjs";
import { renderSpread, renderTable, writeJson } from "../shared/report.mjs";
import { describeDoubt } from "../shared/saturation.mjs";
import { summarize, summarizePairRatios } from "../shared/statistics.mjs";

const SERVER_CORE = 0;
const LOAD_CORE = 1;
const MAX_FAILED_SHARE = 0.001;
const KINDS = { websocket: "WebSocket-only", polling: "polling-first" };

const OPTIONS = {
  sides: {
    type: "string",
    default: "signalbox,stock",
    help: "which sides, the first is compared with every other: signalbox, stock, plain",
  },
  kinds: { type: "string", default: "websocket,polling", help: "client kinds" },
  side: {
    type: "string",
    multiple: true,
    default: [],
    help: "NAME=FILE: one more side, a program that gets BENCH_PORT, BENCH_WORKERS, BENCH_APP",
  },
  windows: { type: "string", default: "5", help: "windows per side and kind" },
  "window-s": { type: "string", default: "5", help: "seconds counted per window" },
  "warmup-s": { type: "string", default: "8", help: "seconds of load before the first window of a side and kind" },
  "settle-s": {
    type: "string",
    default: "1.5",
    help: "seconds of load before every later window: the loop fills again",
  },
  "in-flight": { type: "string", default: "100", help: "WebSocket-only clients under way at once" },
  "in-flight-polling": {
    type: "string",
    default: "300",
    help: "the same for polling-first: an upgrade waits up to 100 ms for Engine.IO's check",
  },
  "polling-order": { type: "string", default: "concurrent", help: "concurrent (as socket.io-client) or sequential" },
  workers: { type: "string", default: "4", help: "worker processes per fleet" },
  json: { type: "string", help: "write all figures to this file" },
  help: { type: "boolean", default: false, help: "show this" },
};

function readSettings(args) {
  const values = parseOptions(args, OPTIONS);
  const numbers = {};
  for (const name of ["window-s", "warmup-s", "settle-s"]) {
    numbers[name] = readNumber(values, name, { min: 0.1, max: 5_000 });
  }
  for (const name of ["windows", "in-flight", "in-flight-polling", "workers"]) {
    numbers[name] = readNumber(values, name, { min: 1, max: 5_000, isInteger: true });
  }
  return { ...values, ...numbers, kinds: readNames(values, "kinds", Object.keys(KINDS)) };
}

/** What each side runs: arguments of node, and environment. */
async function describeSides(settings, runtimeDir) {
  const here = (path) => fileURLToPath(new URL(path, import.meta.url));
  const app = here("../apps/accept-app.mjs");
  const common = { BENCH_APP: app, BENCH_WORKERS: String(settings.workers) };
  const programs = new Map([
    ["plain", here("../fleets/plain.mjs")],
    ["stock", here("../fleets/stock.mjs")],
  ]);
  const names = settings.sides.split(",").filter(Boolean);
  for (const text of settings.side) {
    const [name, file] = text.split("=");
    programs.set(name, resolve(file));
    names.push(name);
  }
  const sides = [];
  for (const name of names) {
    const port = await findFreePort();
    if (name === "signalbox") {
      const main = here("../../../dist/cli/main.js");
      if (!existsSync(main)) {
        throw new UsageError("dist/cli/main.js is missing: npm run build");
      }
      sides.push({
        name,
        port,
        args: [main, "start", app],
        env: {
          SIGNALBOX_PORT: String(port),
          SIGNALBOX_ADMIN_PORT: "0",
          SIGNALBOX_WORKERS: String(settings.workers),
          SIGNALBOX_LOG_FORMAT: "json",
          SIGNALBOX_RUNTIME_DIR: runtimeDir,
        },
      });
    } else if (programs.has(name)) {
      sides.push({ name, port, args: [programs.get(name)], env: { ...common, BENCH_PORT: String(port) } });
    } else {
      throw new UsageError(`--sides: unknown side "${name}"`);
    }
  }
  return sides;
}

/** One window under load. */
async function measureWindow({ load, side, kind, settings, leadMs }) {
  const tree = listTree(side.process.pid);
  const initial = await ask(load, { type: "read" }, "counters");
  const read = async () => ({
    counters: await ask(load, { type: "read" }, "counters"),
    cpu: readTreeCpu(tree),
    coreBusy: readCoreBusySeconds(SERVER_CORE),
    switches: readSwitches(tree),
  });
  const inFlight = kind === "polling" ? settings["in-flight-polling"] : settings["in-flight"];
  load.child.send({
    type: "start",
    load: { kind, order: settings["polling-order"], target: { port: side.port }, inFlight },
  });
  await sleep(leadMs);
  const before = await read();
  await sleep(settings["window-s"] * 1_000);
  const after = await read();
  await ask(load, { type: "stop" }, "stopped");
  const final = await ask(load, { type: "read" }, "counters");

  const seconds = (after.counters.atMs - before.counters.atMs) / 1_000;
  const accepted = after.counters.accepted - before.counters.accepted;
  const rootCpu = after.cpu.root - before.cpu.root;
  const descendantsCpu = after.cpu.descendants - before.cpu.descendants;
  const serverCpu = rootCpu + descendantsCpu;
  return {
    side: side.name,
    kind,
    seconds,
    accepted,
    acceptedInAll: final.accepted - initial.accepted,
    failed: final.failed - initial.failed,
    perSecond: accepted / seconds,
    perSecondAndCore: accepted / serverCpu,
    primaryUs: (rootCpu / accepted) * 1e6,
    workersUs: (descendantsCpu / accepted) * 1e6,
    totalUs: (serverCpu / accepted) * 1e6,
    switchesPerClient: (after.switches - before.switches) / accepted,
    tcpPerClient: (after.counters.tcpConnections - before.counters.tcpConnections) / accepted,
    saturation: serverCpu / seconds,
    othersOnServerCore: Math.max(0, (after.coreBusy - before.coreBusy - serverCpu) / seconds),
    loadCpu: (after.counters.cpuUs - before.counters.cpuUs) / 1e6 / seconds,
  };
}

function renderResults(windows, sides, kinds) {
  const rows = [];
  for (const kind of kinds) {
    const reference = windows.filter((window) => window.kind === kind && window.side === sides[0].name);
    for (const side of sides) {
      const own = windows.filter((window) => window.kind === kind && window.side === side.name);
      if (own.length === 0) {
        continue;
      }
      const of = (key) => own.map((window) => window[key]);
      const ratio =
        side === sides[0]
          ? ""
          : renderSpread(
              summarizePairRatios(
                reference.map((window) => window.perSecondAndCore),
                of("perSecondAndCore"),
              ),
              2,
            );
      rows.push([
        KINDS[kind],
        side.name,
        renderSpread(summarize(of("perSecond"))),
        renderSpread(summarize(of("perSecondAndCore"))),
        summarize(of("totalUs")).median.toFixed(0),
        summarize(of("primaryUs")).median.toFixed(0),
        summarize(of("workersUs")).median.toFixed(0),
        summarize(of("switchesPerClient")).median.toFixed(1),
        summarize(of("tcpPerClient")).median.toFixed(1),
        of("failed").reduce((sum, count) => sum + count, 0),
        `${(summarize(of("saturation")).min * 100).toFixed(0)} %`,
        `${(summarize(of("loadCpu")).median * 100).toFixed(0)} %`,
        ratio,
      ]);
    }
  }
  return renderTable(
    [
      "clients",
      "side",
      "per second",
      "per second and core",
      "µs CPU",
      "primary",
      "workers",
      "switches",
      "TCP",
      "failed",
      "server CPU, least",
      "load CPU",
      `${sides[0].name} ÷ side`,
    ],
    rows,
  );
}

/** Runs the scenario and answers the exit code: 1 when more clients failed than allowed. */
export async function run(args) {
  const settings = readSettings(args);
  if (settings.help) {
    showOptions("npm run bench -- accept [options]", OPTIONS);
    return 0;
  }
  if (availableParallelism() < 2) {
    throw new Error("two cores are needed: one for the servers, one for the load");
  }
  const windows = [];
  const runtimeDir = mkdtempSync(join(tmpdir(), "bench-accept-"));
  const sides = await describeSides(settings, runtimeDir);
  const load = startPinned({
    name: "load",
    core: LOAD_CORE,
    args: [fileURLToPath(new URL("./load.mjs", import.meta.url))],
    ipc: true,
  });
  const firstLeadMs = settings["warmup-s"] * 1_000;
  const expectedSeconds =
    settings.kinds.length *
      sides.length *
      (settings["warmup-s"] + settings.windows * settings["window-s"] + (settings.windows - 1) * settings["settle-s"]) +
    5;
  console.log(
    `accept: ${sides.map((side) => side.name).join(", ")}; ${settings.kinds.map((kind) => KINDS[kind]).join(", ")}; ` +
      `${settings.windows} windows of ${settings["window-s"]} s each, in turn; servers on core ${SERVER_CORE}, load on core ${LOAD_CORE}; ` +
      `Node ${process.version}, ${cpus()[0].model}; load average ${readFileSync("/proc/loadavg", "utf8").split(" ")[0]}. Takes about ${Math.ceil(expectedSeconds / 6) / 10} min.`,
  );
  try {
    for (const side of sides) {
      side.process = startPinned({ name: side.name, core: SERVER_CORE, args: side.args, env: side.env });
      await waitUntilServing(side.process, side.port);
    }
    for (const kind of settings.kinds) {
      for (let turn = 0; turn < settings.windows; turn++) {
        for (const side of sides) {
          const window = await measureWindow({
            load,
            side,
            kind,
            settings,
            leadMs: turn === 0 ? firstLeadMs : settings["settle-s"] * 1_000,
          });
          windows.push(window);
          console.log(
            `${KINDS[kind].padEnd(15)} ${side.name.padEnd(12)} ${turn + 1}/${settings.windows}  ${window.perSecond.toFixed(0).padStart(6)}/s  ` +
              `${window.perSecondAndCore.toFixed(0).padStart(6)}/s and core  ${window.totalUs.toFixed(0).padStart(5)} µs = ${window.primaryUs.toFixed(0)} primary + ` +
              `${window.workersUs.toFixed(0)} workers  server CPU ${(window.saturation * 100).toFixed(0)} %${window.failed > 0 ? `  ${window.failed} failed` : ""}${describeDoubt({ ...window, loadBusy: window.loadCpu })}`,
          );
        }
      }
    }
    const totals = await ask(load, { type: "read" }, "counters");
    console.log(`\n${renderResults(windows, sides, settings.kinds)}\n`);
    const reasons = Object.entries(totals.failures).map(([reason, count]) => `${count} × ${reason}`);
    console.log(
      `${totals.accepted} clients accepted, ${totals.failed} failed${reasons.length > 0 ? `: ${reasons.join("; ")}` : ""}`,
    );
    const verdicts = sides.map((side) => {
      const own = windows.filter((window) => window.side === side.name);
      const failed = own.reduce((sum, window) => sum + window.failed, 0);
      const started = own.reduce((sum, window) => sum + window.acceptedInAll + window.failed, 0);
      return { side: side.name, failed, started, failedShare: failed / Math.max(1, started) };
    });
    for (const { side, failed, started, failedShare } of verdicts) {
      console.log(`  ${side}: ${failed} of ${started} failed (${(failedShare * 100).toFixed(3)} %)`);
    }
    if (settings.json !== undefined) {
      writeJson(settings.json, {
        scenario: "accept",
        node: process.version,
        cpu: cpus()[0].model,
        settings,
        failures: totals.failures,
        verdicts,
        windows,
      });
    }
    const excess = verdicts.filter(({ failedShare }) => failedShare > MAX_FAILED_SHARE);
    if (excess.length > 0) {
      console.error(
        `More than ${MAX_FAILED_SHARE * 100} % of the clients failed on ${excess.map(({ side }) => side).join(", ")}: its figures do not count.`,
      );
      return 1;
    }
    return 0;
  } finally {
    await Promise.all(sides.map((side) => side.process && stop(side.process)));
    await stop(load);
    rmSync(runtimeDir, { recursive: true, force: true });
  }
}
