/** The contract of the fabrics: that each is held to it, and the table of what one cannot hold, each line of which a test shows. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { configSettings } from "../../../src/config/schema.js";
import { chooseLayouts, isChosen } from "./support/fabrics.js";
import { type KnownLimit, knownLimits } from "./support/known-limits.js";

const limits: readonly [name: string, limit: KnownLimit][] = Object.entries(knownLimits);

function readTests(): string {
  const directory = fileURLToPath(new URL(".", import.meta.url));
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" });
  const texts = files.filter((file) => /^(suites\/.*|[^/]*\.test)\.ts$/.test(file));
  return texts.map((file) => readFileSync(new URL(file, import.meta.url), "utf8")).join("\n");
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

test("each fabric that can be configured is held to the contract", { skip: isChosen }, () => {
  const schema = configSettings.find(({ key }) => key === "fabric")?.kind.schema as unknown;
  const { options } = schema as { options: readonly string[] };
  const fabrics = new Set(chooseLayouts().map(({ fabric }) => fabric));
  assert.deepEqual([...fabrics].toSorted(), options.toSorted());
});
