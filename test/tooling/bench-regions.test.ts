/** The benchmark of a link between regions: what it calculates, and once as a program, tiny and short. */

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
const readmeFile = fileURLToPath(new URL("../../README.md", import.meta.url));
const patienceMs = 120_000;

interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

interface Throughput {
  readonly payload: number;
  readonly batch: { readonly bytes: number };
  readonly framesPerMessage: number;
  readonly timesEcho: Spread;
  readonly timesPlain: Spread;
  readonly sides: readonly { readonly side: string; readonly perSecondAndCore: Spread }[];
}

interface LatencyRow {
  readonly side: string;
  readonly delayMs: number;
  readonly addedP50Ms: number;
}

interface Costs {
  readonly bytes: number;
  readonly cpuSeconds: number;
}

interface CompressionRow {
  readonly payload: string;
  readonly off: Costs;
  readonly on: Costs;
}

interface Gate {
  readonly what: string;
  readonly isPassed: boolean;
}

/** The benchmarks are modules without types: each part of them that is used here is described above. */
async function load<Exports>(file: string): Promise<Exports> {
  const url = new URL(`../../scripts/bench/regions/${file}`, import.meta.url);
  return (await import(url.href)) as Exports;
}

const { judgeLatency, judgeThroughput } = await load<{
  judgeLatency: (latency: object) => readonly Gate[];
  judgeThroughput: (summaries: readonly object[]) => readonly Gate[];
}>("gates.mjs");
const { summarizeCompression, summarizeLatency, summarizeThroughput } = await load<{
  summarizeCompression: (windows: readonly object[]) => readonly CompressionRow[];
  summarizeLatency: (measured: object) => { readonly rows: readonly LatencyRow[] };
  summarizeThroughput: (measured: object) => Throughput;
}>("results.mjs");
const { makeTexts } = await load<{ makeTexts: (payload: number | string) => readonly string[] }>("payloads.mjs");
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

function makeWindows(side: string, capacities: readonly number[]): object[] {
  return capacities.map((capacity) => ({
    side,
    perSecondAndCore: capacity,
    bytesPerSecondAndCore: 2 * capacity,
    usPerMessage: 1e6 / capacity,
    saturation: 1,
  }));
}

const throughput = summarizeThroughput({
  payload: 1_000,
  batch: { bytes: 64_000, perAnswer: 4, answerBytes: 62 },
  framesPerMessage: 58,
  windows: [
    ...makeWindows("link", [60, 90, 90]),
    ...makeWindows("echo", [100, 100, 300]),
    ...makeWindows("ws", [120, 180, 300]),
    ...makeWindows("within", [200, 200, 200]),
  ],
});

const rounds = [0.8, 1.2, 9].flatMap((added) =>
  [0, 80].flatMap((delayMs) =>
    ["link", "ws"].map((side) => ({ side, delayMs, addedP50Ms: added, addedP99Ms: 2 * added })),
  ),
);
const latency = summarizeLatency({ delayMs: 80, ratePerSecond: 500, rounds });

const compression = summarizeCompression(
  [false, true].map((isCompressed) => ({
    payload: "json-7k",
    ratePerSecond: 500,
    isCompressed,
    wireBytesPerMessage: isCompressed ? 700 : 7_000,
    usPerMessage: isCompressed ? 300 : 100,
  })),
);

const round = (value: number): number => Math.round(10 * value) / 10;

const failing = (gates: readonly Gate[]): string[] => gates.filter(({ isPassed }) => !isPassed).map(({ what }) => what);

