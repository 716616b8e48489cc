/** Makes the private directory of this host, and sees that it is the only one there. */

import { chmodSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describeBriefly, ListenError, RuntimeDirError, readErrorCode } from "../errors.js";
import { isSomebodyListening } from "../unix-sockets.js";
import { checkDirectory } from "./directory-owners.js";
import type { RuntimePaths } from "./runtime-paths.js";

/** A host takes its lock some milliseconds before it listens on its control socket. */
const beginGraceMs = 2_000;
const beginPollMs = 50;

/**
 * Makes the private directory of this host (0700), and clears what a host that was killed left in it.
 * Returns what takes away the directories that were made here, and no other.
 * @throws RuntimeDirError when a directory is not safe to use; ListenError when a host is running there.
 */
export async function prepareRuntimeDir(paths: RuntimePaths, uid: number): Promise<() => void> {
  const hasMadeBase = makeDirectory(paths.baseDir);
  checkDirectory(paths.baseDir, [uid, 0]);
  makeDirectory(paths.instanceDir);
  checkDirectory(paths.instanceDir, [uid]);
  chmodSync(paths.instanceDir, 0o700);
  await takeLock(paths);
  for (const name of readdirSync(paths.instanceDir)) {
    if (name.endsWith(".sock")) unlinkSync(join(paths.instanceDir, name));
  }
  return () => removeRuntimeDir(paths, hasMadeBase);
}

/**
 * Two hosts that start in the same moment must not clear each other's sockets: the lock file is made by one of them only.
 * A lock whose process is gone, or does not answer on the control socket, was left by a host that was killed.
 */
async function takeLock(paths: RuntimePaths): Promise<void> {
  const lockPath = join(paths.instanceDir, "lock");
  for (;;) {
    try {
      writeFileSync(lockPath, String(process.pid), { flag: "wx", mode: 0o600 });
      return;
    } catch (cause) {
      if (readErrorCode(cause) !== "EEXIST") throw cause;
    }
    if (await isHostThere(lockPath, paths.controlSocketPath)) {
      throw new ListenError(
        "SIGNALBOX_ALREADY_RUNNING",
        `a Signalbox host with this listen address is running already: it answers on ${paths.controlSocketPath}. ` +
          "See `signalbox status`; choose another port, or end that one first.",
      );
    }
    rmSync(lockPath, { force: true });
  }
}

/** A host that has just begun needs a moment until it answers. */
async function isHostThere(lockPath: string, controlSocketPath: string): Promise<boolean> {
  const deadlineMs = performance.now() + beginGraceMs;
  for (;;) {
    if (await isSomebodyListening(controlSocketPath)) return true;
    if (performance.now() > deadlineMs || !isProcessAlive(Number(readTextIfThere(lockPath)))) return false;
    await new Promise((resolve) => setTimeout(resolve, beginPollMs));
  }
}

function isProcessAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return readErrorCode(cause) === "EPERM";
  }
}

function readTextIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Its owner has ended in the meantime.
    return "";
  }
}

/** Whether it had to be made. */
function makeDirectory(path: string): boolean {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (cause) {
    // EEXIST too: here it says that a file is where a directory is needed.
    throw refuseToMake(path, cause);
  }
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (cause) {
    if (readErrorCode(cause) === "EEXIST") return false;
    throw refuseToMake(path, cause);
  }
}

function refuseToMake(path: string, cause: unknown): RuntimeDirError {
  const message = `the runtime directory ${path} cannot be made: ${describeBriefly(cause)}. Set SIGNALBOX_RUNTIME_DIR to one that can.`;
  return new RuntimeDirError("SIGNALBOX_RUNTIME_DIR_UNSAFE", message, { cause });
}

/** What does not work is left for the next start to clear. */
function removeRuntimeDir(paths: RuntimePaths, hasMadeBase: boolean): void {
  rmSync(paths.instanceDir, { recursive: true, force: true });
  if (!hasMadeBase) return;
  try {
    rmdirSync(paths.baseDir);
  } catch {
    // Other hosts of this user are in it.
  }
}
