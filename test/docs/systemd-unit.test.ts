/** The shipped systemd units: they are what the generator writes, systemd understands them, and they expose little. */

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { exitCodes } from "../../src/cli/exit-codes.js";
import { runProgram } from "../support/cli-process.js";
import { cliPath, projectDir } from "../support/host.js";
import { findProgram, skipOrFail } from "../support/prerequisite.js";

const directory = join(projectDir, "systemd");
const units = ["signalbox.service", "signalbox@.service"];

test("the files in systemd/ are those that the generator writes", async () => {
  const script = join(projectDir, "scripts/generate-units.mjs");
  const { code, stderr } = await runProgram(process.execPath, [script, "--check"]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
});

test("a wrong configuration is not tried again", () => {
  for (const unit of units) {
    const text = readFileSync(join(directory, unit), "utf8");
    assert.match(text, new RegExp(`^RestartPreventExitStatus=${exitCodes.usage}$`, "m"));
  }
});

test("systemd-analyze finds nothing to say about the units, and little that is exposed", async (t) => {
  const analyze = findProgram("systemd-analyze");
  if (analyze === undefined) return skipOrFail(t, "systemd-analyze is missing; apt-get install systemd installs it");
  const copies = mkdtempSync(join(tmpdir(), "sbx-unit-"));
  try {
    for (const name of readdirSync(directory).filter((file) => /\.(service|socket)$/.test(file))) {
      const text = readFileSync(join(directory, name), "utf8");
      // Node and Signalbox where they are here: it looks whether they are there.
      writeFileSync(
        join(copies, name),
        text.replaceAll("/usr/bin/node /opt/signalbox/dist/cli/main.js", `${process.execPath} ${cliPath}`),
      );
    }
    const verified = await Promise.all(
      units.map(async (unit) => {
        const files = [unit, unit.replace(".service", ".socket")].map((name) => join(copies, name));
        return await runProgram(analyze, ["verify", "--man=no", ...files]);
      }),
    );
    // It reports unknown keys and values with code 0.
    for (const { code, stdout, stderr } of verified)
      assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
    const offline = ["security", "--offline=true", "--no-pager", "--threshold=25", join(copies, "signalbox.service")];
    const { code, stdout } = await runProgram(analyze, offline);
    assert.equal(code, 0, stdout);
  } finally {
    rmSync(copies, { recursive: true, force: true });
  }
});
