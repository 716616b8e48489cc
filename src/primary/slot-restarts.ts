/** Starts the worker of a slot again after its end: it acts, `restart-policy` decides. */

import { CrashLoopError } from "../errors.js";
import type { Logger } from "../logging.js";
import type { HostMetrics } from "../metrics/host-metrics.js";
import { planRestart, type RestartSettings } from "./restart-policy.js";
import type { Slot } from "./worker-slots.js";

export interface WorkerEnd {
  /** undefined: it never was */
  readonly readyForMs: number | undefined;
  readonly hasReadyWorkers: boolean;
  /** "exit code 1" or "SIGKILL" */
  readonly cause: string;
}

export class SlotRestarts {
  readonly #log: Logger;
  readonly #metrics: HostMetrics;
  readonly #start: (slot: Slot) => void;

  constructor(log: Logger, metrics: HostMetrics, start: (slot: Slot) => void) {
    this.#log = log;
    this.#metrics = metrics;
    this.#start = start;
  }

  /** Starts it when the time has come. Returns the error when it has been tried often enough. */
  plan(
    slot: Slot,
    settings: RestartSettings,
    { readyForMs, hasReadyWorkers, cause }: WorkerEnd,
  ): CrashLoopError | undefined {
    const { history, restartsWithoutReady } = slot;
    const decision = planRestart({ settings, history, readyForMs, restartsWithoutReady, hasReadyWorkers });
    if (decision.kind === "give-up") {
      return new CrashLoopError(
        `no worker became ready in ${settings.maxRestarts} restarts (the last ended with ${cause}): giving up.`,
      );
    }
    slot.history = decision.history;
    slot.restarts++;
    slot.restartsWithoutReady++;
    this.#metrics.workerRestarts.inc();
    this.#log.warn(
      { worker: slot.number },
      `worker ${slot.number} ended (${cause}); started again in ${decision.delayMs} ms (restart ${slot.restarts})`,
    );
    slot.restartTimer = setTimeout(() => this.#start(slot), decision.delayMs);
    return undefined;
  }
}
