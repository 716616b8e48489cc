/** Ends workers: tells them to drain, and kills the one that outlives its deadline. */

import { planSpreadMs } from "./drain-spread.js";
import type { WorkerRecord } from "./worker-record.js";

/** Beyond its drain deadline, the time for a worker's exit to arrive before it is killed. */
export const killGraceMs = 500;
/** A process that was killed ends within this, unless the system holds it. */
export const killedEndMs = 2_000;

/** Tells these workers to drain, together. */
export function tellToDrain(leaving: readonly WorkerRecord[], deadlineMs: number, occasion: "reload" | "stop"): void {
  let sessions = 0;
  for (const record of leaving) {
    record.sessionsAtDrain = record.sessions;
    sessions += record.sessions;
  }
  const spreadMs = planSpreadMs(sessions, deadlineMs, occasion);
  for (const record of leaving) record.send({ type: "signalbox:drain", deadlineMs, spreadMs });
}

/** Kills the worker a moment after the deadline, and resolves when it has ended; with false when not even that ends it. */
export async function waitForEnd(record: WorkerRecord, deadlineMs: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const settle = (hasEnded: boolean): void => {
      clearTimeout(timer);
      resolve(hasEnded);
    };
    let timer = setTimeout(() => {
      record.kill();
      timer = setTimeout(() => settle(false), killedEndMs);
    }, deadlineMs + killGraceMs);
    record.process.process.once("exit", () => settle(true));
  });
}
