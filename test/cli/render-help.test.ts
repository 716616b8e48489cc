import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { exitCodeTable } from "../../src/cli/exit-codes.js";
import { commandNames } from "../../src/cli/parse-arguments.js";
import { renderHelp } from "../../src/cli/render-help.js";
import { configSettings, settingGroups } from "../../src/config/schema.js";

for (const command of [undefined, ...commandNames]) {
  describe(`the help of ${command ?? "the program"}`, () => {
    const lines = renderHelp(command).split("\n");

    test("fits 80 columns, has no trailing spaces and ends with one newline", () => {
      assert.deepEqual(
        lines.filter((line) => line.length > 80 || line !== line.trimEnd()),
        [],
      );
      assert.equal(lines.at(-1), "");
      assert.notEqual(lines.at(-2), "");
    });

    test("opens with the usage and lists every exit code", () => {
      assert.match(lines[0] ?? "", /^Usage: signalbox /);
      for (const { code } of exitCodeTable) assert.ok(lines.some((line) => line.startsWith(`  ${code} `)));
    });
  });
}

for (const command of ["start", "check"] as const) {
  test(`the help of ${command} mentions every setting, under every heading`, () => {
    const lines = renderHelp(command).split("\n");
    for (const group of settingGroups) assert.ok(lines.includes(`${group}:`), group);
    for (const { flagName, placeholder } of configSettings) {
      assert.ok(lines.includes(`  ${flagName} ${placeholder}`.trimEnd()), flagName);
    }
  });
}

test("the help of the program names every command", () => {
  const lines = renderHelp(undefined).split("\n");
  for (const command of commandNames) assert.ok(lines.some((line) => line.startsWith(`  ${command} `)));
});

test("the help of status names the settings that decide where the control socket is", () => {
  for (const flag of ["--host ", "--port ", "--listen ", "--runtime-dir ", "--config ", "--json "]) {
    assert.ok(renderHelp("status").includes(`  ${flag}`), flag);
  }
});
