/** Forks one worker process and watches it until it ends; what to do about it is the supervisor's business. */

import cluster from "node:cluster";
import { rmSync } from "node:fs";
import { Server, Socket } from "node:net";
import type { Variables } from "../config/reload-variables.js";
import { AppStartError } from "../errors.js";
import type { Logger } from "../logging.js";
import { type MessageToPrimary, parseMessageToPrimary, type WorkerInit } from "../protocol/worker-messages.js";
import type { IncomingConnection } from "./listener.js";
import { captureOutput } from "./output-capture.js";
import { takeReturnedConnection } from "./returned-connection.js";
import { watchSilence } from "./silence-watch.js";
import { WorkerRecord } from "./worker-record.js";

export interface WorkerProcessSettings {
  /** Everything that each worker is told, but for what differs from slot to slot. */
  readonly init: Omit<WorkerInit, "type" | "slot" | "socketPath">;
  /** Path of the module that a worker process runs. */
  readonly workerMain: string;
  /** Inspector port of slot 0, each further slot has one more; undefined without inspector. */
  readonly inspectPort: number | undefined;
  readonly createSocketPath: (slot: number, pid: number) => string;
  /** Of the workers; undefined: that of this process. */
  readonly workingDirectory: string | undefined;
  /** Variables that the workers have otherwise than this process. */
  readonly environment: Variables;
}

export interface WorkerProcessEvents {
  readonly onMessage: (message: MessageToPrimary) => void;
  /** It gives back a connection that another worker is to have. */
  readonly onReturned: (connection: IncomingConnection) => void;
  /** It was not ready in time and could not say so itself; it is killed. */
  readonly onStartTimeout: (error: AppStartError) => void;
  /** @param cause "exit code 1" or "SIGKILL" */
  readonly onExit: (cause: string) => void;
}

/** The workers' log goes to the primary's stdout, which they inherit under this number; 3 is the IPC channel. */
export const workerLogFd = 4;

/** Node itself needs well under a second to begin; a worker keeps its own time limit from then on. */
const beginTimeoutMs = 20_000;
/** Beyond its own limit, the time after which a starting worker must be in code that never lets the limit's timer run. */
const startGraceMs = 1_000;

export function forkWorker(
  slot: number,
  settings: WorkerProcessSettings,
  hostLog: Logger,
  events: WorkerProcessEvents,
): WorkerRecord {
  setUpCluster(slot, settings);
  const worker = cluster.fork(settings.environment);
  const socketPath = settings.createSocketPath(slot, worker.process.pid ?? 0);
  const record = new WorkerRecord(slot, worker, socketPath, performance.now());
  const log = hostLog.child({ worker: slot });
  // Node leaves them out when the fork failed, for want of file descriptors for one.
  if (worker.process.stdout) captureOutput(worker.process.stdout, log, "info");
  if (worker.process.stderr) captureOutput(worker.process.stderr, log, "warn");

  const killAtLimit = (limitMs: number, reason: string): NodeJS.Timeout =>
    setTimeout(() => {
      events.onStartTimeout(new AppStartError("SIGNALBOX_APP_START_TIMEOUT", reason));
      record.kill();
    }, limitMs);
  let endSilenceWatch = (): void => {};
  let startTimer = killAtLimit(beginTimeoutMs, `worker ${slot} did not begin within ${beginTimeoutMs} ms.`);
  worker.on("message", (raw: unknown, handle: unknown) => {
    if (handle instanceof Socket) {
      const connection = takeReturnedConnection(raw, handle);
      if (connection !== undefined) events.onReturned(connection);
    } else if (handle instanceof Server) {
      handle.close();
    }
    const message = parseMessageToPrimary(raw);
    if (message === undefined) return;
    record.lastHeardMs = performance.now();
    if (message.type === "signalbox:hello") {
      const { startTimeoutMs, appPath } = settings.init;
      const limit = `within ${startTimeoutMs} ms (startTimeoutMs)`;
      clearTimeout(startTimer);
      startTimer = killAtLimit(
        startTimeoutMs + startGraceMs,
        `the application ${appPath} was not ready ${limit}: its code blocks the event loop while it starts.`,
      );
    }
    if (message.type === "signalbox:counts") record.isInspected = message.isInspected;
    if (message.type === "signalbox:ready") {
      clearTimeout(startTimer);
      const { hangTimeoutMs } = settings.init;
      endSilenceWatch();
      endSilenceWatch = watchSilence(record, hangTimeoutMs, () => {
        log.warn(
          `worker ${slot} says nothing for much longer than ${hangTimeoutMs} ms (hangTimeoutMs): it is replaced`,
        );
        record.kill();
      });
    }
    events.onMessage(message);
  });
  let hasEnded = false;
  const noteEnd = (cause: string): void => {
    if (hasEnded) return;
    hasEnded = true;
    clearTimeout(startTimer);
    endSilenceWatch();
    rmSync(socketPath, { force: true });
    events.onExit(cause);
  };
  worker.on("error", (error) => {
    log.warn(`worker ${slot}: ${error.message}`);
    // A process that was never made does not exit either.
    if (worker.process.pid === undefined) noteEnd(error.message);
  });
  worker.process.once("exit", (exitCode, signal) => noteEnd(signal === null ? `exit code ${exitCode}` : signal));
  return record;
}

/** Holds for the next fork. */
function setUpCluster(slot: number, { workerMain, workingDirectory, inspectPort }: WorkerProcessSettings): void {
  cluster.setupPrimary({
    exec: workerMain,
    cwd: workingDirectory,
    args: [],
    // Handed-off heads are Buffers; the default (JSON) would deliver something else.
    serialization: "advanced",
    stdio: ["ignore", "pipe", "pipe", "ipc", 1],
    ...(inspectPort !== undefined && {
      execArgv: [...process.execArgv, "--inspect"],
      inspectPort: inspectPort + slot,
    }),
  });
}
