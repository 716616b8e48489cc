/** What the primary knows about one worker process. */

import type { Worker } from "node:cluster";
import type { FabricCounts, MessageToWorker, WorkerCounts } from "../protocol/worker-messages.js";
import type { WorkerLoad } from "./worker-choice.js";

export type WorkerState = "starting" | "ready" | "draining" | "ended";

/** A handshake that has not become a session after this long never will (refused, or the client went away). */
const pendingHandshakeLimitMs = 5_000;

export class WorkerRecord {
  state: WorkerState = "starting";
  /** A newer worker takes its place: it gets no new sessions, as long as there is another. */
  isLeaving = false;
  /** It takes the place of another, whose clients come to it at the pace of the drain: no slow start beside that. */
  isReplacement = false;
  readySinceMs = 0;
  sessions = 0;
  /** How many there were when it was told to drain. */
  sessionsAtDrain = 0;
  handedOff = 0;
  lastChosen = 0;
  /** Resident memory by its last report. */
  rssBytes = 0;
  counts: WorkerCounts | undefined;
  fabricCounts: FabricCounts | undefined;
  /** When its last message came; a worker whose event loop runs sends one each second. */
  lastHeardMs = performance.now();
  /** By its last report: its debugger is open, and may make it stand still for as long as somebody thinks. */
  isInspected = false;
  /** Set by the hand-off while a connection waits for this worker longer than a live one makes it wait. */
  isStalled = false;
  readonly slot: number;
  readonly process: Worker;
  readonly socketPath: string;
  readonly startedMs: number;
  readonly #pendingHandshakesMs: number[] = [];

  constructor(slot: number, process: Worker, socketPath: string, startedMs: number) {
    this.slot = slot;
    this.process = process;
    this.socketPath = socketPath;
    this.startedMs = startedMs;
  }

  get pid(): number {
    return this.process.process.pid ?? 0;
  }

  /** Sends unless the channel is closed: then its exit follows. */
  send(message: MessageToWorker): void {
    if (!this.process.isConnected()) return;
    this.process.send(message, undefined, {}, () => {
      // Closed in between: the same.
    });
  }

  kill(): void {
    this.process.process.kill("SIGKILL");
  }

  noteHandOff(isHandshake: boolean, nowMs: number): void {
    this.handedOff++;
    if (isHandshake) this.#pendingHandshakesMs.push(nowMs);
  }

  noteSessions(began: number, ended: number): void {
    this.sessions += began - ended;
    this.#pendingHandshakesMs.splice(0, began);
  }

  /** Sessions, and handshakes on their way. */
  countLoad(nowMs: number): number {
    let oldest = this.#pendingHandshakesMs[0];
    while (oldest !== undefined && nowMs - oldest > pendingHandshakeLimitMs) {
      this.#pendingHandshakesMs.shift();
      oldest = this.#pendingHandshakesMs[0];
    }
    return this.sessions + this.#pendingHandshakesMs.length;
  }

  describeLoad(nowMs: number): WorkerLoad {
    return {
      slot: this.slot,
      load: this.countLoad(nowMs),
      readySinceMs: this.isReplacement ? Number.NEGATIVE_INFINITY : this.readySinceMs,
      lastChosen: this.lastChosen,
      isStalled: this.isStalled,
    };
  }
}

/** Those that new sessions go to: ready ones, and of these the ones that stay, unless every one of them is stalled. */
export function listTakers(records: Iterable<WorkerRecord>): WorkerRecord[] {
  const ready = [...records].filter((record) => record.state === "ready");
  const staying = ready.filter((record) => !record.isLeaving);
  return staying.some((record) => !record.isStalled) ? staying : ready;
}
