/** Replaces workers of a running host, one at a time: it acts, `roll-plan` decides. It reads no configuration. */

import { AppStartError, ReloadError } from "../errors.js";
import {
  chooseSurplus,
  estimateRollMs,
  planRollStep,
  type RollState,
  type RollTimes,
  shortestDrainMs,
} from "./roll-plan.js";
import type { Supervisor } from "./supervisor.js";
import type { SupervisorSettings } from "./supervisor-settings.js";
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
  /** Drained, or killed: one that not even that has ended is not waited for. */
  readonly #retired = new Set<WorkerRecord>();
  readonly #started: WorkerRecord[] = [];
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
        if (step.kind === "lost") throw this.#explainLoss();
        if (step.kind === "start") await this.#start(step.limitMs);
        else await this.#drainNext(step.drainMs);
      }
    } finally {
      await this.#settle();
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

  /** Of the workers that are still to be replaced. */
  get #leavingSlots(): number[] {
    const left = (this.#leaving ?? []).filter((record) => record.state !== "ended" && !this.#retired.has(record));
    return left.map(({ slot }) => slot);
  }

  get #state(): RollState {
    const oldWorkers = this.#leaving === undefined ? this.#order.leaving.length : this.#leavingSlots.length;
    const started = this.#started.filter(({ state }) => state === "ready").length;
    return { oldWorkers, started, lost: this.#started.length - started, wanted: this.#order.wanted };
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

  async #start(limitMs: number): Promise<void> {
    const startedMs = performance.now();
    const abort = new AbortController();
    const deadline = setTimeout(() => abort.abort(), limitMs);
    try {
      this.#started.push(await this.#supervisor.addWorker(this.#order.settings, abort.signal));
    } catch (thrown) {
      if (this.#supervisor.isStopping) throw new ReloadError("the host was told to end.");
      if (abort.signal.aborted) throw this.#explainTimeout();
      if (!(thrown instanceof AppStartError)) throw thrown;
      throw new ReloadError(`a new worker did not become ready: ${thrown.message}`, { cause: thrown });
    } finally {
      clearTimeout(deadline);
    }
    this.#bootMs = performance.now() - startedMs;
    if (this.#started.length > 1) return;
    // It has proved that they are good.
    this.#supervisor.adopt(this.#order.settings);
    this.#order.onProved();
    const { leaving } = this.#order;
    this.#leaving = this.#supervisor.records.filter(({ slot }) => leaving.includes(slot));
    this.#supervisor.markLeaving(leaving, true);
  }

  async #drainNext(drainMs: number): Promise<void> {
    const [slot] = this.#leavingSlots;
    const record = this.#leaving?.find((each) => each.slot === slot);
    if (record === undefined) return;
    await this.#supervisor.retire(record.slot, drainMs);
    this.#retired.add(record);
  }

  /** However it ended: as many workers as there are to be, and none that is leaving. */
  async #settle(): Promise<void> {
    const supervisor = this.#supervisor;
    const old = this.#leavingSlots;
    supervisor.markLeaving(old, false);
    if (supervisor.isStopping) return;
    const slots = supervisor.slots.filter(({ record }) => record?.isLeaving !== true);
    const surplus = chooseSurplus(
      slots.map(({ number, record }) => ({
        number,
        isReady: record?.state === "ready",
        isOld: old.includes(number),
      })),
      supervisor.settings.workerCount,
    );
    supervisor.markLeaving(surplus, true);
    const drainMs = shortestDrainMs(this.#order.drainTimeoutMs);
    await Promise.all(surplus.map(async (slot) => await supervisor.retire(slot, drainMs)));
    supervisor.fill();
  }

  #explainLoss(): ReloadError {
    const [lost] = this.#started.filter(({ state }) => state !== "ready");
    const { oldWorkers } = this.#state;
    return new ReloadError(
      `the new worker ${lost?.slot} was ready and then ended, the log says how; workers not replaced: ${oldWorkers}.`,
    );
  }

  #explainTimeout(): ReloadError {
    const { oldWorkers } = this.#state;
    return new ReloadError(
      `it cannot end within ${this.#order.timeoutMs} ms (reloadTimeoutMs): raise that; workers not replaced: ${oldWorkers}.`,
    );
  }
}
