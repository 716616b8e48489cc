/** Makes the host's log: one line of JSON per record, or readable lines for a terminal or a journal. Every process writes the same file. */

import { createRequire } from "node:module";
import { type DestinationStream, type Logger, pino } from "pino";
import type { prettyFactory as PrettyFactory } from "pino-pretty";
import type { LogFormat, LogLevel } from "./config/config.js";
import { prefixPriority, priorityOfLevel } from "./journal.js";
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
  const streams: Record<LogFormat, () => DestinationStream> = {
    json: () => output,
    pretty: () => renderPretty(output, options.isColored),
    journal: () => renderJournal(output),
  };
  const stream = streams[options.format]();
  const log: Logger = pino({ level: options.level, base }, stream);
  return log;
}

/** Said in the message already. */
const saidFields = "pid,hostname,worker,router,aboutWorker,hostKey,adminPort,bootMs,workerPid,routerPid,job";

/** Loaded where it is needed: with JSON, each process starts without it. */
function loadPrettyFactory(): typeof PrettyFactory {
  const load = createRequire(import.meta.url);
  return (load("pino-pretty") as { readonly prettyFactory: typeof PrettyFactory }).prettyFactory;
}

function renderPretty(output: DestinationStream, isColored: boolean): DestinationStream {
  const render = loadPrettyFactory()({
    colorize: isColored,
    translateTime: "SYS:HH:MM:ss.l",
    ignore: saidFields,
    messageFormat: renderMessage,
  });
  return { write: (line) => output.write(render(line)) };
}

/** The journal keeps the time and the level of each line itself. */
function renderJournal(output: DestinationStream): DestinationStream {
  const render = loadPrettyFactory()({
    colorize: false,
    ignore: `time,level,${saidFields}`,
    messageFormat: renderMessage,
  });
  return {
    write: (line) => {
      const { level } = JSON.parse(line) as { level: number };
      output.write(prefixPriority(render(line), priorityOfLevel(level)));
    },
  };
}

function renderMessage(record: Record<string, unknown>, messageKey: string): string {
  const from = typeof record.worker === "number" ? `worker ${record.worker}` : record.router ? "router" : "primary";
  return `${from.padEnd(9)} ${String(record[messageKey])}`;
}
