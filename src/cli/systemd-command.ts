/** `signalbox systemd`: writes the units and the environment file of a service that runs an application. */

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { type LoadedConfig, loadConfig } from "../config/load-config.js";
import { configPathVariable } from "../config/resolve-config.js";
import { configSettings, pathKeys } from "../config/schema.js";
import { ConfigError, describeBriefly, UsageError } from "../errors.js";
import { readPlan } from "../systemd/read-plan.js";
import { renderFiles, type UnitFiles } from "../systemd/unit-files.js";
import type { UnitPlan } from "../systemd/unit-plan.js";
import type { SystemdCommandLine } from "./parse-arguments.js";
import { explainUnreadable, findInstallation } from "./systemd-installation.js";
import { checkUnits } from "./systemd-program.js";

/** Settings that name a file which the host reads: every path that is none of these. */
const fileKeys = pathKeys.filter((key) => !["app", "listen", "runtimeDir"].includes(key));

/** Throws ConfigError with every fault; with `--check`, SignalboxError when systemd finds some, and nothing is written then. */
export function runSystemdCommand({ flags, configPath, envPath, options, faults }: SystemdCommandLine): number {
  const resolved = loadConfig({ flags, configPath, envPath, argumentFaults: faults });
  const plan = createPlan(resolved, options);
  const files = renderFiles(plan);
  if (options["--check"] !== undefined) process.stderr.write(`systemd: ${checkUnits(files)}\n`);
  const directory = options["--out"];
  if (directory === undefined) print(files);
  else write(files, resolve(directory));
  process.stderr.write(describeConsequences(plan, resolved.config.app));
  return 0;
}

function createPlan(
  { config, origins, fileVariables }: LoadedConfig,
  options: SystemdCommandLine["options"],
): UnitPlan {
  const variables = new Map<string, string>();
  let configFile: string | undefined;
  for (const setting of configSettings) {
    // The keys of the table are those of the configuration: the type of the definitions says so.
    const key = setting.key as keyof typeof config;
    const { source, name } = origins[key];
    if (source === "file") configFile = name;
    if (source === "flag" || source === "environment") {
      variables.set(setting.environmentName, setting.kind.render(config[key]));
    }
  }
  if (configFile !== undefined) variables.set(configPathVariable, configFile);
  // The application's own: the file itself the service's user may not be able to read.
  for (const [name, value] of Object.entries(fileVariables)) {
    if (value !== undefined && !name.startsWith("SIGNALBOX_")) variables.set(name, value);
  }
  const installation = findInstallation({
    appPath: config.app,
    readFiles: [configFile, ...fileKeys.map((key) => config[key])].filter((path) => typeof path === "string"),
    nodePath: options["--node"],
    signalboxDirectory: options["--signalbox"],
  });
  const unitOptions = {
    name: options["--name"],
    isTemplate: options["--template"] !== undefined,
    user: options["--user"],
    socketGroup: options["--socket-group"],
  };
  const { plan, faults } = readPlan(unitOptions, config, installation, variables);
  if (faults.length > 0) throw new ConfigError(faults);
  return plan;
}

function print({ service, socket, environment }: UnitFiles): void {
  const sections = [service, socket, environment].map(({ path, text }) => `# ==== ${path}\n${text}`);
  process.stdout.write(sections.join("\n"));
}

/** The environment file is somebody's own from its first day on: one that is there stays. */
function write({ service, socket, environment }: UnitFiles, directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
    for (const { path, text } of [service, socket]) writeFileSync(join(directory, basename(path)), text);
    const environmentPath = join(directory, basename(environment.path));
    if (existsSync(environmentPath)) process.stderr.write(`${environmentPath} is there already, and stays as it is\n`);
    else writeFileSync(environmentPath, environment.text, { mode: 0o600 });
  } catch (error) {
    throw new UsageError(`--out: the files cannot be written (${describeBriefly(error)})`);
  }
}

/** What somebody has to know who did not ask. */
function describeConsequences(plan: UnitPlan, appPath: string | undefined): string {
  const lines: string[] = [];
  if (plan.homePaths.length > 0) {
    lines.push(
      `Under a home directory: ${plan.homePaths.join(", ")}. The service sees these, read only, and nothing else of the homes.`,
    );
  }
  const unreadable = plan.user === undefined && appPath !== undefined ? explainUnreadable(appPath) : undefined;
  if (unreadable !== undefined) {
    lines.push(
      `${unreadable} cannot be read by other users, and the service runs as one: chmod -R o+rX, or give --user.`,
    );
  }
  return lines.map((line) => `signalbox: ${line}\n`).join("");
}