describe("results of regions", () => {
  test("the share is of windows that ran next to each other", () => {
    assert.deepEqual(throughput.timesEcho, { median: 0.6, min: 0.3, max: 0.9 });
    assert.deepEqual(throughput.timesPlain, { median: 0.5, min: 0.3, max: 0.5 });
  });

  test("what is added to a delay is the median of the rounds", () => {
    assert.deepEqual(
      latency.rows.map(({ side, delayMs, addedP50Ms }) => [side, delayMs, round(addedP50Ms)]),
      [
        ["link", 0, 1.2],
        ["ws", 0, 1.2],
        ["link", 80, 1.2],
        ["ws", 80, 1.2],
      ],
    );
  });

  test("compression is told of 1,000 messages", () => {
    const [row] = compression;
    assert.deepEqual(
      [row?.off, row?.on],
      [
        { bytes: 7e6, cpuSeconds: 0.1 },
        { bytes: 7e5, cpuSeconds: 0.3 },
      ],
    );
  });

  test("gates judge capacity and what is added to a delay", () => {
    assert.deepEqual(failing([...judgeThroughput([throughput]), ...judgeLatency(latency)]), []);
    const slow = { ...throughput, timesEcho: { median: 0.59, min: 0.5, max: 0.7 } };
    assert.equal(failing(judgeThroughput([slow])).length, 1);
    assert.deepEqual(judgeThroughput([{ ...slow, payload: 100 }]), []);
    const late = latency.rows.map((row) => (row.delayMs === 80 ? { ...row, addedP50Ms: 3.1 } : row));
    assert.equal(failing(judgeLatency({ rows: late })).length, 1);
  });

  test("texts have their sizes, and of JSON each is another", () => {
    assert.deepEqual(
      makeTexts(100).map((text) => text.length),
      [100],
    );
    for (const [payload, least, most] of [
      ["json-300", 200, 450],
      ["json-7k", 7_000, 8_000],
    ] as const) {
      const texts = makeTexts(payload);
      assert.equal(new Set(texts.map((text) => text.slice(40))).size, texts.length);
      assert.ok(texts.every((text) => text.length >= least && text.length <= most));
    }
  });

  test("the tables take their place between the marks, which README.md has", () => {
    const about = { node: "v20", ws: "8", cpu: "cpu", startedAt: "2026-01-02T03" };
    const results = { about, windows: 3, throughput: [throughput], latency, compression };
    const file = join(directory, "text.md");
    writeFileSync(file, "before\n<!-- measured: regions, so -->\nold\n<!-- end -->\nafter\n");
    writeReadme(file, results);
    const text = readFileSync(file, "utf8");
    assert.equal(text, `before\n<!-- measured: regions, so -->\n${renderReadme(results)}\n<!-- end -->\nafter\n`);
    assert.match(
      text,
      /\n\| 1,000 bytes \(58\) \| 90 \| 100 \| 180 \| 200 \| 0 \| \*\*0\.60\*\* \(0\.30 to 0\.90\) \| \*\*0\.50\*\* /,
    );
    assert.match(text, /\n\| JSON, 7 KB, 500\/s \| 7,000 \| 700 \| 0\.100 \| 0\.300 \|\n/);
    assert.throws(() => writeReadme(mainFile, results), /has no place/);
    assert.match(readFileSync(readmeFile, "utf8"), /<!-- measured: regions[^\n]*-->\n[\s\S]*?<!-- end -->/);
  });
});

describe("settings of the benchmark of regions", () => {
  const mistakes: readonly [string[], RegExp][] = [
    [["--parts", "latencies"], /--parts: "latencies" is none of throughput, latency, compression/],
    [["--payloads", "100,0"], /--payloads must be a whole number from 1 to 50000/],
    [["--delay-ms", "0"], /--delay-ms must be a whole number from 1/],
    [["--readme", "--parts", "latency"], /--readme is for all parts/],
    [["--json", "/no/such/directory/x.json"], /no directory/],
    [["link"], /Unexpected argument 'link'/],
  ];
  for (const [args, message] of mistakes) {
    test(`"${args.join(" ")}" is refused`, () => {
      assert.throws(() => readSettings(args, new Date()), message);
    });
  }
});

function cannotRun(t: TestContext): boolean {
  if (findProgram("taskset") !== undefined && availableParallelism() >= 2) return false;
  skipOrFail(t, "the benchmark of regions needs taskset and two cores");
  return true;
}

// Three parts with links of their own take most of a minute.
const skipSmoke = process.env["TEST_SIZE"] === "full" ? false : "at full size";

describe("benchmark of regions", { skip: skipSmoke }, () => {
  test("all parts measure something", { timeout: patienceMs }, async (t) => {
    if (cannotRun(t)) return;
    const jsonFile = join(directory, "regions.json");
    const args = ["regions", "--quick", "--payloads", "1000", "--delay-ms", "20", "--json", jsonFile];
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
    assert.equal(code, 0, output);
    const report = JSON.parse(readFileSync(jsonFile, "utf8")) as {
      readonly throughput: readonly Throughput[];
      readonly latency: { readonly rows: readonly LatencyRow[] };
      readonly compression: readonly CompressionRow[];
    };
    const [link] = report.throughput;
    assert.ok(link !== undefined && link.batch.bytes > 1_000 && link.framesPerMessage >= 1);
    assert.ok(link.sides.every(({ perSecondAndCore }) => perSecondAndCore.median > 0));
    // A message that is there before the delay is over has not come by that way.
    for (const { side, addedP50Ms } of report.latency.rows) assert.ok(addedP50Ms > 0 && addedP50Ms < 1_000, side);
    assert.equal(report.compression.length, 4);
    for (const { payload, off, on } of report.compression) {
      assert.ok(off.cpuSeconds > 0 && on.cpuSeconds > 0 && on.bytes > 0, payload);
      // Of small messages at a rate, none is worth it.
      if (payload === "json-7k") assert.ok(on.bytes < off.bytes, payload);
    }
  });
});
