/** `signalbox reload`: has the running host reload, shows how it goes, and ends when it has. */

import { tmpdir } from "node:os";
import { loadConfig, readRuntimeEnvironment, readVariables } from "../config/load-config.js";
import { NotRunningError, ReloadError } from "../errors.js";
import { computeRuntimePaths } from "../primary/runtime-paths.js";
import type { ReloadStatus } from "../protocol/host-status.js";
import { findHost, requestReload } from "./control-client.js";
import type { CommandLine } from "./parse-arguments.js";
import { renderReload } from "./render-status.js";

/** For finding the host; the reload itself has its own limit there. */
const timeoutMs = 5000;

/** Throws NotRunningError when no host answers, ReloadError when it stopped. */
export async function runReloadCommand(commandLine: CommandLine): Promise<number> {
  const { flags, configPath, envPath, faults, withVariables } = commandLine;
  const { config } = loadConfig({ flags, configPath, envPath, argumentFaults: faults });
  const environment = readRuntimeEnvironment();
  const uid = process.getuid?.() ?? 0;
  const { baseDir, controlSocketPath } = computeRuntimePaths({ config, environment, uid, tmpDir: tmpdir() });
  const { socketPath } = await findHost({ controlSocketPath, baseDir, timeoutMs });

  let last: ReloadStatus | undefined;
  let shown = "";
  for await (const status of requestReload(socketPath, withVariables ? readVariables() : undefined)) {
    last = status;
    const line = renderReload(status);
    if (status.state !== "rolling" || line === shown) continue;
    shown = line;
    process.stdout.write(`${line}\n`);
  }
  if (last === undefined || last.state === "rolling") {
    throw new NotRunningError(`The host behind ${socketPath} ended before the reload had.`);
  }
  const { state, restartNeeded, reason } = last;
  if (restartNeeded.length > 0) {
    process.stderr.write(`signalbox: changed, and in force only after a restart: ${restartNeeded.join(", ")}\n`);
  }
  if (state === "failed") throw new ReloadError(`The reload failed: ${reason}`);
  process.stdout.write(`${renderReload(last)}\n`);
  return 0;
}
