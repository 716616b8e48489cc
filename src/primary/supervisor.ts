/** Forks the workers, keeps each slot filled, and ends them: it acts, `restart-policy` decides. It routes nothing. */

import { EventEmitter } from "node:events";
import { AppStartError, CrashLoopError } from "../errors.js";
import type { Logger } from "../logging.js";
import type { HostMetrics } from "../metrics/host-metrics.js";
import type { FabricCounts, MessageToPrimary } from "../protocol/worker-messages.js";
import { planSpreadMs } from "./drain-spread.js";
import { freshHistory, planRestart, type RestartSettings } from "./restart-policy.js";
import { RunOnceRegistry } from "./run-once-registry.js";
import { SiblingNews } from "./sibling-news.js";
import { forkWorker, type WorkerProcessSettings } from "./worker-process.js";
import type { WorkerRecord } from "./worker-record.js";
import { type Slot, WorkerSlots } from "./worker-slots.js";

export interface SupervisorSettings extends WorkerProcessSettings {
  readonly workerCount: number;
  readonly restart: RestartSettings;
  /** Development: a crash or a failed start waits for the next change of a file instead of ending the host. */
  readonly isWatching: boolean;
}

/** Workers see the load of the others at most this old. */
const siblingUpdateIntervalMs = 100;
/** Beyond its drain deadline, the time for a worker's exit to arrive before it is killed. */
export const killGraceMs = 500;

interface SupervisorEvents {
  ready: [record: WorkerRecord];
  ended: [record: WorkerRecord];
  /** @param before the same worker's report before */
  fabricCounted: [counts: FabricCounts, before: FabricCounts | undefined];
  failed: [error: AppStartError | CrashLoopError];
  idle: [];
}

export class Supervisor extends EventEmitter<SupervisorEvents> {
  #settings: SupervisorSettings;
  readonly #log: Logger;
  readonly #metrics: HostMetrics;
  readonly #slots = new WorkerSlots();
  readonly #runOnce = new RunOnceRegistry((number) => this.#slots.find(number)?.record?.isLeaving === true);
  readonly #siblingTimer: NodeJS.Timeout;
  readonly #siblingNews = new SiblingNews();
  #hasEverBeenReady = false;
  #hasFailed = false;
  #isStopping = false;

  constructor(settings: SupervisorSettings, log: Logger, metrics: HostMetrics) {
    super();
    this.#settings = settings;
    this.#log = log;
    this.#metrics = metrics;
    for (let index = 0; index < settings.workerCount; index++) this.#slots.add();
    this.#siblingTimer = setInterval(() => this.#siblingNews.spread(this.records), siblingUpdateIntervalMs);
    this.#siblingTimer.unref();
  }

