/** Makes a plan for units out of the settings, the options of the command and what is where; or says what is wrong. Pure. */

import { isIP } from "node:net";
import type { SignalboxConfig } from "../config/config.js";
import { deriveLimits, type UnitPlan, type UnitSocket } from "./unit-plan.js";
import { canBeWritten, escapeSpecifiers } from "./unit-syntax.js";

export interface UnitOptions {
  readonly name: string | undefined;
  readonly isTemplate: boolean;
  readonly user: string | undefined;
  readonly socketGroup: string | undefined;
}

/** Where things are on the machine of the service; absolute paths. */
export interface Installation {
  readonly nodePath: string;
  readonly cliPath: string;
  /** Where the application was installed: with package.json, node_modules. Undefined without an application. */
  readonly appDirectory: string | undefined;
  /** Where that is, when a symbolic link leads there; undefined when none does. */
  readonly linkTarget: string | undefined;
  /** All that the service has to read to run: roots of installations and single files, symbolic links resolved. */
  readonly neededPaths: readonly string[];
}

type PlannedConfig = Pick<
  SignalboxConfig,
  | "app"
  | "host"
  | "port"
  | "listen"
  | "listenMode"
  | "startTimeoutMs"
  | "drainTimeoutMs"
  | "reloadTimeoutMs"
  | "runtimeDir"
>;

/** Names that can be those of a unit, of a user (31 characters with an instance's name behind) and of a directory. */
const namePattern = /^[a-z][a-z0-9_-]{0,30}$/;
const homes = ["/home/", "/root/", "/run/user/"];
const privatePlaces = ["/tmp/", "/var/tmp/", "/dev/"];

/** @param variables settings that were given, as variables; the address is added here */
export function readPlan(
  options: UnitOptions,
  config: PlannedConfig,
  installation: Installation,
  variables: ReadonlyMap<string, string>,
): { readonly plan: UnitPlan; readonly faults: readonly string[] } {
  const faults: string[] = [];
  const { name = "signalbox", isTemplate, user } = options;
  for (const [flag, value] of [
    ["--name", name],
    ["--user", user],
    ["--socket-group", options.socketGroup],
  ] as const) {
    if (value !== undefined && !namePattern.test(value)) {
      faults.push(
        `${flag}: ${JSON.stringify(value)} is not a name of a-z, 0-9, _ and -, a letter first, of at most 31 characters`,
      );
    }
  }
  if (config.app === undefined && !isTemplate) faults.push("--app is missing: the application that the service runs");
  if (
    isTemplate &&
    (config.app !== undefined || variables.has("SIGNALBOX_PORT") || variables.has("SIGNALBOX_LISTEN"))
  ) {
    faults.push(
      "--template: an instance's application and address follow from its name; leave --app, --host, --port and --listen out",
    );
  }
  if (config.runtimeDir !== undefined)
    faults.push("--runtime-dir: systemd makes a directory for the service; leave it out");
  const { nodePath, cliPath, appDirectory = "/", neededPaths } = installation;
  for (const path of new Set(neededPaths.filter((needed) => isBelow(needed, privatePlaces)))) {
    faults.push(
      `${path}: the service has a directory of its own in this place, and does not see it; put it elsewhere, such as /srv`,
    );
  }
  for (const path of new Set([nodePath, cliPath, appDirectory, config.listen ?? "/", ...neededPaths])) {
    if (canBeWritten(path)) continue;
    faults.push(
      `${JSON.stringify(path)}: a unit has no control characters, and no blank or backslash at an end; rename it`,
    );
  }
  const { linkTarget } = installation;
  if (linkTarget !== undefined && [appDirectory, linkTarget].some((path) => isBelow(path, homes))) {
    faults.push(
      `${appDirectory} is a symbolic link to ${linkTarget}: of home directories a service sees what was there at its start, so ` +
        "that a reload would not find another release; put it elsewhere, such as /srv, or name the directory itself",
    );
  }
  const homePaths = withoutNested(neededPaths.filter((path) => isBelow(path, homes)));
  for (const variable of variables.keys()) {
    if (/^[A-Za-z_]\w*$/.test(variable)) continue;
    faults.push(
      `${JSON.stringify(variable)}: systemd takes only A-Z, a-z, 0-9 and _ in the name of a variable; rename it`,
    );
  }
  for (const path of homePaths.filter((home) => home.includes(":"))) {
    faults.push(
      `${path}: a colon ends a path that a service is to see of home directories; rename it, or put it elsewhere`,
    );
  }
  const socket = isTemplate
    ? { stream: `%t/${name}-%i.sock`, file: { mode: 0o666, group: undefined } }
    : readSocket(config, options, faults);
  return {
    plan: {
      name,
      isTemplate,
      user,
      nodePath,
      cliPath,
      workingDirectory: isTemplate ? "/srv/%i" : escapeSpecifiers(appDirectory),
      homePaths,
      socket,
      limits: deriveLimits(config),
      variables: isTemplate ? [...variables] : [...new Map([...describeAddress(config), ...variables])],
    },
    faults,
  };
}

function readSocket(config: PlannedConfig, options: UnitOptions, faults: string[]): UnitSocket {
  const { listen, host, port } = config;
  if (listen !== undefined) {
    return { stream: escapeSpecifiers(listen), file: { mode: config.listenMode, group: options.socketGroup } };
  }
  if (options.socketGroup !== undefined) faults.push("--socket-group is for a Unix socket: give --listen as well");
  if (port === 0) faults.push("--port: systemd listens, and cannot pick a port; give one");
  const version = isIP(host);
  if (version === 0) {
    faults.push(
      `--host: systemd listens on addresses, and ${JSON.stringify(host)} is a name; 127.0.0.1 is this machine alone`,
    );
  }
  const address = escapeSpecifiers(host);
  return { stream: version === 6 ? `[${address}]:${port}` : `${address}:${port}`, file: undefined };
}

function describeAddress({ app, listen, host, port }: PlannedConfig): [string, string][] {
  const address: [string, string][] =
    listen === undefined
      ? [
          ["SIGNALBOX_HOST", host],
          ["SIGNALBOX_PORT", String(port)],
        ]
      : [["SIGNALBOX_LISTEN", listen]];
  return [["SIGNALBOX_APP", app ?? ""], ...address];
}

function isBelow(path: string, directories: readonly string[]): boolean {
  return directories.some((directory) => path.startsWith(directory));
}

function withoutNested(paths: readonly string[]): string[] {
  const unique = [...new Set(paths)].sort();
  return unique.filter((path) => !unique.some((other) => path.startsWith(`${other}/`)));
}
