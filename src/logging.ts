/** Makes the host's log: one line of JSON per record, or readable lines for a terminal. Every process writes the same file. */

import { type Logger, pino } from "pino";
import pretty from "pino-pretty";
import type { LogFormat, LogLevel } from "./config/config.js";

export type { Logger } from "pino";

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Open file descriptor to write to. */
  readonly fd: number;
  readonly isColored: boolean;
  /** Slot of the worker that logs; the primary and the router have none. */
  readonly workerSlot?: number;
}

/**
 * A logger that writes synchronously, so that the last words of a crashing process arrive. Each record is one write of
 * one line; several processes may share the descriptor.
 */
export function createLogger(options: LoggerOptions): Logger {
  const base =
    options.workerSlot === undefined ? { pid: process.pid } : { pid: process.pid, worker: options.workerSlot };
  const settings = { level: options.level, base };
  if (options.format === "json") {
    const destination = pino.destination({ fd: options.fd, sync: true });
    ignoreClosedOutput(destination);
    return pino(settings, destination);
  }
  const destination = pretty({
    destination: options.fd,
    sync: true,
    colorize: options.isColored,
    translateTime: "SYS:HH:MM:ss.l",
    // Said in the message already.
    ignore: "pid,hostname,worker,hostKey,adminPort,bootMs,workerPid,job",
    messageFormat: (record, messageKey) => {
      const from = typeof record.worker === "number" ? `worker ${record.worker}` : "primary";
      return `${from.padEnd(9)} ${String(record[messageKey])}`;
    },
  });
  ignoreClosedOutput(destination);
  return pino(settings, destination);
}

/** Who reads the log may go first (`signalbox start | head`): the host then serves on without a log. */
function ignoreClosedOutput(destination: { on(event: "error", listener: () => void): unknown }): void {
  destination.on("error", () => {
    // Nowhere is left to say it.
  });
}
