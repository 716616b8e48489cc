import assert from "node:assert/strict";
import { test } from "node:test";
import { configSettings, settingGroups } from "../../src/config/schema.js";

test("names of flags and variables are derived from the key", () => {
  const setting = configSettings.find(({ key }) => key === "drainTimeoutMs");
  assert.equal(setting?.environmentName, "SIGNALBOX_DRAIN_TIMEOUT_MS");
  assert.equal(setting?.flagName, "--drain-timeout-ms");
});

test("no two settings share a flag or a variable", () => {
  assert.equal(new Set(configSettings.map(({ flagName }) => flagName)).size, configSettings.length);
  assert.equal(new Set(configSettings.map(({ environmentName }) => environmentName)).size, configSettings.length);
});

for (const setting of configSettings) {
  test(`${setting.key} explains itself in one sentence, names its unit, and has a heading and a placeholder`, () => {
    assert.match(setting.description, /^[A-Z][^\n]*[a-z0-9]\.$/);
    if (setting.key.endsWith("Ms")) assert.match(setting.description, /^Milliseconds /);
    if (setting.key.endsWith("Bytes")) assert.match(setting.description, /^Bytes /);
    assert.ok(settingGroups.includes(setting.group));
    assert.equal(setting.placeholder === "", setting.kind.isSwitch);
    assert.equal(setting.defaultValue === undefined, setting.whenUnset !== undefined);
  });
}
