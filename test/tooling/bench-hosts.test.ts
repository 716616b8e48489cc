/** The benchmark of several hosts: what it calculates, and once as a program, tiny and short. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { findProgram, skipOrFail } from "../support/prerequisite.js";

const mainFile = fileURLToPath(new URL("../../scripts/bench/main.mjs", import.meta.url));
const patienceMs = 120_000;

interface Place {
  readonly target: number;
}

interface Gate {
  readonly place: string;
  readonly what: string;
  readonly isPassed: boolean;
}

interface Side {
  readonly side: string;
  readonly connections: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly timesBetter?: { readonly median: number };
  readonly meterPerMessage?: { readonly redisUs: number; readonly publishes: number; readonly bytesIn: number };
}

interface Summary {
  readonly name: string;
  readonly better?: string;
  readonly sides: readonly Side[];
}

interface IdleRow {
  readonly hosts: number;
  readonly workers: number;
  readonly connections: number;
  readonly messages: number;
  readonly bytes: number;
}

interface Report {
  readonly summaries: readonly Summary[];
  readonly growth: { readonly points: readonly { readonly hosts: number; readonly remoteHosts: number }[] };
  readonly idle: readonly IdleRow[];
}

/** The benchmarks are modules without types: each part of them that is used here is described above. */
async function load<Exports>(file: string): Promise<Exports> {
  const url = new URL(`../../scripts/bench/hosts/${file}`, import.meta.url);
  return (await import(url.href)) as Exports;
}

const { countRemoteHosts, fitGrowth } = await load<{
  countRemoteHosts: (places: readonly Place[], hostOf: (client: number) => number) => number;
  fitGrowth: (points: readonly { remoteHosts: number; us: number }[]) => { a: number; b: number; off: number[] };
}>("growth.mjs");
const { judgeIdle, judgeLoads } = await load<{
  judgeIdle: (rows: readonly IdleRow[]) => readonly Gate[];
  judgeLoads: (summaries: readonly object[]) => readonly Gate[];
}>("gates.mjs");
const { summarizeLoad } = await load<{
  summarizeLoad: (load: object, sides: readonly string[], measured: object) => Summary;
}>("results.mjs");
const { renderReadme, writeReadme } = await load<{
  renderReadme: (results: object) => string;
  writeReadme: (file: string, results: object) => void;
}>("readme.mjs");
const { readSettings } = await load<{
  readSettings: (args: readonly string[], startedAt: Date) => Readonly<Record<string, unknown>> | undefined;
}>("settings.mjs");

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "sbx-bench-"));
});
after(() => rmSync(directory, { recursive: true, force: true }));

describe("growth", () => {
  test("remote hosts are counted once per message, and the sender's own is none", () => {
    const places = [0, 0, 0, 1].map((target) => ({ target }));
    assert.equal(
      countRemoteHosts(places, () => 7),
      0,
    );
    // Three members on two hosts, and one alone.
    assert.equal(
      countRemoteHosts(places, (client) => Math.min(client, 1)),
      3 / 4,
    );
    assert.equal(
      countRemoteHosts(places, (client) => client),
      6 / 4,
    );
  });

  test("a line is found, and how far points are off it", () => {
    const { a, b, off } = fitGrowth([1, 2, 3].map((remoteHosts) => ({ remoteHosts, us: 30 + 12 * remoteHosts })));
    assert.ok(Math.abs(a - 30) < 1e-9 && Math.abs(b - 12) < 1e-9);
    assert.ok(off.every((share) => Math.abs(share) < 1e-9));
    const bent = fitGrowth([40, 60, 68].map((us, i) => ({ remoteHosts: i, us })));
    assert.ok(bent.off.some((share) => Math.abs(share) > 0.02));
  });
});

const meter = { bytesIn: 100, bytesOut: 200, publishes: 0.1 };
const noCounters = { lost: 0, double: 0, unexpected: 0, late: 0 };
const load2x2 = { name: "2x2-room", hosts: 2, workers: 2, workload: "room", leastRatio: 1.6 };

