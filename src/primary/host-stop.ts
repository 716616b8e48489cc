/** Ends the host when a signal says so: drains all workers together, then the fabric, and says with what the process exits. */

import type { Logger } from "../logging.js";
import { count } from "./describe-host.js";
import type { HandOff } from "./hand-off.js";
import type { HostFabric } from "./host-fabric.js";
import type { Listener } from "./listener.js";
import { readStopSignal } from "./stop-signals.js";
import type { Supervisor } from "./supervisor.js";
import { killGraceMs } from "./worker-drain.js";

export interface StopSurroundings {
  readonly log: Logger;
  readonly supervisor: Supervisor;
  readonly handOff: HandOff;
  readonly listener: Listener;
  readonly fabric: HostFabric;
  /** The listening socket is systemd's. */
  readonly isSocketPassed: boolean;
  readonly readDrainTimeoutMs: () => number;
  readonly countSessions: () => number;
  readonly onDraining: () => void;
  readonly onEnded: (exitCode: number) => void;
}

/** Exit codes of a process ended by a signal are 128 and its number (POSIX shells). */
const exitCodeBySignal = { SIGINT: 130, SIGTERM: 143 } as const;

export class HostStop {
  readonly #surroundings: StopSurroundings;
  #firstSignalMs: number | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(surroundings: StopSurroundings) {
    this.#surroundings = surroundings;
  }

  get isUnderWay(): boolean {
    return this.#firstSignalMs !== undefined;
  }

  obey(signal: "SIGINT" | "SIGTERM"): void {
    const nowMs = performance.now();
    switch (readStopSignal(this.#firstSignalMs, nowMs)) {
      case "stop":
        this.#firstSignalMs = nowMs;
        this.#stop(signal);
        break;
      case "exit-at-once":
        this.#surroundings.log.warn(`${signal} again: ending at once`);
        this.#surroundings.onEnded(exitCodeBySignal[signal]);
        break;
      case "ignore":
        break;
    }
  }

  close(): void {
    clearTimeout(this.#deadline);
  }

  #stop(signal: string): void {
    const { log, supervisor, handOff, listener, isSocketPassed, onEnded } = this.#surroundings;
    const drainTimeoutMs = this.#surroundings.readDrainTimeoutMs();
    // The deadline first: nothing that follows may put it off.
    this.#deadline = setTimeout(() => {
      log.warn(`not all workers ended within ${drainTimeoutMs} ms: they are killed`);
      onEnded(0);
    }, drainTimeoutMs + killGraceMs);
    this.#surroundings.onDraining();
    const sessions = count(this.#surroundings.countSessions(), "session");
    log.info(`${signal}: no new sessions; closing ${sessions} within ${drainTimeoutMs} ms`);
    // The listener stays: sessions are served until they are closed, and who comes for a new one hears 503 and not nothing.
    // A socket of systemd's: newcomers wait in it for the next host, which is better than to be refused.
    if (isSocketPassed) listener.close();
    handOff.startDraining();
    supervisor.once("idle", () => void this.#endAfterWorkers());
    supervisor.drainAll(drainTimeoutMs);
  }

  async #endAfterWorkers(): Promise<void> {
    this.#surroundings.log.info("All workers have ended");
    await this.#surroundings.fabric.stop();
    this.#surroundings.onEnded(0);
  }
}
