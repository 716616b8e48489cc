/** Decides what the host's log looks like, by where it goes. */

import type { LogFormat, SignalboxConfig } from "../config/config.js";
import { isJournal } from "../journal.js";

export interface LogAppearance {
  readonly format: LogFormat;
  readonly isColored: boolean;
}

/** For the log on stdout. @param environment JOURNAL_STREAM and whether NO_COLOR is set */
export function chooseLogAppearance(
  { logFormat }: Pick<SignalboxConfig, "logFormat">,
  environment: { readonly noColor: boolean; readonly journalStream: string | undefined },
): LogAppearance {
  const isTerminal = process.stdout.isTTY === true;
  const readableFormat = isJournal(1, environment.journalStream) ? "journal" : isTerminal ? "pretty" : "json";
  return {
    format: logFormat === "auto" ? readableFormat : logFormat,
    isColored: isTerminal && !environment.noColor,
  };
}
