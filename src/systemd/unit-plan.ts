/** What the units of a service are made from. Pure. */

import type { SignalboxConfig } from "../config/config.js";

export interface UnitPlan {
  /** Of the units, without suffix and, for a template, without "@". */
  readonly name: string;
  /** One unit for several services: what systemd calls instance, `%i`, is the name of one. */
  readonly isTemplate: boolean;
  /** A user that exists; undefined: systemd makes one for as long as the service runs. */
  readonly user: string | undefined;
  readonly nodePath: string;
  /** `dist/cli/main.js` of Signalbox. */
  readonly cliPath: string;
  /** As the unit has it: `%i` is the instance, and any other `%` is doubled. */
  readonly workingDirectory: string;
  /** Directories under home directories that the service has to read. */
  readonly homePaths: readonly string[];
  readonly socket: UnitSocket;
  readonly limits: UnitLimits;
  /** Variables of the environment file, in its order. */
  readonly variables: readonly (readonly [name: string, value: string])[];
}

export interface UnitSocket {
  /** Value of ListenStream=: an address with a port, or the path of a Unix socket. */
  readonly stream: string;
  /** Of a Unix socket; undefined for TCP. */
  readonly file: { readonly mode: number; readonly group: string | undefined } | undefined;
}

export interface UnitLimits {
  readonly startSeconds: number;
  readonly stopSeconds: number;
}

/** Beyond the drain: 0.5 s until workers are killed, 4 s for the router, 1 s for the log, and as much again to be sure. */
const stopMarginMs = 10_000;
/** For what is not the workers' own: the router, the runtime directory, the end of what hangs. */
const startMarginMs = 30_000;

/**
 * How long systemd has to wait: for the start of all workers at once, and for a reload, which has the same limit (systemd.service(5),
 * TimeoutStartSec=).
 */
export function deriveLimits(
  config: Pick<SignalboxConfig, "startTimeoutMs" | "drainTimeoutMs" | "reloadTimeoutMs">,
): UnitLimits {
  const { startTimeoutMs, drainTimeoutMs, reloadTimeoutMs } = config;
  return {
    startSeconds: Math.ceil((startMarginMs + Math.max(startTimeoutMs, reloadTimeoutMs)) / 1_000),
    stopSeconds: Math.ceil((drainTimeoutMs + stopMarginMs) / 1_000),
  };
}

/** The unit files and the environment file, each with where systemd looks for it. */
export function nameFiles(plan: Pick<UnitPlan, "name" | "isTemplate">): {
  readonly service: string;
  readonly socket: string;
  /** As the unit names it: `%i` is the instance. */
  readonly environment: string;
} {
  const unit = plan.isTemplate ? `${plan.name}@` : plan.name;
  return {
    service: `/etc/systemd/system/${unit}.service`,
    socket: `/etc/systemd/system/${unit}.socket`,
    environment: `/etc/signalbox/${plan.isTemplate ? "%i" : plan.name}.env`,
  };
}
