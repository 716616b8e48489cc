/** Replaces workers of a running host, one at a time: it acts, `roll-plan` decides. It reads no configuration. */

import { AppStartError, ReloadError } from "../errors.js";
import { estimateRollMs, planRollStep, type RollState, type RollTimes } from "./roll-plan.js";
import type { Supervisor, SupervisorSettings } from "./supervisor.js";
import type { WorkerRecord } from "./worker-record.js";

export interface RollOrder {
  /** Slots of the workers to be replaced. */
  readonly leaving: readonly number[];
  /** How many new workers there are to be. */
  readonly wanted: number;
  readonly settings: SupervisorSettings;
  readonly drainTimeoutMs: number;
  /** For all of it. */
  readonly timeoutMs: number;
  /** The first new worker is ready: the settings are good. */
  readonly onProved: () => void;
}

export class Roll {
  readonly #supervisor: Supervisor;
  readonly #order: RollOrder;
  readonly #startedMs = performance.now();
  /** Once the first new worker is ready. Not slots: those of workers that have ended are taken by new ones. */
  #leaving: readonly WorkerRecord[] | undefined;
  #started = 0;
  #bootMs: number | undefined;

  constructor(supervisor: Supervisor, order: RollOrder) {
    this.#supervisor = supervisor;
    this.#order = order;
  }

  /**
   * Resolves when all are replaced.
   * @throws ReloadError that says why it stopped; workers that were not replaced by then go on
   */
  async run(): Promise<void> {
    try {
      for (;;) {
        if (this.#supervisor.isStopping) throw new ReloadError("the host was told to end.");
        const step = planRollStep(this.#state, this.#times);
        if (step.kind === "done") return;
        if (step.kind === "give-up") throw this.#explainTimeout();
        if (step.kind === "start") await this.#start();
        else await this.#drainNext(step.drainMs);
      }
    } finally {
      this.#supervisor.markLeaving(this.#leavingSlots, false);
      this.#supervisor.fill();
    }
  }

  /** Old workers that are gone, and how many there were. */
  get progress(): {
    readonly done: number;
    readonly all: number;
    readonly sessionsMoved: number;
    readonly leftMs: number;
  } {
    const sessionsMoved = (this.#leaving ?? []).reduce((sum, { sessions, sessionsAtDrain, state }) => {
      if (state === "draining") return sum + Math.max(0, sessionsAtDrain - sessions);
      return sum + (state === "ended" ? sessionsAtDrain : 0);
    }, 0);
    const all = this.#order.leaving.length;
    const leftMs = estimateRollMs(this.#state, this.#times);
    return { done: all - this.#state.oldWorkers, all, sessionsMoved, leftMs };
  }

  get #leavingSlots(): number[] {
    return (this.#leaving ?? []).filter(({ state }) => state !== "ended").map(({ slot }) => slot);
  }

  get #state(): RollState {
    const oldWorkers = this.#leaving === undefined ? this.#order.leaving.length : this.#leavingSlots.length;
    return { oldWorkers, started: this.#started, wanted: this.#order.wanted };
  }

  get #times(): RollTimes {
    const { drainTimeoutMs, timeoutMs } = this.#order;
    return {
      nowMs: performance.now(),
      deadlineMs: this.#startedMs + timeoutMs,
      drainTimeoutMs,
      bootMs: this.#bootMs,
    };
  }

  async #start(): Promise<void> {
    const startedMs = performance.now();
    const abort = new AbortController();
    const deadline = setTimeout(() => abort.abort(), this.#times.deadlineMs - startedMs);
    try {
      await this.#supervisor.addWorker(this.#order.settings, abort.signal);
    } catch (thrown) {
      if (this.#supervisor.isStopping) throw new ReloadError("the host was told to end.");
      if (abort.signal.aborted) throw this.#explainTimeout();
      if (!(thrown instanceof AppStartError)) throw thrown;
      throw new ReloadError(`a new worker did not become ready: ${thrown.message}`, { cause: thrown });
    } finally {
      clearTimeout(deadline);
    }
    this.#bootMs = performance.now() - startedMs;
    this.#started++;
    if (this.#started > 1) return;
    // It has proved that they are good.
    this.#supervisor.adopt(this.#order.settings);
    this.#order.onProved();
    const { leaving } = this.#order;
    this.#leaving = this.#supervisor.records.filter(({ slot }) => leaving.includes(slot));
    this.#supervisor.markLeaving(leaving, true);
  }

  async #drainNext(drainMs: number): Promise<void> {
    const [slot] = this.#leavingSlots;
    if (slot !== undefined) await this.#supervisor.retire(slot, drainMs);
  }

  #explainTimeout(): ReloadError {
    const { oldWorkers } = this.#state;
    return new ReloadError(
      `it cannot end within ${this.#order.timeoutMs} ms (reloadTimeoutMs): raise that; workers not replaced: ${oldWorkers}.`,
    );
  }
}
