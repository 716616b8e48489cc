/** Forks the workers, keeps each slot filled, and ends them: it acts, `restart-policy` decides. It routes nothing. */

import { EventEmitter } from "node:events";
import { AppStartError, type CrashLoopError, describeBriefly } from "../errors.js";
import type { Logger } from "../logging.js";
import type { HostMetrics } from "../metrics/host-metrics.js";
import type { FabricCounts, MessageToPrimary } from "../protocol/worker-messages.js";
import type { IncomingConnection } from "./listener.js";
import { freshHistory } from "./restart-policy.js";
import { SiblingNews } from "./sibling-news.js";
import { SlotRestarts } from "./slot-restarts.js";
import type { SupervisorSettings } from "./supervisor-settings.js";
import { WorkerAttendant } from "./worker-attendant.js";
import { killedEndMs, tellToDrain, waitForEnd } from "./worker-drain.js";
import { forkWorker } from "./worker-process.js";
import type { WorkerRecord } from "./worker-record.js";
import { type Slot, WorkerSlots } from "./worker-slots.js";

/** Workers see the load of the others at most this old. */
const siblingUpdateIntervalMs = 100;
interface SupervisorEvents {
  ready: [record: WorkerRecord];
  ended: [record: WorkerRecord];
  returned: [connection: IncomingConnection];
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
  readonly #attendant: WorkerAttendant;
  readonly #restarts: SlotRestarts;
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
    this.#attendant = new WorkerAttendant(
      metrics,
      (number) => this.#slots.find(number)?.record,
      (counts, before) => this.emit("fabricCounted", counts, before),
    );
    this.#restarts = new SlotRestarts(log, metrics, (slot) => this.#fork(slot));
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
      this.#fork(slot, settings);
      if (slot.record !== undefined) slot.record.isReplacement = true;
      signal.addEventListener("abort", () => {
        if (slot.trial === undefined) return;
        slot.record?.kill();
        setTimeout(() => this.#giveUpTrial(slot), killedEndMs).unref();
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

  /**
   * Drains one worker, which is not started again; resolves when it has ended, or a moment after it was killed at the
   * deadline: what the system holds, in a read that never returns for one, not even that ends.
   */
  async retire(number: number, deadlineMs: number): Promise<void> {
    const record = this.#slots.find(number)?.record;
    if (record === undefined) return;
    record.isLeaving = true;
    const ended = waitForEnd(record, deadlineMs);
    if (record.state === "ready") this.#drain([record], deadlineMs, "reload");
    else record.kill();
    if (!(await ended)) this.#log.error(`worker ${number} was killed and does not end: nobody waits for it any more`);
  }

  /** Fills up what a roll has left open: as many workers as there are to be, at least. */
  fill(): void {
    if (this.#isStopping) return;
    // One that leaves and does not end is none of them.
    const staying = this.#slots.all.filter(({ record }) => record?.isLeaving !== true);
    for (let count = staying.length; count < this.#settings.workerCount; count++) this.#fork(this.#slots.add());
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
    for (const record of leaving) record.state = "draining";
    this.#metrics.workersReady.set(this.countReady());
    // Before the first client is closed: where it may come back to is decided by what the siblings know.
    this.#siblingNews.spread(this.records);
    tellToDrain(leaving, deadlineMs, occasion);
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

  /** It was killed and has not ended: what the system holds is not waited for. */
  #giveUpTrial(slot: Slot): void {
    const { trial, record } = slot;
    if (trial === undefined) return;
    slot.trial = undefined;
    if (record !== undefined) record.isLeaving = true;
    const reason = `worker ${slot.number} was killed before it was ready, and does not end.`;
    trial.reject(new AppStartError("SIGNALBOX_APP_START_TIMEOUT", reason));
  }

  #remove(slot: Slot): void {
    clearTimeout(slot.restartTimer);
    this.#slots.remove(slot);
  }

  /** Forks its worker; where the system refuses to, the slot is as if it had ended. */
  #fork(slot: Slot, settings = this.#settings): void {
    try {
      const record: WorkerRecord = forkWorker(slot.number, settings, this.#log, {
        onMessage: (message) => this.#obey(slot, record, settings, message),
        onReturned: (connection) => this.emit("returned", connection),
        onStartTimeout: (error) => this.#noteStartFailure(slot, error),
        onExit: (cause) => this.#noteEnd(slot, record, cause),
      });
      slot.record = record;
    } catch (thrown) {
      // Node throws what it does not expect of the system: no memory, variables too long together.
      const cause = describeBriefly(thrown);
      const reason = `worker ${slot.number} could not be started: ${cause}.`;
      this.#noteStartFailure(slot, new AppStartError("SIGNALBOX_APP_FAILED", reason));
      this.#vacate(slot, undefined, undefined, cause);
    }
  }

  #obey(slot: Slot, record: WorkerRecord, settings: SupervisorSettings, message: MessageToPrimary): void {
    switch (message.type) {
      case "signalbox:ready":
        this.#noteReady(slot, record);
        break;
      case "signalbox:start-failed":
        this.#noteStartFailure(slot, new AppStartError(message.code, message.message));
        break;
      default:
        this.#attendant.obey(message, record, settings.init);
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
    this.#attendant.forget(slot.number);
    this.#siblingNews.spread(this.records);
    this.#vacate(slot, record, wasReadyForMs, cause);
  }

  /** A slot has no worker: it gets another, unless there is to be none. */
  #vacate(slot: Slot, record: WorkerRecord | undefined, readyForMs: number | undefined, cause: string): void {
    if (slot.trial !== undefined || record?.isLeaving === true) {
      this.#remove(slot);
      const reason = `worker ${slot.number} ended (${cause}) before it was ready.`;
      slot.trial?.reject(slot.trial.failure ?? new AppStartError("SIGNALBOX_APP_FAILED", reason));
    }
    if (record !== undefined) this.emit("ended", record);
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
    if (this.#settings.isWatching && readyForMs === undefined) {
      this.#log.warn(`worker ${slot.number} ended (${cause}); waiting for a change before it is started again`);
      return;
    }
    const error = this.#restarts.plan(slot, this.#settings.restart, {
      readyForMs,
      hasReadyWorkers: this.countReady() > 0,
      cause,
    });
    if (error !== undefined) this.emit("failed", error);
  }

  #announceIdle(): void {
    if (this.records.length === 0) this.emit("idle");
  }
}
