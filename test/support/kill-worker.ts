/** Ends a worker of a host the hard way. */

import type { TestHost } from "./host.js";

/** Kills (SIGKILL) the worker of a slot; `restarts` is the count that the slot has once its replacement is forked. */
export async function killWorker(host: TestHost, slot: number): Promise<{ pid: number; restarts: number }> {
  const worker = (await host.readStatus()).workers[slot];
  if (worker === undefined || worker.pid === null) throw new Error(`there is no worker ${slot} to kill`);
  process.kill(worker.pid, "SIGKILL");
  return { pid: worker.pid, restarts: worker.restarts + 1 };
}

/** Resolves when the slot whose worker was killed has a ready one again. */
export async function waitUntilReplaced(host: TestHost, slot: number, killed: { pid: number }): Promise<void> {
  await host.waitForStatus(
    ({ workers }) => workers[slot]?.state === "ready" && workers[slot].pid !== killed.pid,
    `a ready replacement of worker ${slot}`,
  );
}
