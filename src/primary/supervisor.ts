/** Forks the workers, keeps each slot filled, and ends them: it acts, `restart-policy` decides. It routes nothing. */

import cluster, { type Worker } from "node:cluster";
import { EventEmitter } from "node:events";
import { AppStartError, CrashLoopError } from "../errors.js";
import type { Logger } from "../logging.js";
import type { HostMetrics } from "../metrics/host-metrics.js";
import { type MessageToWorker, parseMessageToPrimary, type WorkerInit } from "../protocol/worker-messages.js";
import { captureOutput } from "./output-capture.js";
import { freshHistory, planRestart, type RestartSettings, type SlotHistory } from "./restart-policy.js";
import { RunOnceRegistry } from "./run-once-registry.js";
import { WorkerRecord } from "./worker-record.js";

export interface SupervisorSettings {
  readonly workerCount: number;
  readonly restart: RestartSettings;
  /** Everything that each worker is told, but for what differs from slot to slot. */
  readonly init: Omit<WorkerInit, "type" | "slot" | "socketPath">;
  /** Path of the module that a worker process runs. */
  readonly workerMain: string;
  /** Inspector port of slot 0, each further slot has one more; undefined without inspector. */
  readonly inspectPort: number | undefined;
  readonly createSocketPath: (slot: number, pid: number) => string;
  /** Development: a crash or a failed start waits for the next change of a file instead of ending the host. */
  readonly isWatching: boolean;
}

/** The workers' log goes to the primary's stdout, which they inherit under this number; 3 is the IPC channel. */
export const workerLogFd = 4;

/** Workers see the load of the others at most this old. */
const siblingUpdateIntervalMs = 100;
/** Node itself needs well under a second to begin; a worker keeps its own time limit from then on. */
const beginTimeoutMs = 20_000;
/** Beyond its own limit, the time after which a starting worker must be in code that never lets the limit's timer run. */
const startGraceMs = 1_000;

interface Slot {
  readonly number: number;
  record: WorkerRecord | undefined;
  history: SlotHistory;
  restarts: number;
  restartTimer: NodeJS.Timeout | undefined;
  isRestartAsked: boolean;
}

interface SupervisorEvents {
  ready: [record: WorkerRecord];
  ended: [record: WorkerRecord];
  failed: [error: AppStartError | CrashLoopError];
  idle: [];
}

export class Supervisor extends EventEmitter<SupervisorEvents> {
  readonly #settings: SupervisorSettings;
  readonly #log: Logger;
  readonly #metrics: HostMetrics;
  readonly #slots: Slot[];
  readonly #runOnce = new RunOnceRegistry();
  readonly #siblingTimer: NodeJS.Timeout;
  #lastSiblings = "";
  #restartsWithoutReady = 0;
  #hasEverBeenReady = false;
  #isStopping = false;

