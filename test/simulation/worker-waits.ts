/** What a simulated worker waits for: the time when its session has something to do, as RoutedFabric does, and joins. */

import type { HostSession } from "../../src/worker/fabric/host-session.js";
import type { Observer } from "./observer.js";
import { joinLimitMs } from "./settings.js";
import type { SimulatedProcess, VirtualTime } from "./virtual-time.js";

export interface WaitingWorker {
  readonly name: string;
  readonly process: SimulatedProcess;
  readonly session: HostSession;
  readonly observer: Observer;
  readonly lastResumedMs: number;
}

export class WorkerWaits {
  readonly #worker: WaitingWorker;
  readonly #time: VirtualTime;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #timerTurn = 0;
  pendingJoins = 0;

  constructor(worker: WaitingWorker, time: VirtualTime) {
    this.#worker = worker;
    this.#time = time;
  }

  schedule(dueMs: number): void {
    if (dueMs >= this.#timerDueMs) return;
    this.#timerDueMs = dueMs;
    const turn = ++this.#timerTurn;
    const { process, session } = this.#worker;
    process.after(Math.max(1, dueMs - this.#time.nowMs), () => {
      if (turn !== this.#timerTurn) return;
      this.#timerDueMs = Number.POSITIVE_INFINITY;
      session.tick(this.#time.nowMs);
      const nextMs = session.nextDueMs();
      if (nextMs < Number.POSITIVE_INFINITY) this.schedule(nextMs);
    });
  }

  /** @param certain called when the join came back because the router has taken the rooms */
  awaitJoin(promise: Promise<void>, certain: () => void): void {
    const { observer, name, process } = this.#worker;
    const deadlineMs = this.#time.nowMs + joinLimitMs;
    this.pendingJoins++;
    promise.then(
      () => {
        if (!process.isAlive) return;
        this.pendingJoins--;
        const lateMs = this.#time.nowMs - Math.max(deadlineMs, this.#worker.lastResumedMs);
        if (lateMs > 2) observer.fail(`a join on ${name} resolved ${lateMs.toFixed(1)} ms after its limit`);
        // At its limit a join comes back without the router's word.
        if (this.#time.nowMs < deadlineMs) certain();
      },
      (error: unknown) => observer.fail(`a join on ${name} was rejected: ${String(error)}`),
    );
  }
}
