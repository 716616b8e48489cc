/** A logger whose records a test can look at. */

import { Writable } from "node:stream";
import { pino } from "pino";
import type { Logger } from "../../src/logging.js";

export interface RecordedLine {
  readonly level: string;
  readonly msg: string;
  readonly [key: string]: unknown;
}

/** Keeps every record of every level, oldest first. */
export function createRecordingLog(): { log: Logger; records: RecordedLine[] } {
  const records: RecordedLine[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const { level, ...rest } = JSON.parse(chunk.toString()) as { level: number; msg: string };
      records.push({ ...rest, level: pino.levels.labels[level] ?? String(level) });
      done();
    },
  });
  return { log: pino({ level: "trace", base: null, timestamp: false }, destination), records };
}
