/**
 * Thread that ends its worker process when the primary is gone, or when the main thread has not run its event loop for too long:
 * things that the main thread cannot do in an endless loop. It shares nothing with the worker but the process and three numbers.
 */

import { writeSync } from "node:fs";
import { isMainThread, Worker as Thread, workerData } from "node:worker_threads";
import { captureMainStack } from "./main-stack.js";

/** The worker's own `disconnect` handler ends it in a few milliseconds; this is for a worker that cannot. */
const pollIntervalMs = 500;
/** Places in the shared memory: a number that grows while the event loop runs, how long it may stand still, whether a debugger is open. */
const [beatAt, limitAt, isInspectedAt] = [0, 1, 2];

interface WatchData {
  readonly signalboxParentPid: number;
  readonly shared: Int32Array;
}

/**
 * Starts the thread. It costs 9 MiB of resident memory (Node 20, measured) and one system call in 500 ms.
 * @returns starts the watch over the event loop; a worker that starts has a time limit of its own
 */
export function watchProcess(): (hangTimeoutMs: number) => void {
  const shared = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
  const data: WatchData = { signalboxParentPid: process.ppid, shared };
  const thread = new Thread(new URL(import.meta.url), {
    workerData: data,
    // The old generation is large enough for a list of all scripts of the process, which comes with a stack.
    resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
    // The worker's own flags (`--inspect`, loaders) are not for this thread.
    execArgv: [],
    env: {},
  });
  thread.unref();
  // No reason to end the worker, which serves: when it hangs, the primary notices as well, a little later.
  thread.on("error", ({ message }) => console.error(`The watch over this worker has ended: ${message}`));
  return (hangTimeoutMs) => {
    Atomics.store(shared, limitAt, hangTimeoutMs);
    if (hangTimeoutMs > 0) setInterval(() => beat(shared), pollIntervalMs).unref();
  };
}

/** Its debugger is open (`--inspect`, SIGUSR1, `inspector.open()`): at a breakpoint it stands still for as long as somebody thinks. */
export function isInspected(): boolean {
  // Not imported: a Node that was built without inspector has no such module.
  const inspector = process.getBuiltinModule("node:inspector") as typeof import("node:inspector") | undefined;
  return inspector?.url() !== undefined;
}

function beat(shared: Int32Array): void {
  Atomics.store(shared, isInspectedAt, isInspected() ? 1 : 0);
  Atomics.add(shared, beatAt, 1);
}

function watch({ signalboxParentPid, shared }: WatchData): void {
  let lastBeats = 0;
  /** Counted in looks, not by a clock: a machine that stood still accuses nobody. */
  let stillForMs = 0;
  let isHung = false;
  setInterval(() => {
    // An orphan gets a new parent (init or a subreaper): Linux has no other sign that works without the event loop.
    if (process.ppid !== signalboxParentPid) process.kill(process.pid, "SIGKILL");
    const beats = Atomics.load(shared, beatAt);
    const isStill = beats === lastBeats && Atomics.load(shared, isInspectedAt) === 0;
    stillForMs = isStill ? stillForMs + pollIntervalMs : 0;
    lastBeats = beats;
    const limitMs = Atomics.load(shared, limitAt);
    // The last beat may be as old as the first look that missed one.
    if (isHung || limitMs === 0 || stillForMs < limitMs + pollIntervalMs) return;
    isHung = true;
    captureMainStack((stack) => killHung(limitMs, stack));
  }, pollIntervalMs);
}

/** What is written here is in the host's log, with the worker's slot. */
function killHung(limitMs: number, stack: readonly string[] | undefined): void {
  const where = stack === undefined ? "where it is could not be found out" : "it is at:";
  const lines = [`The event loop has been blocked for ${limitMs} ms (hangTimeoutMs): the worker is replaced; ${where}`];
  try {
    writeSync(2, `${[...lines, ...(stack ?? [])].join("\n")}\n`);
  } catch {
    // The pipe is full, and the primary does not read: the end is what matters.
  }
  process.kill(process.pid, "SIGKILL");
}

if (!isMainThread && typeof workerData?.signalboxParentPid === "number") watch(workerData as WatchData);
