/**
 * Where the router's lines go: the host's log, or the primary. The logger is loaded for the first line that it takes: a
 * router that takes the place of one that crashed listens the sooner.
 */

import { describeBriefly } from "../errors.js";
import type { Logger } from "../logging.js";
import type { MessageFromRouter, RouterLogSettings, RouterNoteLevel } from "../protocol/router-messages.js";
import type { NoteLine } from "./render-note.js";
import { RepeatFilter } from "./repeat-filter.js";

const ranks = { trace: 0, debug: 1, info: 2, warn: 3, error: 4 } as const;
/** Where there is no level to set: the rest is for whoever looks into a host. */
const leastLevelSaid: RouterNoteLevel = "warn";

export class RouterLog {
  readonly #settings: RouterLogSettings | null;
  readonly #send: (message: MessageFromRouter) => void;
  readonly #repeats = new RepeatFilter();
  #logger: Promise<Logger> | undefined;
  #written = Promise.resolve();

  constructor(settings: RouterLogSettings | null, send: (message: MessageFromRouter) => void) {
    this.#settings = settings;
    this.#send = send;
  }

  say(line: NoteLine): void {
    if (ranks[line.level] < ranks[this.#settings?.level ?? leastLevelSaid]) return;
    // What is told of as it comes and goes makes sense only whole; a warning is one even when it is not repeated.
    const mayRepeat = line.level === "warn" && line.isLasting !== true;
    const heldBack = mayRepeat ? this.#repeats.admit(line.kind, performance.now()) : 0;
    if (heldBack === undefined) return;
    const text = heldBack === 0 ? line.text : `${line.text} (and ${heldBack} more like it before)`;
    if (this.#settings === null) {
      const { level, aboutWorker } = line;
      this.#send({ type: "router:note", level, text, ...(aboutWorker !== undefined && { aboutWorker }) });
      return;
    }
    this.#logger ??= loadLogger(this.#settings);
    this.#written = this.#write(this.#logger, line, text);
  }

  /** Resolves when all is written, or its reader has had time for it. */
  async end(): Promise<void> {
    if (this.#logger === undefined) return;
    await this.#written;
    const { endLogs } = await import("../log-output.js");
    await endLogs();
  }

  async #write(logger: Promise<Logger>, line: NoteLine, text: string): Promise<void> {
    try {
      const log = await logger;
      log[line.level](line.aboutWorker === undefined ? {} : { aboutWorker: line.aboutWorker }, text);
    } catch (thrown) {
      // Installed anew under a running host: no reason to end. The primary logs what comes here.
      console.error(`${text} (the log cannot be opened: ${describeBriefly(thrown)})`);
    }
  }
}

async function loadLogger(settings: RouterLogSettings): Promise<Logger> {
  const { createLogger } = await import("../logging.js");
  return createLogger({ ...settings, isRouter: true });
}
