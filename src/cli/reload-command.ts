/** `signalbox reload`: has the running host reload, shows how it goes, and ends when it has. */

import { tmpdir } from "node:os";
import type { SignalboxConfig } from "../config/config.js";
import { loadConfig, readRuntimeEnvironment, readVariables } from "../config/load-config.js";
import type { ConfigOrigins } from "../config/resolve-config.js";
import { NotRunningError, ReloadError } from "../errors.js";
import { renderAddress } from "../primary/describe-host.js";
import { checkControlSocket } from "../primary/directory-owners.js";
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
  const { config, origins } = loadConfig({ flags, configPath, envPath, argumentFaults: faults });
  const environment = readRuntimeEnvironment();
  const uid = process.getuid?.() ?? 0;
  const paths = computeRuntimePaths({ config, environment, uid, tmpDir: tmpdir() });
  const { socketPath, status } = await findHost({
    ...paths,
    timeoutMs,
    isOtherTaken: !withVariables && !isAddressGiven(config, origins),
    // What it brings is secret now and then.
    ...(withVariables && { checkSocket: () => checkControlSocket(paths, uid) }),
  });

  if (socketPath !== paths.controlSocketPath) {
    process.stdout.write(`reloads host ${status.hostKey} at ${renderAddress(status.listen)}, the only one running\n`);
  }

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

/** One whose port the system picked is named by nothing that could be given. */
function isAddressGiven({ listen, port }: SignalboxConfig, origins: ConfigOrigins): boolean {
  const isGiven = (["host", "port", "listen"] as const).some((key) => origins[key].source !== "default");
  return isGiven && (listen !== undefined || port !== 0);
}
