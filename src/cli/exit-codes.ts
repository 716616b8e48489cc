/** The one table of exit codes: the README's is generated from it, and only `cli/` ends the process with them. */

import type { SignalboxErrorCode } from "../errors.js";

export const exitCodes = {
  ok: 0,
  internal: 1,
  usage: 2,
  appFailed: 3,
  cannotListen: 4,
  crashLoop: 5,
  notRunning: 6,
  reloadFailed: 7,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** One row per exit code, in order, for `--help` and the README. */
export const exitCodeTable: readonly { code: number; meaning: string }[] = [
  { code: exitCodes.ok, meaning: "done; for `start`: stopped as asked" },
  { code: exitCodes.internal, meaning: "a fault of Signalbox itself, with a stack in the log" },
  { code: exitCodes.usage, meaning: "the command line or the configuration is wrong; every fault is listed" },
  {
    code: exitCodes.appFailed,
    meaning: "the application could not be started: missing, threw, never became ready, or exports nothing to run",
  },
  { code: exitCodes.cannotListen, meaning: "the public, admin or control address is taken or not permitted" },
  { code: exitCodes.crashLoop, meaning: "no worker became ready in `maxRestarts` restarts" },
  { code: exitCodes.notRunning, meaning: "`status`, `reload`: no host answers" },
  { code: exitCodes.reloadFailed, meaning: "`reload`: stopped, with the reason; workers not replaced by then go on" },
  { code: 130, meaning: "a second Ctrl-C (SIGINT), 1 s or more after the first, ended the process at once" },
  { code: 143, meaning: "a second SIGTERM, 1 s or more after the first, ended the process at once" },
];

const exitCodeByErrorCode: Record<SignalboxErrorCode, ExitCode> = {
  SIGNALBOX_USAGE: exitCodes.usage,
  SIGNALBOX_CONFIG_INVALID: exitCodes.usage,
  SIGNALBOX_ADDRESS_IN_USE: exitCodes.cannotListen,
  SIGNALBOX_LISTEN_FAILED: exitCodes.cannotListen,
  SIGNALBOX_APP_NOT_FOUND: exitCodes.appFailed,
  SIGNALBOX_APP_FAILED: exitCodes.appFailed,
  SIGNALBOX_APP_NO_EXPORT: exitCodes.appFailed,
  SIGNALBOX_APP_START_TIMEOUT: exitCodes.appFailed,
  SIGNALBOX_APP_UNSUPPORTED: exitCodes.appFailed,
  SIGNALBOX_CRASH_LOOP: exitCodes.crashLoop,
  SIGNALBOX_ALREADY_RUNNING: exitCodes.cannotListen,
  SIGNALBOX_NOT_RUNNING: exitCodes.notRunning,
  SIGNALBOX_RUNTIME_DIR_UNSAFE: exitCodes.cannotListen,
  SIGNALBOX_SOCKET_PATH_TOO_LONG: exitCodes.usage,
  SIGNALBOX_NOT_PRIMARY: exitCodes.appFailed,
  SIGNALBOX_REDIS_AWAY: exitCodes.appFailed,
  SIGNALBOX_REDIS_CA_UNREADABLE: exitCodes.usage,
  SIGNALBOX_LINK_FILE_UNREADABLE: exitCodes.usage,
  SIGNALBOX_HOST_KEY_TAKEN: exitCodes.usage,
  SIGNALBOX_NGINX_CHECK_FAILED: exitCodes.usage,
  SIGNALBOX_SYSTEMD_CHECK_FAILED: exitCodes.usage,
  SIGNALBOX_PLATFORM_UNSUPPORTED: exitCodes.usage,
  SIGNALBOX_RELOAD_FAILED: exitCodes.reloadFailed,
};

/** Exit code for an error code; errors without one are faults of Signalbox itself. */
export function chooseExitCode(code: SignalboxErrorCode | undefined): ExitCode {
  return code === undefined ? exitCodes.internal : exitCodeByErrorCode[code];
}
