/**
 * Writes log lines to a descriptor that others may be slow to read, without ever waiting for them: what does not fit the
 * bounded buffer is dropped, counted, and reported once there is room again.
 */

import { fstatSync } from "node:fs";
import { type DestinationStream, pino } from "pino";

/** What may wait for a slow reader: a burst of some hundred thousand lines. Beyond it they are dropped. */
const maxBufferedBytes = 32 * 1_024 * 1_024;
/** How long the end of a process waits for the reader to take what is left. */
const endTimeoutMs = 1_000;

const outputs = new Set<LogOutput>();

/** Call before `process.exit()`: resolves when all logs are written, or their readers have had 1 s for it. */
export async function endLogs(): Promise<void> {
  await Promise.all([...outputs].map(async (output) => await output.end()));
}

export class LogOutput implements DestinationStream {
  readonly #output: ReturnType<typeof pino.destination>;
  readonly #onDropped: (count: number) => void;
  /** Since when the reader has taken nothing of what waits; undefined when nothing waits. */
  #waitingSinceMs: number | undefined;
  #dropped = 0;
  #onDrained: (() => void) | undefined;

  /** @param onDropped called with the number of lines that were dropped, once the reader has caught up */
  constructor(fd: number, onDropped: (count: number) => void) {
    this.#onDropped = onDropped;
    outputs.add(this);
    // Before pino's own exit handler, which flushes, and would wait for the reader for ever.
    process.on("exit", () => {
      if (this.waitingMs > endTimeoutMs) this.#output.destroy();
    });
    // A file has no reader to wait for, and is complete even if the process is killed.
    // With bigint: the other form leaves "this is a pipe" where Node's realpathSync looks next, and from then on modules
    // behind symbolic links (pnpm, npm link) are loaded by the wrong path, some of them twice (Node 20 to 24, lib/fs.js).
    const isFile = fstatSync(fd, { bigint: true }).isFile();
    this.#output = pino.destination({ fd, sync: isFile, maxLength: maxBufferedBytes });
    this.#output.on("write", () => {
      this.#waitingSinceMs = performance.now();
    });
    this.#output.on("drain", () => this.#noteDrained());
    this.#output.on("drop", () => {
      this.#dropped++;
    });
    this.#output.on("error", () => {
      // Who reads the log may go first (`signalbox start | head`): the host then serves on without one.
    });
  }

  write(line: string): void {
    this.#waitingSinceMs ??= performance.now();
    this.#output.write(line);
  }

  /** For how long the reader has taken nothing of what waits, in milliseconds. */
  get waitingMs(): number {
    return this.#waitingSinceMs === undefined ? 0 : performance.now() - this.#waitingSinceMs;
  }

  /** Resolves when nothing waits any more; gives up what the reader does not take in time. */
  async end(): Promise<void> {
    if (this.#waitingSinceMs === undefined) return;
    const isDrained = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), endTimeoutMs);
      this.#onDrained = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
    if (!isDrained) this.#output.destroy();
  }

  #noteDrained(): void {
    this.#waitingSinceMs = undefined;
    this.#onDrained?.();
    if (this.#dropped === 0) return;
    const count = this.#dropped;
    this.#dropped = 0;
    this.#onDropped(count);
  }
}
