/** Writes words as systemd reads them: systemd.syntax(7), systemd.service(5) "Command lines", systemd.exec(5) EnvironmentFile=. Pure. */

/**
 * Whether a path can stand in a unit: a line ends at a control character or goes on behind a backslash, and loses blanks at
 * its end.
 */
export function canBeWritten(path: string): boolean {
  return !/\p{Cc}|[\s\\]$/u.test(path);
}

/** A path or a word of a setting: `%` begins what systemd replaces. */
export function escapeSpecifiers(text: string): string {
  return text.replaceAll("%", "%%");
}

/** A word of a command line or of a list of paths, in quotes where it needs them. */
export function quoteWord(text: string): string {
  const escaped = escapeSpecifiers(text);
  return /^[\w@%+=:,./-]+$/.test(escaped) ? escaped : `"${escaped.replaceAll(/["\\]/g, "\\$&")}"`;
}

/** A word of a command line, where `$` begins a variable as well. */
export function quoteArgument(text: string): string {
  return quoteWord(text).replaceAll("$", "$$$$");
}

/** A line of an environment file; nothing is replaced in there. */
export function renderVariable(name: string, value: string): string {
  return `${name}=${/^[\w@%+=:,./-]*$/.test(value) ? value : `"${value.replaceAll(/["\\$`]/g, "\\$&")}"`}`;
}