  start(): void {
    for (const slot of this.#slots.all) this.#fork(slot);
  }

  get records(): WorkerRecord[] {
    return this.#slots.records;
  }

  get slots(): readonly { number: number; record: WorkerRecord | undefined; restarts: number }[] {
    return this.#slots.all;
  }

  countReady(): number {
    return this.records.filter((record) => record.state === "ready").length;
  }

  /** What workers are started with now. */
  get settings(): SupervisorSettings {
    return this.#settings;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Workers that are started from now on, in place of crashed ones too, are started with these. */
  adopt(settings: SupervisorSettings): void {
    this.#settings = settings;
  }

  /**
   * Starts one worker more, in the lowest free slot, and resolves when it is ready.
   * @param signal kills it while it is not ready
   * @throws AppStartError when it ends before; then it is not started again, and its slot is free
   */
  async addWorker(settings: SupervisorSettings, signal: AbortSignal): Promise<WorkerRecord> {
    const slot = this.#slots.add();
    return await new Promise((resolve, reject) => {
      slot.trial = { resolve, reject, failure: undefined };
      this.#fork(slot, settings).isReplacement = true;
      signal.addEventListener("abort", () => {
        if (slot.trial !== undefined) slot.record?.kill();
      });
    });
  }

  /** These slots get no new sessions while there are other workers (`isLeaving`), or again some. Leaving ones are not started again when they end. */
  markLeaving(numbers: readonly number[], isLeaving: boolean): void {
    for (const slot of this.#slots.all.filter(({ number }) => numbers.includes(number))) {
      if (slot.record !== undefined) slot.record.isLeaving = isLeaving;
      else if (isLeaving) this.#remove(slot);
    }
    this.#siblingNews.spread(this.records);
  }

  /** Drains one worker, which is not started again; resolves when it has ended, at the latest a moment after the deadline. */
  async retire(number: number, deadlineMs: number): Promise<void> {
    const slot = this.#slots.find(number);
    const record = slot?.record;
    if (record === undefined) return;
    // First: nothing that follows may put it off.
    const deadline = setTimeout(() => record.kill(), deadlineMs + killGraceMs);
    record.isLeaving = true;
    const ended = new Promise<void>((resolve) => record.process.process.once("exit", () => resolve()));
    if (record.state === "ready") this.#drain([record], deadlineMs, "reload");
    else record.kill();
    await ended;
    clearTimeout(deadline);
  }

  /** Fills up what a roll has left open: as many workers as there are to be, at least. */
  fill(): void {
    if (this.#isStopping) return;
    while (this.#slots.all.length < this.#settings.workerCount) this.#fork(this.#slots.add());
  }

  /** Drains all workers; `idle` follows when the last has ended. What is left at the deadline is killed. */
  drainAll(deadlineMs: number): void {
    this.#isStopping = true;
    clearInterval(this.#siblingTimer);
    for (const slot of this.#slots.all) clearTimeout(slot.restartTimer);
    // One that is not ready serves nobody, and may be in code that hears no message.
    for (const record of this.records) if (record.state === "starting") record.kill();
    this.#drain(
      this.records.filter((record) => record.state === "ready"),
      deadlineMs,
      "stop",
    );
    this.#announceIdle();
  }

  /** Tells these workers to drain, together. */
  #drain(leaving: readonly WorkerRecord[], deadlineMs: number, occasion: "reload" | "stop"): void {
    let sessions = 0;
    for (const record of leaving) {
      record.state = "draining";
      record.sessionsAtDrain = record.sessions;
      sessions += record.sessions;
    }
    this.#metrics.workersReady.set(this.countReady());
    // Before the first client is closed: where it may come back to is decided by what the siblings know.
    this.#siblingNews.spread(this.records);
    const spreadMs = planSpreadMs(sessions, deadlineMs, occasion);
    for (const record of leaving) record.send({ type: "signalbox:drain", deadlineMs, spreadMs });
  }

  /** Ends whatever is left, at once. */
  killAll(): void {
    this.#isStopping = true;
    for (const record of this.records) record.kill();
  }

  /** Development: ends all workers without ceremony and starts new ones. */
  restartAll(): void {
    for (const slot of this.#slots.all) {
      slot.restartsWithoutReady = 0;
      slot.history = freshHistory;
      clearTimeout(slot.restartTimer);
      if (slot.record === undefined) {
        this.#fork(slot);
      } else {
        slot.isRestartAsked = true;
        slot.record.kill();
      }
    }
  }

  #remove(slot: Slot): void {
    clearTimeout(slot.restartTimer);
    this.#slots.remove(slot);
  }

  #fork(slot: Slot, settings = this.#settings): WorkerRecord {
    const record: WorkerRecord = forkWorker(slot.number, settings, this.#log, {
      onMessage: (message) => this.#obey(slot, record, settings, message),
      onStartTimeout: (error) => this.#noteStartFailure(slot, error),
      onExit: (cause) => this.#noteEnd(slot, record, cause),
    });
    slot.record = record;
    return record;
  }

  #obey(slot: Slot, record: WorkerRecord, settings: SupervisorSettings, message: MessageToPrimary): void {
    switch (message.type) {
      case "signalbox:hello":
        record.send({
          ...settings.init,
          type: "signalbox:init",
          slot: slot.number,
          socketPath: record.socketPath,
        });
        break;
      case "signalbox:ready":
        this.#noteReady(slot, record);
        break;
      case "signalbox:start-failed":
        this.#noteStartFailure(slot, new AppStartError(message.code, message.message));
        break;
      case "signalbox:counts":
        this.#metrics.addWorkerCounts(record.counts, message.counts);
        record.counts = message.counts;
        record.rssBytes = message.rssBytes;
        this.emit("fabricCounted", message.fabric, record.fabricCounts);
        record.fabricCounts = message.fabric;
        break;
      case "signalbox:run-once-claim":
        this.#grant(this.#runOnce.claim(message.name, slot.number));
        break;
      case "signalbox:run-once-release":
        this.#grant(this.#runOnce.release(message.name, slot.number));
        break;
      case "signalbox:sessions":
        record.noteSessions(message.began, message.ended);
        break;
    }
  }

