/** Makes the private directory of this host and answers whether somebody listens on a Unix socket. */

import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync, rmdirSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { ListenError, RuntimeDirError, readErrorCode } from "../errors.js";
import type { RuntimePaths } from "./runtime-paths.js";

/** A live listener on the same machine answers in well under this. */
const probeTimeoutMs = 2_000;

/** Whether a process accepts connections on a Unix socket. */
export async function isSomebodyListening(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = connect(path);
    const settle = (isListening: boolean) => {
      probe.destroy();
      resolve(isListening);
    };
    probe.setTimeout(probeTimeoutMs, () => settle(true));
    probe.once("connect", () => settle(true));
    // EAGAIN is a full backlog: somebody is there, and busy.
    probe.once("error", (error) => settle(readErrorCode(error) === "EAGAIN"));
  });
}

/**
 * Makes the directory (0700), and clears what a host that was killed left in it.
 * @throws RuntimeDirError when the directory is not safe to use; ListenError when a host is running there.
 */
export async function prepareRuntimeDir(paths: RuntimePaths, uid: number): Promise<void> {
  makePrivateDirectory(paths.baseDir, uid);
  makePrivateDirectory(paths.instanceDir, uid);
  if (await isSomebodyListening(paths.controlSocketPath)) {
    throw new ListenError(
      "SIGNALBOX_ALREADY_RUNNING",
      `a Signalbox host with this listen address is running already: it answers on ${paths.controlSocketPath}. ` +
        "See `signalbox status`; choose another port, or end that one first.",
    );
  }
  for (const name of readdirSync(paths.instanceDir)) {
    if (name.endsWith(".sock")) unlinkSync(join(paths.instanceDir, name));
  }
}

function makePrivateDirectory(path: string, uid: number): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(path, { mode: 0o700 });
  } catch (cause) {
    if (readErrorCode(cause) !== "EEXIST") {
      const message = `the runtime directory ${path} cannot be made: ${String(cause)}. Set SIGNALBOX_RUNTIME_DIR to one that can.`;
      throw new RuntimeDirError("SIGNALBOX_RUNTIME_DIR_UNSAFE", message, { cause });
    }
  }
  const facts = lstatSync(path);
  if (!facts.isDirectory() || facts.uid !== uid) {
    throw new RuntimeDirError(
      "SIGNALBOX_RUNTIME_DIR_UNSAFE",
      `${path} is not a directory of this user (uid ${uid}): somebody else could take over the sockets in it. ` +
        "Remove it, or set SIGNALBOX_RUNTIME_DIR.",
    );
  }
  if ((facts.mode & 0o077) !== 0) chmodSync(path, 0o700);
}

/** Takes the instance directory away at the end; what does not work is left for the next start to clear. */
export function removeRuntimeDir(paths: RuntimePaths): void {
  rmSync(paths.instanceDir, { recursive: true, force: true });
  try {
    rmdirSync(paths.baseDir);
  } catch {
    // Other hosts of this user are in it.
  }
}
