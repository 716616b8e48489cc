/** Finds the working directory of this process by the application's name for it: with releases behind a link that follows each reload. Pure. */

import { dirname } from "node:path";

/**
 * The nearest directory of the application's path that is the working directory, as that path names it: a symbolic link in it
 * may later lead elsewhere. Undefined when none is.
 * @param appPath absolute, symbolic links unresolved
 * @param cwd of this process, which the system has resolved
 * @param follow resolves symbolic links; undefined when there is no such directory
 */
export function nameWorkingDirectory(
  appPath: string,
  cwd: string,
  follow: (directory: string) => string | undefined,
): string | undefined {
  for (let directory = dirname(appPath); ; directory = dirname(directory)) {
    if (follow(directory) === cwd) return directory;
    if (directory === dirname(directory)) return undefined;
  }
}