  #noteReady(slot: Slot, record: WorkerRecord): void {
    if (record.state !== "starting") return;
    record.state = "ready";
    record.readySinceMs = performance.now();
    for (const each of this.#slots.all) each.restartsWithoutReady = 0;
    this.#hasEverBeenReady = true;
    const isReplacement = slot.restarts > 0 || slot.trial !== undefined;
    const bootMs = Math.round(record.readySinceMs - record.startedMs);
    this.#log[isReplacement ? "info" : "debug"](
      { worker: record.slot, workerPid: record.pid, bootMs },
      `worker ${record.slot} is ready after ${bootMs} ms`,
    );
    this.#metrics.workersReady.set(this.countReady());
    this.#siblingNews.spread(this.records);
    this.emit("ready", record);
    slot.trial?.resolve(record);
    slot.trial = undefined;
  }

  #noteStartFailure(slot: Slot, error: AppStartError): void {
    if (slot.trial !== undefined) {
      slot.trial.failure = error;
      return;
    }
    // The other workers fail for the same reason in the same moment.
    if (this.#hasFailed) return;
    this.#log.error(error.message);
    if (this.#hasEverBeenReady || this.#isStopping || this.#settings.isWatching) return;
    // Nobody has been served yet, and somebody is looking: better to say it now than to try ten times.
    this.#hasFailed = true;
    this.emit("failed", error);
  }

  #noteEnd(slot: Slot, record: WorkerRecord, cause: string): void {
    const wasReadyForMs = record.readySinceMs === 0 ? undefined : performance.now() - record.readySinceMs;
    record.state = "ended";
    slot.record = undefined;
    this.#metrics.workersReady.set(this.countReady());
    this.#metrics.sessions.remove({ worker: String(slot.number) });
    for (const grant of this.#runOnce.releaseAll(slot.number)) this.#grant(grant);
    this.#siblingNews.spread(this.records);
    if (slot.trial !== undefined || record.isLeaving) {
      this.#remove(slot);
      const reason = `worker ${slot.number} ended (${cause}) before it was ready.`;
      slot.trial?.reject(slot.trial.failure ?? new AppStartError("SIGNALBOX_APP_FAILED", reason));
    }
    this.emit("ended", record);
    if (this.#isStopping) {
      this.#announceIdle();
      return;
    }
    if (!this.#slots.has(slot)) return;
    if (slot.isRestartAsked) {
      slot.isRestartAsked = false;
      this.#fork(slot);
      return;
    }
    this.#restart(slot, wasReadyForMs, cause);
  }

  #restart(slot: Slot, readyForMs: number | undefined, cause: string): void {
    const decision = planRestart({
      settings: this.#settings.restart,
      history: slot.history,
      readyForMs,
      restartsWithoutReady: slot.restartsWithoutReady,
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
    slot.restartsWithoutReady++;
    this.#metrics.workerRestarts.inc();
    this.#log.warn(
      { worker: slot.number },
      `worker ${slot.number} ended (${cause}); started again in ${decision.delayMs} ms (restart ${slot.restarts})`,
    );
    slot.restartTimer = setTimeout(() => this.#fork(slot), decision.delayMs);
  }

  #grant(grant: { name: string; slot: number } | undefined): void {
    if (grant === undefined) return;
    const holder = this.#slots.find(grant.slot)?.record;
    if (holder !== undefined) holder.send({ type: "signalbox:run-once-granted", name: grant.name });
  }

  #announceIdle(): void {
    if (this.records.length === 0) this.emit("idle");
  }
}
