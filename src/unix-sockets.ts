/** What is to be known of the file of a Unix socket before one listens there. */

import { lstatSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { readErrorCode } from "./errors.js";

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
 * Removes the socket that a process has left which was killed. Answers what is there instead and is not to be removed; undefined
 * when nothing is there any more.
 * @throws what the system says when it cannot be looked at, or removed
 */
export async function removeStaleSocket(path: string): Promise<"no-socket" | "in-use" | undefined> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  if (!stats.isSocket()) return "no-socket";
  if (await isSomebodyListening(path)) return "in-use";
  unlinkSync(path);
  return undefined;
}
