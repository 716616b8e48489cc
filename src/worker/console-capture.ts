/** Turns what the application prints and throws into log records that carry the worker slot. */

import { format } from "node:util";
import { describeBriefly } from "../errors.js";
import type { Logger } from "../logging.js";

const levelByMethod = {
  log: "info",
  info: "info",
  warn: "warn",
  error: "error",
  debug: "debug",
  trace: "debug",
} as const;

/**
 * Replaces the printing methods of `console`; one call is one record, however many lines it has. What is written to
 * `process.stdout` directly, or by native code, is read by the primary from the worker's pipe instead.
 */
export function captureConsole(log: Logger): void {
  for (const [method, level] of Object.entries(levelByMethod) as [keyof typeof levelByMethod, "info"][]) {
    console[method] = (...values: unknown[]) => {
      const text = format(...values);
      if (method !== "trace") return log[level](text);
      const holder: { stack?: string } = {};
      Error.captureStackTrace(holder, console.trace);
      return log[level](`Trace: ${text}\n${(holder.stack ?? "").split("\n").slice(1).join("\n")}`);
    };
  }
}

export interface UncaughtEvents {
  /** Whether it is to be said here: before the application is ready, the primary says it. */
  readonly isLogged: () => boolean;
  readonly onFatal: (thrown: unknown) => void;
}

/**
 * Does what Node does with an uncaught error, but says it in the log: the process ends, unless the application has a
 * handler of its own. Unhandled rejections arrive here too (Node's default).
 */
export function captureUncaught(log: Logger, { isLogged, onFatal }: UncaughtEvents): void {
  process.on("uncaughtException", (thrown, origin) => {
    if (process.listenerCount("uncaughtException") > 1) return;
    const what = origin === "unhandledRejection" ? "Unhandled rejection" : "Uncaught exception";
    if (isLogged()) log.fatal({ err: thrown }, `${what} in the application: ${describeBriefly(thrown)}`);
    onFatal(thrown);
  });
}
