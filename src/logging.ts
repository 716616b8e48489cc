/** Makes the host's log: one line of JSON per record, or readable lines for a terminal. Every process writes the same file. */

import { type DestinationStream, type Logger, pino } from "pino";
import { prettyFactory } from "pino-pretty";
import type { LogFormat, LogLevel } from "./config/config.js";
import { LogOutput } from "./log-output.js";

export type { Logger } from "pino";

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Open file descriptor to write to. */
  readonly fd: number;
  readonly isColored: boolean;
  /** Slot of the worker that logs; the primary and the router have none. */
  readonly workerSlot?: number;
  readonly isRouter?: boolean;
}

/**
 * A logger that never waits for its reader. `process.exit()` writes what is left, so the last words of a process that
 * ends by itself arrive. Each record is one line of one write; several processes may share the descriptor.
 */
export function createLogger(options: LoggerOptions): Logger {
  const base = {
    pid: process.pid,
    ...(options.workerSlot !== undefined && { worker: options.workerSlot }),
    ...(options.isRouter === true && { router: true }),
  };
  const output = new LogOutput(options.fd, (count) => {
    log.warn(`${count} log records were dropped: the log was not read for a while`);
  });
  const stream = options.format === "json" ? output : renderPretty(output, options.isColored);
  const log: Logger = pino({ level: options.level, base }, stream);
  return log;
}

function renderPretty(output: DestinationStream, isColored: boolean): DestinationStream {
  const render = prettyFactory({
    colorize: isColored,
    translateTime: "SYS:HH:MM:ss.l",
    // Said in the message already.
    ignore: "pid,hostname,worker,router,aboutWorker,hostKey,adminPort,bootMs,workerPid,routerPid,job",
    messageFormat: (record, messageKey) => {
      const from = typeof record.worker === "number" ? `worker ${record.worker}` : record.router ? "router" : "primary";
      return `${from.padEnd(9)} ${String(record[messageKey])}`;
    },
  });
  return { write: (line) => output.write(render(line)) };
}
