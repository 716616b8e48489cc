/** The systemd that is installed here: what it says of units that are not installed. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { readErrorCode, SignalboxError } from "../errors.js";
import type { UnitFile, UnitFiles } from "../systemd/unit-files.js";

const timeoutMs = 20_000;

/**
 * Has systemd look at units, and returns what it thinks of the service's exposure, in a line.
 * @throws SignalboxError with what systemd says against them, or when there is no systemd.
 */
export function checkUnits(units: Pick<UnitFiles, "service" | "socket">): string {
  const directory = mkdtempSync(join(tmpdir(), "sbx-units-"));
  try {
    const write = ({ path, text }: UnitFile): string => {
      const copy = join(directory, basename(path));
      writeFileSync(copy, text);
      return copy;
    };
    const service = write(units.service);
    // It reports unknown keys and values with code 0.
    const verified = analyze(["verify", "--man=no", service, write(units.socket)]);
    if (verified.trim() !== "") throw refuse(`systemd finds fault with the units:\n${verified.trim()}`);
    const lines = analyze(["security", "--offline=true", "--no-pager", service]).trim().split("\n");
    return lines.at(-1)?.replace(/^\W+/, "").replace(/ \W*$/, "") ?? "";
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function analyze(args: readonly string[]): string {
  const { error, stdout, stderr } = spawnSync("systemd-analyze", args, { encoding: "utf8", timeout: timeoutMs });
  if (error === undefined) return stdout + stderr;
  if (readErrorCode(error) === "ENOENT")
    throw refuse("--check needs systemd-analyze, which is not installed here: leave it out");
  throw refuse(`systemd-analyze cannot be run: ${error.message}`);
}

function refuse(message: string): SignalboxError {
  return new SignalboxError("SIGNALBOX_SYSTEMD_CHECK_FAILED", message);
}
