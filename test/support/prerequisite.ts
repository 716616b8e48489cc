/** What a test needs beyond Node and the packages: without it a test is shown as skipped, and in CI it fails. */

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";

/** Skips the test with the reason; with `CI=true` it throws, because there nothing may go untested unseen. */
export function skipOrFail(t: TestContext, reason: string): void {
  if (process.env["CI"] === "true") throw new Error(`${reason} (skipped elsewhere; with CI=true it is a failure)`);
  t.skip(reason);
}

/** Path of a program, also of one that only root's PATH would find; undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  const directories = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}
