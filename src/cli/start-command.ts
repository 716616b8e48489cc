/** `signalbox start`: loads the configuration and hands over to the primary until the host has ended. */

import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { loadConfig, readRuntimeEnvironment, takeServiceVariables } from "../config/load-config.js";
import type { Variables } from "../config/reload-variables.js";
import { SignalboxError } from "../errors.js";
import type { CommandLine } from "./parse-arguments.js";

/** Resolves with the exit code when the host has ended; throws what kept it from starting. */
export async function runStartCommand({ flags, configPath, envPath, faults }: CommandLine): Promise<number> {
  refuseUnsupportedPlatform(process.platform);
  // Where it was started: a reload must find the same files.
  const cwd = process.cwd();
  const readConfig = (broughtVariables?: Variables) =>
    loadConfig({ flags, configPath, envPath, broughtVariables, argumentFaults: faults, cwd });
  const loaded = readConfig();
  const environment = readRuntimeEnvironment();
  const service = takeServiceVariables();
  // Loaded last, so that a fault in the configuration is told without loading the rest of the program.
  const { runPrimary } = await import("../primary/primary.js");
  const { endLogs } = await import("../log-output.js");
  try {
    const { exitCode } = await runPrimary({ loaded, readConfig, environment, service, demoAppPath: findDemoApp() });
    return exitCode;
  } finally {
    await endLogs();
  }
}

/** Throws where sockets cannot be handed to another process. */
export function refuseUnsupportedPlatform(platform: NodeJS.Platform): void {
  if (platform !== "win32") return;
  throw new SignalboxError(
    "SIGNALBOX_PLATFORM_UNSUPPORTED",
    "Signalbox does not run on Windows: accepted sockets are handed to the workers, and Node can do that on Unix only. " +
      "Use Linux, macOS, WSL or a container.",
  );
}

/** The demo beside this file: built, or as source when this runs as source. */
function findDemoApp(): string {
  return fileURLToPath(new URL(`../demo/app${extname(import.meta.url)}`, import.meta.url));
}
