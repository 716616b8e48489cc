/** Decides what systemd is told about the host, and when: sd_notify(3). Pure. */

import type { HostState, ReloadStatus } from "../protocol/host-status.js";
import { count } from "./describe-host.js";

export interface ServiceFacts {
  readonly state: HostState;
  /** The reload under way. */
  readonly reload: Pick<ReloadStatus, "workersDone" | "workers"> | undefined;
  readonly workers: number;
  readonly readyWorkers: number;
  readonly sessions: number;
  /** Why the host takes no new sessions. */
  readonly notReadyReason: string | undefined;
  /** What the host cannot do without is there: this process runs its timers, or it would not ask. */
  readonly isHealthy: boolean;
}

/** What systemd has been told. */
export interface ToldService {
  readonly state: "starting" | "ready" | "reloading" | "stopping";
  /** The status without figures that change with every client. */
  readonly outline: string;
  readonly status: string;
  readonly statusMs: number;
  readonly watchdogMs: number;
}

export const nothingTold: ToldService = {
  state: "starting",
  outline: "",
  status: "",
  statusMs: -Infinity,
  watchdogMs: -Infinity,
};

/** Each telling costs a process of 4 ms; nobody reads faster. */
const statusIntervalMs = 1_000;
/** Sessions come and go all the time. */
const figuresIntervalMs = 5_000;

/**
 * Variables to tell systemd now, and what it has been told then.
 * @param watchdogMs how long systemd waits for a sign of life; undefined when it does not
 * @param lookIntervalMs the next call comes after so long at the latest
 */
export function planNotice(
  told: ToldService,
  facts: ServiceFacts,
  watchdogMs: number | undefined,
  lookIntervalMs: number,
  nowMs: number,
): { readonly variables: readonly string[]; readonly told: ToldService } {
  const variables: string[] = [];
  let next = told;
  if (told.state === "starting" && facts.state === "running") {
    variables.push("READY=1");
    next = { ...next, state: "ready" };
  }
  if (facts.state === "running" && told.state === "ready" && facts.reload !== undefined) {
    variables.push("RELOADING=1");
    next = { ...next, state: "reloading" };
  }
  if (facts.state === "running" && told.state === "reloading" && facts.reload === undefined) {
    variables.push("READY=1");
    next = { ...next, state: "ready" };
  }
  if (told.state !== "stopping" && (facts.state === "draining" || facts.state === "closed")) {
    variables.push("STOPPING=1");
    next = { ...next, state: "stopping" };
  }
  const { outline, status } = describe(facts);
  const isOutlineNew = outline !== told.outline;
  const sinceMs = nowMs - told.statusMs;
  const isDue = sinceMs >= (isOutlineNew ? statusIntervalMs : figuresIntervalMs);
  if (next.state !== told.state || (status !== told.status && isDue)) {
    variables.push(`STATUS=${status}`);
    next = { ...next, outline, status, statusMs: nowMs };
  }
  // At half the time, or before: the next look would come later than that.
  const isWatchdogDue = watchdogMs !== undefined && nowMs - told.watchdogMs > watchdogMs / 2 - lookIntervalMs;
  if (isWatchdogDue && facts.isHealthy && next.state !== "starting") {
    variables.push("WATCHDOG=1");
    next = { ...next, watchdogMs: nowMs };
  }
  return { variables, told: next };
}

function describe(facts: ServiceFacts): { outline: string; status: string } {
  const sessions = count(facts.sessions, "session");
  const ready = `${facts.readyWorkers} of ${count(facts.workers, "worker")} ready`;
  switch (facts.state) {
    case "starting":
      return { outline: `Starts: ${ready}`, status: `Starts: ${ready}` };
    case "running": {
      const reason = facts.notReadyReason === undefined ? "" : `; takes no new sessions: ${facts.notReadyReason}`;
      const reload =
        facts.reload === undefined
          ? ""
          : `Reloads: ${facts.reload.workersDone} of ${count(facts.reload.workers, "worker")} replaced; `;
      return { outline: `${reload}${ready}${reason}`, status: `${reload}${ready}, ${sessions}${reason}` };
    }
    case "draining":
    case "closed":
      return { outline: "Stops", status: `Stops: ${sessions} left` };
  }
}
