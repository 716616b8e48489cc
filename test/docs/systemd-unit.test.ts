/** The shipped systemd unit: systemd understands it, and it fits the defaults of the settings. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { exitCodes } from "../../src/cli/exit-codes.js";
import { configSettings } from "../../src/config/schema.js";
import { runProgram } from "../support/cli-process.js";
import { cliPath, projectDir } from "../support/host.js";
import { findProgram, skipOrFail } from "../support/prerequisite.js";

const unit = readFileSync(join(projectDir, "systemd/signalbox.service"), "utf8");

function readValue(key: string): string {
  const values = [...unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map((match) => match[1] ?? "");
  assert.equal(values.length, 1, `${key} is there once`);
  return values[0] ?? "";
}

test("systemd-analyze verify finds nothing to say about the unit", async (t) => {
  const analyze = findProgram("systemd-analyze");
  if (analyze === undefined) return skipOrFail(t, "systemd-analyze is missing; apt-get install systemd installs it");
  const directory = mkdtempSync(join(tmpdir(), "sbx-unit-"));
  try {
    const path = join(directory, "signalbox.service");
    const start = `ExecStart=${process.execPath} ${cliPath} start`;
    writeFileSync(path, unit.replace(/^ExecStart=.*$/m, start).replace(/^User=.*$/m, "User=root"));
    const { code, stdout, stderr } = await runProgram(analyze, ["verify", "--man=no", path]);
    // It reports unknown keys and values with code 0.
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("systemd waits longer than a drain takes, tells only the primary, and does not repeat a wrong configuration", () => {
  const drainTimeout = configSettings.find((setting) => setting.key === "drainTimeoutMs");
  assert.ok(Number(readValue("TimeoutStopSec")) * 1_000 > Number(drainTimeout?.defaultValue));
  assert.equal(readValue("KillMode"), "mixed");
  assert.equal(readValue("Restart"), "on-failure");
  assert.equal(Number(readValue("RestartPreventExitStatus")), exitCodes.usage);
});

test("what the unit starts is what the package has", () => {
  const { bin } = JSON.parse(readFileSync(join(projectDir, "package.json"), "utf8")) as { bin: { signalbox: string } };
  const installed = join("/srv/app/node_modules/signalbox", bin.signalbox);
  assert.equal(readValue("ExecStart"), `/usr/bin/node ${installed} start app.js`);
  assert.equal(readValue("WorkingDirectory"), "/srv/app");
});
