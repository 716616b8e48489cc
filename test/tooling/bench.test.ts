/** The message benchmark as a program: tiny and short, to see that nothing is lost and that nothing stays behind. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { findProgram, skipOrFail } from "../support/prerequisite.js";

const mainFile = fileURLToPath(new URL("../../scripts/bench/main.mjs", import.meta.url));
const patienceMs = 60_000;
const scenarios = process.env["TEST_SIZE"] === "full" ? ["room", "room-7k", "presence"] : ["room", "presence"];
const markName = "BENCH_TEST_MARK";
const tiny = [
  ...["messages", "--workers", "2", "--clients", "10", "--outstanding", "40", "--windows", "1", "--window-s", "0.4"],
  ...["--warmup-s", "0.3", "--latency-s", "0.2", "--latency-rounds", "1"],
];

interface Counters {
  readonly completed: number;
  readonly outstanding: number;
  readonly lost: number;
  readonly late: number;
  readonly double: number;
  readonly unexpected: number;
}

interface Report {
  readonly summaries: readonly {
    readonly workload: string;
    readonly sides: readonly {
      readonly side: string;
      readonly counters: Counters;
      readonly perSecondAndCore: { readonly median: number };
      readonly latencies: readonly { readonly p99Ms: { readonly median: number } }[];
    }[];
  }[];
}

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "sbx-bench-"));
});
after(() => rmSync(directory, { recursive: true, force: true }));

function cannotRun(t: TestContext): boolean {
  if (findProgram("taskset") !== undefined && availableParallelism() >= 2) return false;
  skipOrFail(t, "the benchmarks need taskset and two cores");
  return true;
}

/** A benchmark whose processes all carry a mark in their environment. */
function startBench(args: readonly string[]): { child: ChildProcess; mark: string; output: () => string } {
  const mark = randomUUID();
  const child = spawn(process.execPath, [mainFile, ...args], {
    env: { ...process.env, [markName]: mark },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: patienceMs,
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
  }
  return { child, mark, output: () => text };
}

function listMarked(mark: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, "latin1").includes(`${markName}=${mark}`);
    } catch {
      return false; // ended meanwhile, or not ours to read
    }
  });
}

/** A process that was told to end may need a moment to do so. */
async function assertNoneLeft(mark: string): Promise<void> {
  for (let attempt = 0; attempt < 20 && listMarked(mark).length > 0; attempt++) await sleep(100);
  assert.deepEqual(listMarked(mark), []);
}

describe("message benchmark", () => {
  test("each scenario delivers everything once on every side, and writes figures and chart", async (t) => {
    if (cannotRun(t)) return;
    const jsonFile = join(directory, "messages.json");
    const { child, mark, output } = startBench([
      ...tiny,
      ...["--sides", "stock,in-memory", "--scenarios", scenarios.join(","), "--json", jsonFile],
    ]);
    const [code] = (await once(child, "close")) as [number | null];
    assert.equal(code, 0, output());

    const { summaries } = JSON.parse(readFileSync(jsonFile, "utf8")) as Report;
    assert.deepEqual(
      summaries.map(({ workload }) => workload),
      scenarios,
    );
    for (const { workload, sides } of summaries) {
      for (const { side, counters, perSecondAndCore, latencies } of sides) {
        const { lost, late, double, unexpected, outstanding } = counters;
        const place = `${workload} on ${side}`;
        assert.deepEqual([lost, late, double, unexpected, outstanding], [0, 0, 0, 0, 0], place);
        assert.ok(counters.completed > 50, place);
        assert.ok(perSecondAndCore.median > 0, place);
        assert.ok(latencies.every(({ p99Ms }) => p99Ms.median > 0) && latencies.length > 0, place);
      }
    }
    const chart = readFileSync(join(directory, "messages.svg"), "utf8");
    assert.match(chart, /^<svg .*class="in-memory".*class="stock".*<\/svg>\n$/s);
    await assertNoneLeft(mark);
  });

  test("--gates answers 1 when a gate fails", async (t) => {
    if (cannotRun(t)) return;
    const { child, output } = startBench([
      ...tiny,
      ...["--side", "routed=@socket.io/cluster-adapter", "--sides", "routed,stock", "--scenarios", "dm", "--gates"],
      ...["--json", join(directory, "gates.json")],
    ]);
    const [code] = (await once(child, "close")) as [number | null];
    assert.equal(code, 1, output());
    assert.match(output(), /times stock's capacity +>= 4 .* FAIL/);
    assert.match(output(), /lost, double or unexpected +<= 0 +0 +pass/);
  });

  test("Ctrl-C ends all processes", async (t) => {
    if (cannotRun(t)) return;
    const { child, mark, output } = startBench([
      ...tiny,
      "--sides",
      "stock",
      "--scenarios",
      "room",
      "--warmup-s",
      "50",
    ]);
    const ended = once(child, "close") as Promise<[number | null]>;
    for (let attempt = 0; attempt < 200 && listMarked(mark).length < 5; attempt++) await sleep(50); // 3 + load + itself
    assert.equal(listMarked(mark).length, 5, output());
    child.kill("SIGINT");
    assert.deepEqual((await ended)[0], 130, output());
    await assertNoneLeft(mark);
  });

  test("a mistake in the options is one line and exit code 2", async () => {
    const { child, output } = startBench(["messages", "--windows", "none"]);
    const [code] = (await once(child, "close")) as [number | null];
    assert.equal(code, 2);
    assert.equal(output(), "--windows must be a whole number from 1 to 50\n");
  });
});
