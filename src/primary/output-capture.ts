/** Turns what a child process writes to its stdout and stderr, outside the logger, into log records. */

import type { Readable } from "node:stream";

/** What it needs of a logger. */
export interface LineLog {
  info(text: string): void;
  warn(text: string): void;
}

/** A longer line is logged in pieces: a worker that never ends its line must not fill the primary's memory. */
const maxLineBytes = 16 * 1_024;

/** Logs each line; the rest is logged when the stream ends. */
export function captureOutput(stream: Readable, log: LineLog, level: "info" | "warn"): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) logLine(line, log, level);
    if (rest.length > maxLineBytes) {
      logLine(rest, log, level);
      rest = "";
    }
  });
  stream.on("end", () => logLine(rest, log, level));
  stream.on("error", () => {
    // The worker is gone; its exit is reported elsewhere.
  });
}

function logLine(line: string, log: LineLog, level: "info" | "warn"): void {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  if (text.trim() !== "") log[level](text);
}