  constructor(settings: SupervisorSettings, log: Logger, metrics: HostMetrics) {
    super();
    this.#settings = settings;
    this.#log = log;
    this.#metrics = metrics;
    this.#slots = Array.from({ length: settings.workerCount }, (_, number) => ({
      number,
      record: undefined,
      history: freshHistory,
      restarts: 0,
      restartTimer: undefined,
      isRestartAsked: false,
    }));
    this.#siblingTimer = setInterval(() => this.#spreadSiblings(), siblingUpdateIntervalMs);
    this.#siblingTimer.unref();
  }

  start(): void {
    for (const slot of this.#slots) this.#fork(slot);
  }

  get records(): WorkerRecord[] {
    return this.#slots.flatMap((slot) => slot.record ?? []);
  }

  get slots(): readonly { number: number; record: WorkerRecord | undefined; restarts: number }[] {
    return this.#slots;
  }

  countReady(): number {
    return this.records.filter((record) => record.state === "ready").length;
  }

  /** Drains all workers; `idle` follows when the last has ended. What is left at the deadline is killed. */
  drainAll(deadlineMs: number): void {
    this.#isStopping = true;
    clearInterval(this.#siblingTimer);
    for (const slot of this.#slots) clearTimeout(slot.restartTimer);
    for (const record of this.records) {
      // One that is not ready serves nobody, and may be in code that hears no message.
      if (record.state === "starting") record.process.process.kill("SIGKILL");
      else record.state = "draining";
    }
    this.#spreadSiblings();
    for (const record of this.records) {
      if (record.state === "draining") this.#send(record, { type: "signalbox:drain", deadlineMs });
    }
    this.#announceIdle();
  }

  /** Ends whatever is left, at once. */
  killAll(): void {
    this.#isStopping = true;
    for (const record of this.records) record.process.process.kill("SIGKILL");
  }

  /** Development: ends all workers without ceremony and starts new ones. */
  restartAll(): void {
    this.#restartsWithoutReady = 0;
    for (const slot of this.#slots) {
      slot.history = freshHistory;
      clearTimeout(slot.restartTimer);
      if (slot.record === undefined) {
        this.#fork(slot);
      } else {
        slot.isRestartAsked = true;
        slot.record.process.process.kill("SIGKILL");
      }
    }
  }

  #fork(slot: Slot): void {
    this.#setUpCluster(slot.number);
    const worker = cluster.fork();
    const socketPath = this.#settings.createSocketPath(slot.number, worker.process.pid ?? 0);
    const record = new WorkerRecord(slot.number, worker, socketPath, performance.now());
    slot.record = record;
    const log = this.#log.child({ worker: slot.number });
    if (worker.process.stdout !== null) captureOutput(worker.process.stdout, log, "info");
    if (worker.process.stderr !== null) captureOutput(worker.process.stderr, log, "warn");
    const { startTimeoutMs, appPath } = this.#settings.init;
    let startTimer = setTimeout(
      () => this.#killStarting(record, `worker ${slot.number} did not begin within ${beginTimeoutMs} ms.`),
      beginTimeoutMs,
    );
    worker.on("message", (raw: unknown) => {
      const message = parseMessageToPrimary(raw);
      if (message === undefined) return;
      if (message.type === "signalbox:ready") clearTimeout(startTimer);
      if (message.type === "signalbox:hello") {
        clearTimeout(startTimer);
        const reason = `the application ${appPath} blocks the event loop while it starts: it was not ready within ${startTimeoutMs} ms (startTimeoutMs).`;
        startTimer = setTimeout(() => this.#killStarting(record, reason), startTimeoutMs + startGraceMs);
      }
      this.#obey(slot, record, message);
    });
    worker.on("error", (error) => log.warn(`talking to worker ${slot.number} failed: ${error.message}`));
    worker.process.once("exit", (exitCode, signal) => {
      clearTimeout(startTimer);
      this.#noteEnd(slot, record, exitCode, signal);
    });
  }

  /** Holds for the next fork. */
  #setUpCluster(slotNumber: number): void {
    const { workerMain, inspectPort } = this.#settings;
    cluster.setupPrimary({
      exec: workerMain,
      args: [],
      // Handed-off heads are Buffers; the default (JSON) would deliver something else.
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc", 1],
      ...(inspectPort !== undefined && {
        execArgv: [...process.execArgv, "--inspect"],
        inspectPort: inspectPort + slotNumber,
      }),
    });
  }

  #obey(slot: Slot, record: WorkerRecord, message: NonNullable<ReturnType<typeof parseMessageToPrimary>>): void {
    switch (message.type) {
      case "signalbox:hello":
        if (this.#isStopping) {
          // It was forked just before the drain began, and Node drops messages that come before a worker listens.
          record.process.process.kill("SIGKILL");
          break;
        }
        this.#send(record, {
          ...this.#settings.init,
          type: "signalbox:init",
          slot: slot.number,
          socketPath: record.socketPath,
        });
        break;
      case "signalbox:ready":
        this.#noteReady(record);
        break;
      case "signalbox:start-failed":
        this.#noteStartFailure(new AppStartError(message.code, message.message));
        break;
      case "signalbox:counts":
        this.#addCounts(record, message.counts);
        break;
      case "signalbox:run-once-claim":
        this.#grant(this.#runOnce.claim(message.name, slot.number));
        break;
      case "signalbox:run-once-release":
        this.#grant(this.#runOnce.release(message.name, slot.number));
        break;
      case "sticky:connection":
        record.noteSessionBegan();
        break;
      case "sticky:disconnection":
        record.noteSessionEnded();
        break;
    }
  }

  #noteReady(record: WorkerRecord): void {
    if (record.state !== "starting") return;
    record.state = "ready";
    record.readySinceMs = performance.now();
    this.#restartsWithoutReady = 0;
    this.#hasEverBeenReady = true;
    const isReplacement = (this.#slots[record.slot]?.restarts ?? 0) > 0;
    const bootMs = Math.round(record.readySinceMs - record.startedMs);
    this.#log[isReplacement ? "info" : "debug"](
      { worker: record.slot, workerPid: record.pid, bootMs },
      `worker ${record.slot} is ready after ${bootMs} ms`,
    );
    this.#metrics.workersReady.set(this.countReady());
    this.#spreadSiblings();
    this.emit("ready", record);
  }

  #killStarting(record: WorkerRecord, reason: string): void {
    this.#noteStartFailure(new AppStartError("SIGNALBOX_APP_START_TIMEOUT", reason));
    record.process.process.kill("SIGKILL");
  }

  #noteStartFailure(error: AppStartError): void {
    this.#log.error(error.message);
    // Nobody has been served yet, and somebody is looking: better to say it now than to try ten times.
    if (!this.#hasEverBeenReady && !this.#isStopping && !this.#settings.isWatching) this.emit("failed", error);
  }

  #noteEnd(slot: Slot, record: WorkerRecord, exitCode: number | null, signal: string | null): void {
    const wasReadyForMs = record.readySinceMs === 0 ? undefined : performance.now() - record.readySinceMs;
    record.state = "ended";
    slot.record = undefined;
    this.#metrics.workersReady.set(this.countReady());
    this.#metrics.sessions.remove({ worker: String(slot.number) });
    for (const grant of this.#runOnce.releaseAll(slot.number)) this.#grant(grant);
    this.#spreadSiblings();
    this.emit("ended", record);
    if (this.#isStopping) {
      this.#announceIdle();
      return;
    }
    if (slot.isRestartAsked) {
      slot.isRestartAsked = false;
      this.#fork(slot);
      return;
    }
    this.#restart(slot, wasReadyForMs, signal === null ? `exit code ${exitCode}` : signal);
  }

  #restart(slot: Slot, readyForMs: number | undefined, cause: string): void {
    const decision = planRestart({
      settings: this.#settings.restart,
      history: slot.history,
      readyForMs,
      restartsWithoutReady: this.#restartsWithoutReady,
      hasReadyWorkers: this.countReady() > 0,
    });
    if (this.#settings.isWatching && readyForMs === undefined) {
      this.#log.warn(`worker ${slot.number} ended (${cause}); waiting for a change before it is started again`);
      return;
    }
    if (decision.kind === "give-up") {
      const { maxRestarts } = this.#settings.restart;
      this.emit(
        "failed",
        new CrashLoopError(
          `no worker became ready in ${maxRestarts} restarts (the last ended with ${cause}): giving up.`,
        ),
      );
      return;
    }
    slot.history = decision.history;
    slot.restarts++;
    this.#restartsWithoutReady++;
    this.#metrics.workerRestarts.inc();
    this.#log.warn(
      { worker: slot.number },
      `worker ${slot.number} ended (${cause}); started again in ${decision.delayMs} ms (restart ${slot.restarts})`,
    );
    slot.restartTimer = setTimeout(() => this.#fork(slot), decision.delayMs);
  }

  #addCounts(record: WorkerRecord, counts: NonNullable<WorkerRecord["counts"]>): void {
    const before = record.counts;
    this.#metrics.unknownSessions.inc(Math.max(0, counts.unknownSessions - (before?.unknownSessions ?? 0)));
    this.#metrics.forwardedRequests.inc(Math.max(0, counts.forwardedRequests - (before?.forwardedRequests ?? 0)));
    this.#metrics.forwardedHandshakes.inc(Math.max(0, counts.forwardedHandshakes - (before?.forwardedHandshakes ?? 0)));
    this.#metrics.forwardFailures.inc(Math.max(0, counts.forwardFailures - (before?.forwardFailures ?? 0)));
    record.counts = counts;
  }

  #grant(grant: { name: string; slot: number } | undefined): void {
    if (grant === undefined) return;
    const holder = this.#slots[grant.slot]?.record;
    if (holder !== undefined) this.#send(holder, { type: "signalbox:run-once-granted", name: grant.name });
  }

  #spreadSiblings(): void {
    const nowMs = performance.now();
    const siblings = this.records
      .filter((record) => record.state === "ready" || record.state === "draining")
      .map((record) => ({
        slot: record.slot,
        socketPath: record.socketPath,
        load: record.countLoad(nowMs),
        isDraining: record.state === "draining",
      }));
    const text = JSON.stringify(siblings);
    if (text === this.#lastSiblings) return;
    this.#lastSiblings = text;
    for (const record of this.records) {
      if (record.state !== "starting") {
        this.#send(record, {
          type: "signalbox:siblings",
          siblings: siblings.filter((sibling) => sibling.slot !== record.slot),
        });
      }
    }
  }

  #send(record: WorkerRecord, message: MessageToWorker): void {
    if (!record.process.isConnected()) return;
    const worker: Worker = record.process;
    worker.send(message, undefined, {}, () => {
      // The channel closed in between: its exit follows.
    });
  }

  #announceIdle(): void {
    if (this.records.length === 0) this.emit("idle");
  }
}
