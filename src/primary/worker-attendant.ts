/** Deals with what a worker says that changes nothing about its own life: it wants its settings or a job, or has counted something. */

import type { HostMetrics } from "../metrics/host-metrics.js";
import type { FabricCounts, MessageToPrimary, WorkerInit } from "../protocol/worker-messages.js";
import { RunOnceGrants } from "./run-once-grants.js";
import type { WorkerRecord } from "./worker-record.js";

type LifeMessage = "signalbox:ready" | "signalbox:start-failed";
export type WorkerRequest = Exclude<MessageToPrimary, { readonly type: LifeMessage }>;

/** @param before the same worker's report before */
type FabricCountsListener = (counts: FabricCounts, before: FabricCounts | undefined) => void;

export class WorkerAttendant {
  readonly #metrics: HostMetrics;
  readonly #runOnce: RunOnceGrants;
  readonly #onFabricCounts: FabricCountsListener;

  constructor(
    metrics: HostMetrics,
    findWorker: (slot: number) => WorkerRecord | undefined,
    onFabricCounts: FabricCountsListener,
  ) {
    this.#metrics = metrics;
    this.#runOnce = new RunOnceGrants(findWorker);
    this.#onFabricCounts = onFabricCounts;
  }

  /** @param init what this worker was started with */
  obey(message: WorkerRequest, record: WorkerRecord, init: Omit<WorkerInit, "type" | "slot" | "socketPath">): void {
    const { slot, socketPath } = record;
    switch (message.type) {
      case "signalbox:hello":
        record.send({ ...init, type: "signalbox:init", slot, socketPath });
        break;
      case "signalbox:counts":
        this.#metrics.addWorkerCounts(record.counts, message.counts);
        record.counts = message.counts;
        record.rssBytes = message.rssBytes;
        this.#onFabricCounts(message.fabric, record.fabricCounts);
        record.fabricCounts = message.fabric;
        break;
      case "signalbox:run-once-claim":
        this.#runOnce.claim(message.name, slot);
        break;
      case "signalbox:run-once-release":
        this.#runOnce.release(message.name, slot);
        break;
      case "signalbox:sessions":
        record.noteSessions(message.began, message.ended);
        break;
    }
  }

  /** The slot's worker has ended. */
  forget(slot: number): void {
    this.#metrics.sessions.remove({ worker: String(slot) });
    this.#runOnce.releaseAll(slot);
  }
}
