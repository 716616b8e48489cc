/** Decides whose directories and sockets may be used: by a host for its own, and by a command that sends something private to one. */

import { lstatSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { RuntimeDirError } from "../errors.js";
import type { RuntimePaths } from "./runtime-paths.js";

const rootUid = 0;
const writableByOthers = 0o022;

/** @throws RuntimeDirError when it is not a directory of one of these users; a symbolic link is none */
export function checkDirectory(path: string, allowedOwners: readonly number[]): void {
  const facts = lstatSync(path);
  if (!facts.isDirectory() || !allowedOwners.includes(facts.uid)) throw refuse(path, "directory", allowedOwners);
}

/**
 * To be called before a host is sent what others must not see: nobody else can have put a socket of their own there.
 * For root the owner of a base directory that only root can have put in place is as good as root, which is how systemd
 * makes that of a service with a user of its own.
 * @param uid of the user who sends
 * @throws RuntimeDirError when the place is not safe; the error of the system when there is no such socket
 */
export function checkControlSocket(paths: Omit<RuntimePaths, "routerSocketPath">, uid: number): void {
  const { baseDir, instanceDir, controlSocketPath } = paths;
  const owners = uid === rootUid && isPlacedByRoot(baseDir) ? [uid, lstatSync(baseDir).uid] : [uid];
  checkDirectory(baseDir, [...owners, rootUid]);
  checkDirectory(instanceDir, owners);
  const facts = lstatSync(controlSocketPath);
  if (!facts.isSocket() || !owners.includes(facts.uid)) throw refuse(controlSocketPath, "socket", owners);
}

/** Whether all directories above it are root's, and nobody else may write in them. */
function isPlacedByRoot(path: string): boolean {
  const above = dirname(resolve(path));
  const facts = lstatSync(above);
  if (!facts.isDirectory() || facts.uid !== rootUid || (facts.mode & writableByOthers) !== 0) return false;
  return above === "/" || isPlacedByRoot(above);
}

function refuse(path: string, kind: "directory" | "socket", allowedOwners: readonly number[]): RuntimeDirError {
  const risk = kind === "directory" ? "take over the sockets in it" : "listen there";
  return new RuntimeDirError(
    "SIGNALBOX_RUNTIME_DIR_UNSAFE",
    `${path} is not a ${kind} of this user (uid ${allowedOwners[0]}): somebody else could ${risk}. ` +
      "Remove it, run this as its owner, or set SIGNALBOX_RUNTIME_DIR.",
  );
}
