/** `npm run simulate` measures the product's own router core: its numbers follow from what it is asked. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { projectDir } from "../support/host.js";

function simulate(...args: readonly string[]): { code: number | null; out: string; err: string } {
  const script = join(projectDir, "scripts/simulate.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: "utf8" });
  return { code: status, out: stdout, err: stderr };
}

interface Row {
  readonly hosts: number;
  readonly workers: number;
  readonly roomsOfHost: number;
  readonly roomsOfOthers: number;
  readonly joinMiB: number;
}

test("each size has a row, with the rooms that there are", () => {
  const { code, out, err } = simulate("--hosts", "4", "--workers", "3", "--rooms", "1200", "--json");
  assert.equal(code, 0, err);
  const rows = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
  // Each room is on two hosts; one more is joined at the end.
  assert.deepEqual(
    rows.map(({ hosts, workers, roomsOfHost, roomsOfOthers }) => [hosts, workers, roomsOfHost, roomsOfOthers]),
    [
      [2, 6, 1_201, 1_200],
      [4, 12, 601, 1_800],
    ],
  );
  assert.ok(rows.every(({ joinMiB }) => joinMiB > 0));
});

test("a table and a chart for people", () => {
  const { code, out } = simulate("--hosts", "2", "--rooms", "10");
  assert.equal(code, 0);
  assert.match(out, /router MiB/);
  assert.match(out, /Idle traffic to each host, KiB\/s\n +2 hosts {2}█+/);
});

for (const args of [
  ["--hosts", "1"],
  ["--rooms", "many"],
  ["--horses", "3"],
]) {
  test(`${args.join(" ")} is a mistake, and told as one`, () => {
    const { code, err } = simulate(...args);
    assert.equal(code, 2);
    assert.doesNotMatch(err, /at .*simulate\.mjs/);
    assert.match(err, new RegExp(args[0] ?? ""));
  });
}
