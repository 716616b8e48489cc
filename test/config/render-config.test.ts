import assert from "node:assert/strict";
import { test } from "node:test";
import { renderConfigTable, renderMarkdownTable } from "../../src/config/render-config.js";
import { resolveConfig } from "../../src/config/resolve-config.js";
import { configSettings } from "../../src/config/schema.js";

const resolved = resolveConfig({
  flags: { "--port": "8080" },
  environment: { SIGNALBOX_HOST_KEY: "k3y_" },
  file: { path: "/etc/signalbox.json", values: { listenMode: "0600" } },
});

function splitRows(table: string): string[][] {
  return table
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ {2,}/));
}

test("the table of check names every setting, its value and the flag, variable or file it came from", () => {
  const rows = splitRows(renderConfigTable(resolved));
  assert.deepEqual(rows[0], ["setting", "value", "from"]);
  assert.deepEqual(
    rows.slice(1).map(([key]) => key),
    configSettings.map(({ key }) => key),
  );
  assert.deepEqual(
    rows.find(([key]) => key === "port"),
    ["port", "8080", "flag --port"],
  );
  assert.deepEqual(
    rows.find(([key]) => key === "hostKey"),
    ["hostKey", "k3y_", "variable SIGNALBOX_HOST_KEY"],
  );
  assert.deepEqual(
    rows.find(([key]) => key === "listenMode"),
    ["listenMode", "0600", "file /etc/signalbox.json"],
  );
  assert.deepEqual(
    rows.find(([key]) => key === "app"),
    ["app", "unset", "default"],
  );
});

test("the columns of the table of check are aligned", () => {
  const lines = renderConfigTable(resolved).trimEnd().split("\n");
  const starts = lines.map((line) => [...line.matchAll(/(?<= {2})\S/g)].map(({ index }) => index));
  for (const start of starts) assert.deepEqual(start, starts[0]);
});

test("a secret that is set is masked, one that is not set is said to be unset", () => {
  const secrets = configSettings.map((setting) => ({ ...setting, secret: ["hostKey", "app"].includes(setting.key) }));
  const table = renderConfigTable(resolved, secrets);
  const rows = splitRows(table);
  assert.doesNotMatch(table, /k3y_/);
  assert.deepEqual(
    rows.find(([key]) => key === "hostKey"),
    ["hostKey", "(hidden)", "variable SIGNALBOX_HOST_KEY"],
  );
  assert.deepEqual(
    rows.find(([key]) => key === "app"),
    ["app", "unset", "default"],
  );
});

test("the table of the README has a row of five cells for every setting", () => {
  const [head, rule, ...rows] = renderMarkdownTable().trimEnd().split("\n");
  assert.equal(head, "| Setting | Flag | Environment | Default | Meaning |");
  assert.equal(rule, "|---|---|---|---|---|");
  assert.equal(rows.length, configSettings.length);
  configSettings.forEach((setting, index) => {
    const cells = rows[index]?.split(" | ") ?? [];
    assert.equal(cells.length, 5);
    assert.equal(cells[0], `| \`${setting.key}\``);
    assert.deepEqual(cells.slice(1, 3), [`\`${setting.flagName}\``, `\`${setting.environmentName}\``]);
    assert.equal(cells[4], `${setting.description} |`);
  });
});

test("a bar in a description does not break the README table", () => {
  const [setting] = configSettings;
  assert.ok(setting !== undefined);
  const row = renderMarkdownTable([{ ...setting, description: "One | two." }])
    .trimEnd()
    .split("\n")[2];
  assert.ok(row?.endsWith("| One \\| two. |"), row);
});
