/** What the supervisor, and through it each worker, is told of the configuration and of this host. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LogFormat, SignalboxConfig } from "../config/config.js";
import type { Variables } from "../config/reload-variables.js";
import type { StockRedisSettings } from "../protocol/worker-messages.js";
import { readCpuFacts } from "./machine-facts.js";
import type { RestartSettings } from "./restart-policy.js";
import type { RuntimePaths } from "./runtime-paths.js";
import { chooseWorkerCount } from "./worker-count.js";
import { type WorkerProcessSettings, workerLogFd } from "./worker-process.js";

export interface SupervisorSettings extends WorkerProcessSettings {
  readonly workerCount: number;
  readonly restart: RestartSettings;
  /** Development: a crash or a failed start waits for the next change of a file instead of ending the host. */
  readonly isWatching: boolean;
}

/** A worker that lived this long after it was ready has not failed at its start. */
const stableAfterMs = 60_000;

export function collectSupervisorSettings(host: {
  readonly config: SignalboxConfig;
  /** The host listens on a Unix socket. */
  readonly hasUnixPeers: boolean;
  readonly hostKey: string;
  readonly appPath: string;
  readonly paths: RuntimePaths;
  readonly log: { readonly format: LogFormat; readonly isColored: boolean };
  /** Of the workers; undefined: that of this process. */
  readonly workingDirectory: string | undefined;
  /** What the workers have otherwise than this process. */
  readonly fileVariables: Variables;
}): SupervisorSettings {
  const { config, paths } = host;
  return {
    workerCount: chooseWorkerCount(config.workers, readCpuFacts()),
    restart: {
      backoffMinMs: config.restartBackoffMinMs,
      backoffMaxMs: config.restartBackoffMaxMs,
      maxRestarts: config.maxRestarts,
      stableAfterMs,
    },
    init: {
      hostKey: host.hostKey,
      region: config.region,
      appPath: host.appPath,
      fabric: config.fabric,
      stockRedis: readStockRedis(config),
      routerSocketPath: paths.routerSocketPath,
      maxOutboxBytes: config.maxOutboxBytes,
      maxRoomsPerWorker: config.maxRoomsPerWorker,
      trustProxy: countHopsLeft(config),
      hasUnixPeers: host.hasUnixPeers,
      startTimeoutMs: config.startTimeoutMs,
      // A debugger blocks it for as long as somebody thinks.
      hangTimeoutMs: config.inspect ? 0 : config.hangTimeoutMs,
      headTimeoutMs: config.headTimeoutMs,
      maxHeadBytes: config.maxHeadBytes,
      requestTimeoutMs: config.requestTimeoutMs,
      keepAliveTimeoutMs: config.keepAliveTimeoutMs,
      logLevel: config.logLevel,
      logFormat: host.log.format,
      logFd: workerLogFd,
      isLogColored: host.log.isColored,
    },
    workerMain: fileURLToPath(new URL("../worker/worker-main.js", import.meta.url)),
    inspectPort: config.inspect ? config.inspectPort : undefined,
    createSocketPath: (slot, pid) => join(paths.instanceDir, `w${slot}-${pid}.sock`),
    workingDirectory: host.workingDirectory,
    environment: host.fileVariables,
    isWatching: config.watch,
  };
}

/** The proxy that names a connection's client by the PROXY protocol is the first of those that a number counts. */
function countHopsLeft({ trustProxy, proxyProtocol }: SignalboxConfig): SignalboxConfig["trustProxy"] {
  return proxyProtocol && typeof trustProxy === "number" ? trustProxy - 1 : trustProxy;
}

function readStockRedis(config: SignalboxConfig): StockRedisSettings | undefined {
  const { fabric, redisUrl: url, redisCa: caPath, stockAdapter: adapter, stockKey: key } = config;
  return fabric === "stock" && url !== undefined ? { url, caPath, adapter, key } : undefined;
}
