/** `signalbox check`: prints the resolved configuration and looks whether the application is there; starts nothing. */

import { statSync } from "node:fs";
import { loadConfig } from "../config/load-config.js";
import { renderConfigTable } from "../config/render-config.js";
import { AppStartError } from "../errors.js";
import type { CommandLine } from "./parse-arguments.js";

/** Throws ConfigError with every fault, or AppStartError after the table when the application is missing. */
export function runCheckCommand({ flags, configPath, envPath, faults }: CommandLine): number {
  const resolved = loadConfig({ flags, configPath, envPath, argumentFaults: faults });
  process.stdout.write(renderConfigTable(resolved));
  const { app } = resolved.config;
  if (app === undefined) {
    process.stdout.write("\nNo application is set: start would run the built-in demo.\n");
  } else if (statSync(app, { throwIfNoEntry: false })?.isFile() !== true) {
    const from = resolved.origins.app.name;
    const message = `The application ${app} (from ${from}) is not a file; give the path of its module.`;
    throw new AppStartError("SIGNALBOX_APP_NOT_FOUND", message);
  }
  return 0;
}
