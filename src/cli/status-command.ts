/** `signalbox status`: prints what the running host says about itself. */

import { tmpdir } from "node:os";
import { loadConfig, readRuntimeEnvironment } from "../config/load-config.js";
import { computeRuntimePaths } from "../primary/runtime-paths.js";
import { findHost } from "./control-client.js";
import type { CommandLine } from "./parse-arguments.js";
import { renderStatus } from "./render-status.js";

/** Long enough for a host whose primary is busy; a person is waiting. */
const timeoutMs = 5000;

/** Throws NotRunningError when no host answers. */
export async function runStatusCommand({ flags, configPath, envPath, faults, json }: CommandLine): Promise<number> {
  const { config } = loadConfig({ flags, configPath, envPath, argumentFaults: faults });
  const environment = readRuntimeEnvironment();
  const uid = process.getuid?.() ?? 0;
  const { baseDir, controlSocketPath } = computeRuntimePaths({ config, environment, uid, tmpDir: tmpdir() });

  const { socketPath, status } = await findHost({ controlSocketPath, baseDir, timeoutMs, isOtherTaken: true });
  if (socketPath !== controlSocketPath) {
    process.stderr.write(`signalbox: no host answers on ${controlSocketPath}; this is the only one running\n`);
  }
  process.stdout.write(json ? `${JSON.stringify(status, undefined, 2)}\n` : renderStatus(status));
  return 0;
}