function makeWindows(side: string, capacities: readonly number[], redisUs: number): object[] {
  return capacities.map((capacity) => ({
    side,
    perSecond: capacity,
    perSecondAndCore: capacity,
    usPerMessage: { primary: 0, router: 1, workers: 1, redis: 1, other: 0, total: 3 },
    saturation: 1,
    loadBusy: 0.5,
    ...(side !== "in-memory" && { meterPerMessage: { ...meter, redisUs } }),
  }));
}

const allSides = ["routed", "classic", "sharded", "in-memory"];

function summarize(change: { redisUs?: number; connections?: number; counters?: object } = {}): Summary {
  return summarizeLoad(load2x2, allSides, {
    windows: [
      ...makeWindows("routed", [300, 480, 400], change.redisUs ?? 1),
      ...makeWindows("classic", [100, 90, 110], 8),
      ...makeWindows("sharded", [150, 300, 200], 10),
      ...makeWindows("in-memory", [600, 960, 800], 0),
    ],
    countersByFleet: Object.fromEntries(allSides.map((side) => [side, change.counters ?? noCounters])),
    connectionsByFleet: { routed: change.connections ?? 4, classic: 8, sharded: 8, "in-memory": 0 },
  });
}

function listFailing(gates: readonly Gate[]): string[] {
  return gates.filter(({ isPassed }) => !isPassed).map(({ what }) => what);
}

describe("results of several hosts", () => {
  test("the ratio is to the stock adapter that can do more, of windows that ran next to each other", () => {
    const summary = summarize();
    assert.equal(summary.better, "sharded");
    assert.deepEqual(summary.sides[0]?.timesBetter, { median: 2, min: 1.6, max: 2 });
    assert.equal(summary.sides.at(-1)?.meterPerMessage, undefined);
  });

  test("gates judge ratio, Redis CPU against the thriftier adapter, connections and deliveries", () => {
    const judge = (summary: object) => listFailing(judgeLoads([{ ...load2x2, ...summary }]));
    assert.deepEqual(judge(summarize()), []);
    assert.deepEqual(judge(summarize({ redisUs: 1.01 })), ["Redis CPU, share of stock's"]);
    assert.deepEqual(judge(summarize({ connections: 5 })), ["connections to Redis"]);
    assert.deepEqual(judge(summarize({ counters: { ...noCounters, lost: 1 } })), [
      "deliveries lost, double or unexpected",
    ]);
    assert.deepEqual(judge({ ...summarize(), leastRatio: 2.1 }), ["times the better stock adapter's capacity"]);
  });

  test("idle traffic may grow with hosts and not with workers", () => {
    const row = (hosts: number, workers: number, bytes: number) => ({
      hosts,
      workers,
      bytes,
      messages: 1,
      connections: 2 * hosts,
    });
    assert.deepEqual(listFailing(judgeIdle([row(2, 1, 100), row(2, 4, 114), row(8, 1, 440), row(8, 4, 440)])), []);
    assert.deepEqual(listFailing(judgeIdle([row(2, 1, 100), row(2, 4, 116)])), [
      "bytes with 4 workers over those with 1",
    ]);
    assert.deepEqual(listFailing(judgeIdle([row(2, 1, 100), row(8, 1, 441)])), ["bytes per host, 8 hosts over 2"]);
  });

  test("the table takes its place between the marks, and nothing else changes", () => {
    const about = { redisAdapter: "8", node: "v20", socketIo: "4", redis: "7", cpu: "cpu", startedAt: "2026-01-02T03" };
    const results = { about, windows: 3, summaries: [summarize()], growth: undefined, idle: undefined };
    const file = join(directory, "text.md");
    writeFileSync(file, "before\n<!-- measured: several hosts, so -->\nold\n<!-- end -->\nafter\n");
    writeReadme(file, results);
    const text = readFileSync(file, "utf8");
    assert.equal(text, `before\n<!-- measured: several hosts, so -->\n${renderReadme(results)}\n<!-- end -->\nafter\n`);
    assert.match(
      text,
      /\n\| 2 × 2, .* \| 400 \| 100 \| 200 \| 800 \| \*\*2\.0\*\* \(1\.6 to 2\.0\) \| 1\.0, 10\.0 \| 300, 300 \|\n/,
    );
    assert.throws(() => writeReadme(mainFile, results), /has no place/);
  });
});

