/** What systemd's journal wants of a service's output: sd-daemon(3) for the priorities, systemd.exec(5) for JOURNAL_STREAM. */

import { fstatSync } from "node:fs";

/** Priorities of syslog(3). */
export const journalPriority = { critical: 2, error: 3, warning: 4, info: 6, debug: 7 } as const;

export type JournalPriority = (typeof journalPriority)[keyof typeof journalPriority];

/** @param level of pino: 10 (trace) to 60 (fatal) */
export function priorityOfLevel(level: number): JournalPriority {
  if (level >= 60) return journalPriority.critical;
  if (level >= 50) return journalPriority.error;
  if (level >= 40) return journalPriority.warning;
  return level >= 30 ? journalPriority.info : journalPriority.debug;
}

/** Each line of the text is an entry of its own, and needs the priority. Colours of an application's output are left out. */
export function prefixPriority(text: string, priority: JournalPriority): string {
  return text
    .replaceAll(colorCodes, "")
    .trimEnd()
    .split("\n")
    .map((line) => `<${priority}>${line}\n`)
    .join("");
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for.
const colorCodes = /\u001b\[[\d;]*m/g;

/**
 * The descriptor leads to systemd's journal, and not to a pipe or a file that it was sent to since.
 * @param journalStream JOURNAL_STREAM: "device:inode"
 */
export function isJournal(fd: number, journalStream: string | undefined): boolean {
  if (journalStream === undefined) return false;
  try {
    // With bigint: the other form breaks Node's realpathSync for pipes (log-output.ts).
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return journalStream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
