/** Lets one script at a time change node_modules, dist or the machine; a lock whose holder is gone is taken over. */

import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const lockDirectory = fileURLToPath(new URL("../.bootstrap/", import.meta.url));
const lockPath = path.join(lockDirectory, "lock");
const takeoverPath = path.join(lockDirectory, "lock.takeover");

/** A take-over is a handful of file operations: one this old was left behind by a crash. */
const takeoverStaleMs = 10_000;
const pollMs = 200;
const reportEveryMs = 5_000;

/**
 * Waits for the lock, then runs `work` and releases it, whatever happens. `onWait` hears who holds it and for how long.
 * Not re-entrant: a script that holds it calls the other's functions instead of starting the other script.
 */
export async function withProjectLock(work, onWait) {
  fs.mkdirSync(lockDirectory, { recursive: true });
  const startedMs = Date.now();
  let reportedMs = startedMs - reportEveryMs;
  while (!tryCreate(lockPath)) {
    if (isStale(lockPath)) {
      takeOver();
      continue;
    }
    if (Date.now() - reportedMs >= reportEveryMs) {
      reportedMs = Date.now();
      onWait(readHolder(lockPath)?.pid, Math.round((Date.now() - startedMs) / 1000));
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  const release = () => fs.rmSync(lockPath, { force: true });
  process.once("exit", release);
  try {
    return await work();
  } finally {
    process.removeListener("exit", release);
    release();
  }
}

/** The name appears together with its content, so that nobody reads a half-written holder. */
function tryCreate(file) {
  const draft = `${file}.${process.pid}`;
  fs.writeFileSync(draft, JSON.stringify({ pid: process.pid, startedAt: readProcessStart(process.pid) }));
  try {
    fs.linkSync(draft, file);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  } finally {
    fs.rmSync(draft, { force: true });
  }
}

/** Two waiters may both see a stale lock: only the one that holds the take-over file may remove it, after a second look. */
function takeOver() {
  if (!tryCreate(takeoverPath)) {
    const ageMs = Date.now() - (fs.statSync(takeoverPath, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (ageMs > takeoverStaleMs) fs.rmSync(takeoverPath, { force: true });
    return;
  }
  try {
    if (isStale(lockPath)) fs.rmSync(lockPath, { force: true });
  } finally {
    fs.rmSync(takeoverPath, { force: true });
  }
}

function isStale(file) {
  if (!fs.existsSync(file)) return false;
  const holder = readHolder(file);
  if (holder === undefined) return fs.existsSync(file);
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (error.code === "ESRCH") return true;
  }
  // The pid may have been given to another process since: its start time tells.
  const startedAt = readProcessStart(holder.pid);
  return startedAt !== null && holder.startedAt !== null && startedAt !== holder.startedAt;
}

function readHolder(file) {
  try {
    const holder = JSON.parse(fs.readFileSync(file, "utf8"));
    return Number.isInteger(holder.pid) ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** Start time of a process in clock ticks since boot (Linux), or null where /proc does not tell. */
function readProcessStart(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}