describe("settings of the benchmark of several hosts", () => {
  const mistakes: readonly [string[], RegExp][] = [
    [["--loads", "2x2-rooms"], /--loads: "2x2-rooms" is none of 2x2-room, /],
    [["--sides", "stock"], /--sides: "stock" is none of routed, classic, sharded, in-memory/],
    [["--parts", "load"], /--parts: "load" is none of loads, growth, idle/],
    [["--growth-hosts", "1,2"], /--growth-hosts must be a whole number from 2 to 16/],
    [["--idle-workers", "2,,3"], /--idle-workers must be a whole number/],
    [["--readme", "--loads", "2x2-room"], /--readme is for all loads on all sides/],
    [["--json", "/no/such/directory/x.json"], /no directory/],
    [["room"], /Unexpected argument 'room'/],
  ];
  for (const [args, message] of mistakes) {
    test(`"${args.join(" ")}" is refused`, () => {
      assert.throws(() => readSettings(args, new Date()), message);
    });
  }
});

function cannotRun(t: TestContext): boolean {
  const missing = ["taskset", "redis-server"].find((name) => findProgram(name) === undefined);
  if (missing === undefined && availableParallelism() >= 2) return false;
  skipOrFail(t, `the benchmark of several hosts needs ${missing ?? "two cores"}`);
  return true;
}

async function runBench(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [mainFile, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: patienceMs,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}

// Fleets that get warm take more than a minute.
const skipSmoke = process.env["TEST_SIZE"] === "full" ? false : "at full size";

describe("benchmark of several hosts", { skip: skipSmoke }, () => {
  test("every side delivers everything once through Redis; growth and idle traffic are measured", async (t) => {
    if (cannotRun(t)) return;
    const jsonFile = join(directory, "hosts.json");
    const { code, output } = await runBench([
      ...["hosts", "--loads", "2x2-room", "--clients", "12", "--outstanding", "40", "--windows", "1"],
      ...["--window-s", "0.4", "--warmup-s", "0.4", "--growth-hosts", "2,3", "--growth-windows", "1"],
      ...["--idle-hosts", "2", "--idle-workers", "1,2", "--idle-s", "1.5", "--json", jsonFile],
    ]);
    assert.equal(code, 0, output);
    const { summaries, growth, idle } = JSON.parse(readFileSync(jsonFile, "utf8")) as Report;
    for (const { side, counters, meterPerMessage, connections } of summaries[0]?.sides ?? []) {
      const { lost, late, double, unexpected, outstanding, completed = 0 } = counters;
      assert.deepEqual([lost, late, double, unexpected, outstanding], [0, 0, 0, 0, 0], side);
      assert.ok(completed > 50, side);
      assert.equal(connections, { routed: 4, "in-memory": 0 }[side] ?? 8, side);
      if (side === "in-memory") continue;
      assert.ok((meterPerMessage?.redisUs ?? 0) > 0 && (meterPerMessage?.publishes ?? 0) > 0, side);
    }
    assert.deepEqual(
      summaries[0]?.sides.map(({ side }) => side),
      allSides,
    );
    assert.deepEqual(
      growth.points.map(({ hosts }) => hosts),
      [2, 3],
    );
    assert.ok(growth.points.every(({ remoteHosts }) => remoteHosts > 0.5 && remoteHosts < 2));
    for (const { hosts, messages, bytes, connections } of idle) {
      assert.ok(messages > 0 && bytes > 0);
      assert.equal(connections, 2 * hosts);
    }
    const chart = readFileSync(join(directory, "hosts.svg"), "utf8");
    assert.match(chart, /^<svg .*class="in-memory".*class="routed".*class="classic".*class="sharded".*<\/svg>\n$/s);
  });

  test("rooms are announced to another host, and those beyond the limit flood it", async (t) => {
    if (cannotRun(t)) return;
    const jsonFile = join(directory, "rooms.json");
    const { code, output } = await runBench(["rooms", "--rooms", "201000", "--gates", "--json", jsonFile]);
    assert.equal(code, 0, output);
    const { runs } = JSON.parse(readFileSync(jsonFile, "utf8")) as {
      runs: readonly { readonly isFlooded: boolean; readonly knownRooms: number }[];
    };
    assert.deepEqual(
      runs.map(({ isFlooded }) => isFlooded),
      [false, true],
    );
    assert.equal(runs[0]?.knownRooms, 201_000);
  });
});
