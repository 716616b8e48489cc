/** Reads what systemd tells a service by variables: which sockets it gets, where to say that it is ready, how often to give a sign of life. Pure. */

import type { ServiceVariables } from "../config/load-config.js";
import { ListenError } from "../errors.js";

/** First descriptor that systemd passes; sd_listen_fds(3). */
const firstListenFd = 3;

export interface PassedSocket {
  /** Descriptor to listen on; undefined when systemd passes none. */
  readonly fd: number | undefined;
  /** Why a socket that is there is not used. */
  readonly warning: string | undefined;
}

/**
 * The socket that a socket unit passes to this process.
 * @throws ListenError when there are several: which one is meant?
 */
export function readPassedSocket(variables: ServiceVariables, pid: number): PassedSocket {
  const { LISTEN_FDS: fds, LISTEN_PID: listenPid, LISTEN_FDNAMES: names } = variables;
  if (fds === undefined) return { fd: undefined, warning: undefined };
  if (listenPid !== String(pid)) {
    const warning =
      `systemd passes its sockets to process ${listenPid}, and this is process ${pid}: they are not used. ` +
      "Let ExecStart= start Node itself, without npm or a shell in between";
    return { fd: undefined, warning };
  }
  if (fds === "1") return { fd: firstListenFd, warning: undefined };
  throw new ListenError(
    "SIGNALBOX_LISTEN_FAILED",
    `systemd passes ${fds} sockets (${names ?? "without names"}), and Signalbox listens on one: keep one ListenStream= in the ` +
      "socket units of this service.",
  );
}

/** How long systemd waits for a sign of life, in milliseconds; undefined when it does not, or not for this process. */
export function readWatchdogMs(variables: ServiceVariables, pid: number): number | undefined {
  const { WATCHDOG_USEC: microseconds = "", WATCHDOG_PID: watchdogPid = String(pid) } = variables;
  if (watchdogPid !== String(pid) || !/^[1-9]\d{0,15}$/.test(microseconds)) return undefined;
  return Number(microseconds) / 1_000;
}
