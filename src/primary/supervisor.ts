/** Forks the workers, keeps each slot filled, and ends them: it acts, `restart-policy` decides. It routes nothing. */

import { EventEmitter } from "node:events";
import { AppStartError, CrashLoopError } from "../errors.js";
import type { Logger } from "../logging.js";
import type { HostMetrics } from "../metrics/host-metrics.js";
import type { FabricCounts, MessageToPrimary } from "../protocol/worker-messages.js";
import { freshHistory, planRestart, type RestartSettings, type SlotHistory } from "./restart-policy.js";
import { RunOnceRegistry } from "./run-once-registry.js";
import { SiblingNews } from "./sibling-news.js";
import { forkWorker, type WorkerProcessSettings } from "./worker-process.js";
import type { WorkerRecord } from "./worker-record.js";

export interface SupervisorSettings extends WorkerProcessSettings {
  readonly workerCount: number;
  readonly restart: RestartSettings;
  /** Development: a crash or a failed start waits for the next change of a file instead of ending the host. */
  readonly isWatching: boolean;
}

/** Workers see the load of the others at most this old. */
const siblingUpdateIntervalMs = 100;
interface Slot {
  readonly number: number;
  record: WorkerRecord | undefined;
  history: SlotHistory;
  restarts: number;
  /** Since any worker of the host became ready. */
  restartsWithoutReady: number;
  restartTimer: NodeJS.Timeout | undefined;
  isRestartAsked: boolean;
}

interface SupervisorEvents {
  ready: [record: WorkerRecord];
  ended: [record: WorkerRecord];
  /** @param before the same worker's report before */
  fabricCounted: [counts: FabricCounts, before: FabricCounts | undefined];
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
  readonly #siblingNews = new SiblingNews();
  #hasEverBeenReady = false;
  #hasFailed = false;
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
      restartsWithoutReady: 0,
      restartTimer: undefined,
      isRestartAsked: false,
    }));
    this.#siblingTimer = setInterval(() => this.#siblingNews.spread(this.records), siblingUpdateIntervalMs);
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
      if (record.state === "starting") record.kill();
      else record.state = "draining";
    }
    this.#siblingNews.spread(this.records);
    for (const record of this.records) {
      if (record.state === "draining") record.send({ type: "signalbox:drain", deadlineMs });
    }
    this.#announceIdle();
  }

  /** Ends whatever is left, at once. */
  killAll(): void {
    this.#isStopping = true;
    for (const record of this.records) record.kill();
  }

  /** Development: ends all workers without ceremony and starts new ones. */
  restartAll(): void {
    for (const slot of this.#slots) {
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

  #fork(slot: Slot): void {
    const record: WorkerRecord = forkWorker(slot.number, this.#settings, this.#log, {
      onMessage: (message) => this.#obey(slot, record, message),
      onStartTimeout: (error) => this.#noteStartFailure(error),
      onExit: (cause) => this.#noteEnd(slot, record, cause),
    });
    slot.record = record;
  }

  #obey(slot: Slot, record: WorkerRecord, message: MessageToPrimary): void {
    switch (message.type) {
      case "signalbox:hello":
        record.send({
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
        this.#metrics.addWorkerCounts(record.counts, message.counts);
        record.counts = message.counts;
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

  #noteReady(record: WorkerRecord): void {
    if (record.state !== "starting") return;
    record.state = "ready";
    record.readySinceMs = performance.now();
    for (const slot of this.#slots) slot.restartsWithoutReady = 0;
    this.#hasEverBeenReady = true;
    const isReplacement = (this.#slots[record.slot]?.restarts ?? 0) > 0;
    const bootMs = Math.round(record.readySinceMs - record.startedMs);
    this.#log[isReplacement ? "info" : "debug"](
      { worker: record.slot, workerPid: record.pid, bootMs },
      `worker ${record.slot} is ready after ${bootMs} ms`,
    );
    this.#metrics.workersReady.set(this.countReady());
    this.#siblingNews.spread(this.records);
    this.emit("ready", record);
  }

  #noteStartFailure(error: AppStartError): void {
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
    const holder = this.#slots[grant.slot]?.record;
    if (holder !== undefined) holder.send({ type: "signalbox:run-once-granted", name: grant.name });
  }

  #announceIdle(): void {
    if (this.records.length === 0) this.emit("idle");
  }
}
