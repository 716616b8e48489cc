/**
 * Tells systemd how the host is, through `systemd-notify`: Node cannot send datagrams on Unix sockets. What fails here is
 * logged once, and hurts nobody else.
 */

import { execFile } from "node:child_process";
import type { ServiceVariables } from "../config/load-config.js";
import { describeBriefly, readErrorCode } from "../errors.js";
import type { Logger } from "../logging.js";
import { nothingTold, planNotice, type ServiceFacts } from "./service-notices.js";
import { readWatchdogMs } from "./service-variables.js";

export interface ServiceNotifier {
  /** Something has happened: what systemd should know goes out now, not at the next look. */
  update(): void;
  close(): void;
}

const maxLookIntervalMs = 1_000;
/** It waits until systemd has read the message, so that systemd can still see whose it is. */
const timeoutMs = 5_000;

/** Begins to tell systemd; does nothing where systemd does not listen. */
export function startServiceNotifier(
  variables: ServiceVariables,
  readFacts: () => ServiceFacts,
  log: Pick<Logger, "warn">,
): ServiceNotifier {
  const { NOTIFY_SOCKET: notifySocket, PATH: path } = variables;
  if (notifySocket === undefined) return { update: () => {}, close: () => {} };
  const watchdogMs = readWatchdogMs(variables, process.pid);
  const lookIntervalMs = Math.min(maxLookIntervalMs, (watchdogMs ?? Infinity) / 4);
  let told = nothingTold;
  let isTelling = false;
  let isUpdateWanted = false;
  let hasWarned = false;

  const look = (): void => {
    if (isTelling) {
      isUpdateWanted = true;
      return;
    }
    isUpdateWanted = false;
    const plan = planNotice(told, readFacts(), watchdogMs, lookIntervalMs, performance.now());
    if (plan.variables.length === 0) return;
    isTelling = true;
    const env = { NOTIFY_SOCKET: notifySocket, ...(path !== undefined && { PATH: path }) };
    const options = { env, timeout: timeoutMs, killSignal: "SIGKILL" } as const;
    const note = (error: unknown, stderr: string): void => {
      isTelling = false;
      // What was not heard is said again at the next look.
      if (error === null) told = plan.told;
      else if (!hasWarned) {
        hasWarned = true;
        const isMissing = readErrorCode(error) === "ENOENT";
        const reason = isMissing ? "systemd-notify is not installed" : stderr.trim() || describeBriefly(error);
        log.warn(`systemd is not told how the host is: ${reason}. A unit of Type=notify then never becomes active`);
      }
      if (isUpdateWanted && error === null) look();
    };
    try {
      execFile("systemd-notify", [...plan.variables], options, (error, _stdout, stderr) => note(error, stderr));
    } catch (error) {
      // Node throws what it does not expect of the system, such as ENOMEM.
      note(error, "");
    }
  };
  const timer = setInterval(look, lookIntervalMs);
  look();
  return { update: look, close: () => clearInterval(timer) };
}
