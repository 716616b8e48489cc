/** The contract of the fabrics: the table of what a fabric cannot hold, each line of which a test shows. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type KnownLimit, knownLimits } from "./support/known-limits.js";

const limits: readonly [name: string, limit: KnownLimit][] = Object.entries(knownLimits);

function readTests(): string {
  const directory = fileURLToPath(new URL(".", import.meta.url));
  const files = readdirSync(directory).filter((file) => file.endsWith(".test.ts"));
  return files.map((file) => readFileSync(new URL(file, import.meta.url), "utf8")).join("\n");
}

test("each statement that a fabric cannot hold has one test, which shows what happens there", (t) => {
  const text = readTests();
  for (const [name, { title, fabrics, whatHappens }] of limits) {
    assert.equal(text.split(`testLimited(stage, "${name}", {`).length - 1, 1, `tests of "${name}"`);
    t.diagnostic(`${fabrics.join(" and ")} cannot hold: ${title}; ${whatHappens}`);
  }
  t.diagnostic(`${limits.length} statements in all`);
});

test("no two statements have the same title", () => {
  assert.equal(new Set(limits.map(([, { title }]) => title)).size, limits.length);
});
