/** Reads the environment and the config file and gives the resolved configuration; no other file reads settings from process.env. */

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseEnv } from "node:util";
import { describeBriefly, readErrorCode } from "../errors.js";
import type { SignalboxConfig } from "./config.js";
import { findJsonFault } from "./json-position.js";
import { findChangedVariables, replaceVariables, type Variables } from "./reload-variables.js";
import { type ConfigSources, configPathVariable, type ResolvedConfig, resolveConfig } from "./resolve-config.js";
import { pathKeys } from "./schema.js";

/** What is taken from variables that belong to others: systemd, the login session, the terminal. */
export interface RuntimeEnvironment {
  /** RUNTIME_DIRECTORY: made for the service by systemd and removed with it. */
  readonly runtimeDirectory: string | undefined;
  /** XDG_RUNTIME_DIR: private to the user, lives as long as the login session. */
  readonly xdgRuntimeDir: string | undefined;
  /** NO_COLOR is set: no colours in anything meant for people. */
  readonly noColor: boolean;
  /** JOURNAL_STREAM: device and inode of the stream by which systemd's journal reads what is printed. */
  readonly journalStream: string | undefined;
}

/** What systemd tells the one process that it starts; sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3) say what it means. */
const serviceVariables = [
  ...["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"],
  ...["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"],
] as const;
export type ServiceVariables = { readonly [Name in (typeof serviceVariables)[number] | "PATH"]?: string | undefined };

export interface LoadConfigOptions {
  /** Text by flag as typed, dashes included: `{ "--port": "3000" }`. */
  readonly flags: Readonly<Record<string, string>>;
  /** The value of `--config`; undefined leaves it to SIGNALBOX_CONFIG. */
  readonly configPath: string | undefined;
  /** The value of `--env-file`: a file of variables, for the settings and for the application. */
  readonly envPath?: string | undefined;
  /** Faults of the command line, to be reported together with those of the settings. */
  readonly argumentFaults?: readonly string[];
  readonly environment?: Variables;
  /** What a reload has brought in place of the environment. */
  readonly broughtVariables?: Variables | undefined;
  readonly cwd?: string;
}

export interface LoadedConfig extends ResolvedConfig {
  /** What the workers have otherwise than this process: from the env file, and what a reload has brought. */
  readonly fileVariables: Variables;
}

/** Loads and checks the configuration; the paths in it are absolute. Throws one ConfigError with every fault. */
export function loadConfig(options: LoadConfigOptions): LoadedConfig {
  const { flags, cwd = process.cwd() } = options;
  const faults = [...(options.argumentFaults ?? [])];
  const { environment, fileVariables } = readEnvironment(options, cwd, faults);
  let file: ConfigSources["file"];

  const configPath = options.configPath ?? (environment[configPathVariable] || undefined);
  if (configPath !== undefined) {
    const path = resolve(cwd, configPath);
    const givenBy = options.configPath === undefined ? configPathVariable : "--config";
    const outcome = readConfigFile(path, givenBy);
    if ("fault" in outcome) faults.push(outcome.fault);
    else file = { path, values: outcome.values };
  }
  const resolved = resolveConfig({ flags, environment, file, earlierFaults: faults });
  return { ...resolved, config: makePathsAbsolute(resolved, cwd), fileVariables };
}

/** The variables of the process, and those of the env file that it has not. */
function readEnvironment(options: LoadConfigOptions, cwd: string, faults: string[]) {
  const { environment: own = process.env, broughtVariables, envPath } = options;
  const environment = broughtVariables === undefined ? own : replaceVariables(own, broughtVariables);
  const changedVariables = findChangedVariables(own, environment);
  if (envPath === undefined) return { environment, fileVariables: changedVariables };
  const path = resolve(cwd, envPath);
  let variables: NodeJS.Dict<string> = {};
  try {
    variables = parseEnv(readFileSync(path, "utf8"));
  } catch (error) {
    const isMissing = readErrorCode(error) === "ENOENT";
    const what = isMissing ? "does not exist" : `cannot be read: ${describeBriefly(error)}`;
    faults.push(`the env file ${path} (from --env-file) ${what}`);
  }
  // As everywhere, an empty setting is none; what an empty variable means to the application only that knows.
  const isSet = (name: string): boolean =>
    name.startsWith("SIGNALBOX_") ? Boolean(environment[name]) : environment[name] !== undefined;
  const entries = Object.entries(variables).filter(([name]) => !isSet(name));
  const fileVariables = Object.fromEntries(entries);
  return {
    environment: { ...environment, ...fileVariables },
    fileVariables: { ...changedVariables, ...fileVariables },
  };
}

/** The variables of others that the host heeds. */
export function readRuntimeEnvironment(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): RuntimeEnvironment {
  return {
    // systemd separates the directories of a unit with more than one by colons; the first is the one for sockets.
    runtimeDirectory: environment.RUNTIME_DIRECTORY?.split(":")[0] || undefined,
    xdgRuntimeDir: environment.XDG_RUNTIME_DIR || undefined,
    noColor: (environment.NO_COLOR ?? "") !== "",
    journalStream: environment.JOURNAL_STREAM || undefined,
  };
}

/** The variables of this process, for a host that is to have them. */
export function readVariables(environment: Variables = process.env): Variables {
  return { ...environment };
}

/** Takes systemd's variables out of the environment, so that no child believes that it is the service; PATH stays in it. */
export function takeServiceVariables(environment: Record<string, string | undefined> = process.env): ServiceVariables {
  const taken = Object.fromEntries(serviceVariables.map((name) => [name, environment[name] || undefined]));
  for (const name of serviceVariables) delete environment[name];
  return { ...taken, PATH: environment.PATH };
}

function readConfigFile(path: string, givenBy: string): { values: Record<string, unknown> } | { fault: string } {
  const subject = `the config file ${path} (from ${givenBy})`;
  let text: string;
  try {
    // Editors on Windows put a byte order mark first, which JSON.parse does not take.
    text = readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    const isMissing = readErrorCode(error) === "ENOENT";
    return { fault: isMissing ? `${subject} does not exist` : `${subject} cannot be read: ${describeBriefly(error)}` };
  }
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch {
    const { line, column } = findJsonFault(text) ?? { line: 1, column: 1 };
    const hint = "JSON has no comments, no comma after the last entry, and double quotes around every name";
    return { fault: `${subject} is not JSON at line ${line}, column ${column}; ${hint}` };
  }
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    return { fault: `${subject} has to hold a JSON object such as { "port": 3000 }` };
  }
  return { values: { ...values } };
}

/** A path in the file is relative to the file, so that the host can be started from anywhere; others to `cwd`. */
function makePathsAbsolute({ config, origins }: ResolvedConfig, cwd: string): SignalboxConfig {
  const paths = pathKeys.flatMap((key) => {
    const { source, name } = origins[key];
    const path = config[key];
    return typeof path === "string" ? [[key, resolve(source === "file" ? dirname(name) : cwd, path)]] : [];
  });
  return { ...config, ...(Object.fromEntries(paths) as Partial<SignalboxConfig>) };
}
