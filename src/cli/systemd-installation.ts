/** Looks where Node, Signalbox and the application are installed, for a service that is to run them. */

import { existsSync, realpathSync, statSync } from "node:fs";

import { dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Installation } from "../systemd/read-plan.js";

export interface InstallationOptions {
  readonly appPath: string | undefined;
  /** Single files that the service reads: the configuration, certificates. */
  readonly readFiles: readonly string[];
  /** Given for a machine that is not this one. */
  readonly nodePath: string | undefined;
  readonly signalboxDirectory: string | undefined;
}

export function findInstallation(options: InstallationOptions): Installation {
  const nodePath = options.nodePath === undefined ? process.execPath : resolve(options.nodePath);
  const ownDirectory = fileURLToPath(new URL("../..", import.meta.url));
  const signalbox =
    options.signalboxDirectory === undefined ? follow(ownDirectory) : resolve(options.signalboxDirectory);
  const appDirectory = options.appPath === undefined ? undefined : findInstalledRoot(dirname(options.appPath));
  const needed = [findNodeRoot(follow(nodePath)), findModulesRoot(signalbox)];
  // As it was named, so that a link to the release of the day is followed at each start; and where it is now.
  const target = appDirectory === undefined ? undefined : follow(appDirectory);
  if (appDirectory !== undefined && target !== undefined) needed.push(appDirectory, target);
  needed.push(...options.readFiles);
  return {
    nodePath,
    cliPath: join(signalbox, "dist/cli/main.js"),
    appDirectory,
    linkTarget: target === appDirectory ? undefined : target,
    neededPaths: needed,
  };
}

/** What keeps users other than its own from running the application; undefined when nothing does, or it is not on this machine. */
export function explainUnreadable(appPath: string): string | undefined {
  const mode = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mode ?? 0o777;
  if ((mode(appPath) & 0o004) === 0) return appPath;
  return (mode(dirname(appPath)) & 0o001) === 0 ? dirname(appPath) : undefined;
}

/** The nearest directory with packages: a monorepo has them above the application. */
function findInstalledRoot(directory: string): string {
  for (let candidate = directory; candidate !== dirname(candidate); candidate = dirname(candidate)) {
    if (existsSync(join(candidate, "node_modules"))) return candidate;
  }
  return directory;
}

/** `bin/node` in a directory of its own (nvm, a tarball) needs nothing else of it. */
function findNodeRoot(nodePath: string): string {
  return dirname(nodePath);
}

/** A package finds others beside it: all of the outermost node_modules. */
function findModulesRoot(directory: string): string {
  const parts = directory.split(sep);
  const outermost = parts.indexOf("node_modules");
  return outermost === -1 ? resolve(directory) : parts.slice(0, outermost + 1).join(sep);
}

function follow(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}
