/** The system refuses to make processes, in the way that Node throws for: the host goes on, and tries again. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fetchText, fixturePath, startHost } from "../support/host.js";
import { findProgram, skipOrFail } from "../support/prerequisite.js";

/** A quarter of the stack's limit is what arguments and variables may have together (Linux, execve(2)), 128 KiB at least. */
function limitVariables(pid: number, stackBytes: number): void {
  execFileSync("prlimit", ["--pid", String(pid), `--stack=${stackBytes}:`]);
}

test("a worker whose restart the system refuses is started again later", { timeout: 60_000 }, async (t) => {
  if (findProgram("prlimit") === undefined) {
    skipOrFail(t, "prlimit (util-linux) is not installed");
    return;
  }
  const long = "x".repeat(100_000);
  await using host = await startHost({
    app: fixturePath("echo-app.mjs"),
    env: { APP_LONG: long, APP_LONGER: long, SIGNALBOX_RESTART_BACKOFF_MIN_MS: "10" },
  });
  limitVariables(host.pid, 500_000);
  const { workers } = await host.readStatus();
  process.kill(workers[0]?.pid ?? 0, "SIGKILL");
  await host.waitForLog(({ msg }) => msg === "worker 0 could not be started: spawn E2BIG.", "a refusal");
  await host.waitForStatus(({ workers: now }) => (now[0]?.restarts ?? 0) > 2, "further restarts");
  assert.equal((await fetchText(`${host.url}/where`)).status, 200, "the other one serves");
  limitVariables(host.pid, 8_000_000);
  await host.waitUntilReady(2);
});
