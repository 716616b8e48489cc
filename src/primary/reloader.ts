/** Reloads a running host: reads the configuration again, checks it, rolls the workers, and says how it goes. One reload at a time. */

import { realpathSync } from "node:fs";
import type { SignalboxConfig } from "../config/config.js";
import type { LoadedConfig } from "../config/load-config.js";
import { takeReloaded } from "../config/reload-settings.js";
import type { Variables } from "../config/reload-variables.js";
import { AppStartError, describeThrown, SignalboxError } from "../errors.js";
import type { Logger } from "../logging.js";
import type { ReloadStatus } from "../protocol/host-status.js";
import { count, roundSeconds } from "./describe-host.js";
import { Roll } from "./roll.js";
import type { Supervisor } from "./supervisor.js";
import type { SupervisorSettings } from "./supervisor-settings.js";

export interface ReloadSurroundings {
  readonly supervisor: Supervisor;
  readonly log: Logger;
  /** Reads it again, from where it came. @throws ConfigError with every fault */
  readonly readConfig: (broughtVariables: Variables | undefined) => Pick<LoadedConfig, "config" | "fileVariables">;
  /** Resolves when no other replacement of workers is under way. */
  readonly waitForOthers: () => Promise<void>;
  readonly runningConfig: () => SignalboxConfig;
  readonly findApp: (config: SignalboxConfig) => string;
  readonly collectSettings: (config: SignalboxConfig, appPath: string, fileVariables: Variables) => SupervisorSettings;
  /** The host runs with these from now on: a worker that was started with them is ready. */
  readonly onAdopted: (config: SignalboxConfig, appPath: string) => void;
}

/**
 * The file that a path names now: with releases behind a symbolic link, a worker that is started later must not run
 * another release than its siblings.
 * @throws AppStartError when there is none
 */
export function resolveApp(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw new AppStartError("SIGNALBOX_APP_NOT_FOUND", `the application ${path} does not exist.`, { cause });
  }
}

/** Where a directory is now, symbolic links resolved; undefined when there is none. */
export function followDirectory(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

export class Reloader {
  readonly #surroundings: ReloadSurroundings;
  /** Until the workers have been started there is nothing to replace. */
  readonly #opened: Promise<void>;
  #open: () => void = () => {};
  #current: Promise<ReloadStatus> | undefined;
  /** Asked for while one was under way: what has changed since that one began. */
  #next: Promise<ReloadStatus> | undefined;
  #roll: Roll | undefined;
  #startedMs = 0;
  #restartNeeded: readonly string[] = [];
  #last: ReloadStatus | null = null;
  /** The latest that were brought for the next one. */
  #nextVariables: Variables | undefined;
  /** The latest with which a worker became ready: they count until others have. */
  #provedVariables: Variables | undefined;

  constructor(surroundings: ReloadSurroundings) {
    this.#surroundings = surroundings;
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  /** The workers have been started: what was asked for before begins now. */
  open(): void {
    this.#open();
  }

  /**
   * Resolves with how it ended. While one is under way another follows it, for all who ask meanwhile.
   * @param broughtVariables in place of the environment of this process, from then on if a worker becomes ready with them;
   * undefined: those that have been brought before
   */
  request(by: string, broughtVariables?: Variables): Promise<ReloadStatus> {
    if (this.#current === undefined) {
      this.#current = this.#run(by, broughtVariables);
      return this.#current;
    }
    this.#nextVariables = broughtVariables ?? this.#nextVariables;
    this.#next ??= this.#current.then(() => {
      this.#next = undefined;
      this.#current = this.#run(by, this.#nextVariables);
      this.#nextVariables = undefined;
      return this.#current;
    });
    return this.#next;
  }

  get isUnderWay(): boolean {
    return this.#current !== undefined;
  }

  describe(): ReloadStatus | null {
    return this.#current === undefined ? this.#last : this.#describe("rolling", null);
  }

  async #run(by: string, broughtVariables: Variables | undefined): Promise<ReloadStatus> {
    const { log } = this.#surroundings;
    this.#startedMs = performance.now();
    this.#restartNeeded = [];
    this.#roll = undefined;
    await this.#opened;
    await this.#surroundings.waitForOthers();
    log.info(`${by}: reloading`);
    let outcome: ReloadStatus;
    try {
      await this.#reload(broughtVariables ?? this.#provedVariables);
      outcome = this.#describe("done", null);
      log.info(
        `Reloaded in ${outcome.seconds} s: ${count(outcome.workersDone, "worker")} replaced, ` +
          `${count(outcome.sessionsMoved, "session")} moved`,
      );
    } catch (thrown) {
      const reason = thrown instanceof SignalboxError ? thrown.message : describeThrown(thrown);
      outcome = this.#describe("failed", reason);
      log.error(`The reload failed: ${reason}`);
    }
    this.#last = outcome;
    this.#current = undefined;
    return outcome;
  }

  async #reload(broughtVariables: Variables | undefined): Promise<void> {
    const { supervisor, log, readConfig, runningConfig, findApp, collectSettings, onAdopted } = this.#surroundings;
    const read = readConfig(broughtVariables);
    const { config, restartNeeded } = takeReloaded(runningConfig(), read.config);
    const appPath = findApp(config);
    const settings = collectSettings(config, appPath, read.fileVariables);
    this.#restartNeeded = restartNeeded;
    if (restartNeeded.length > 0)
      log.warn(`these settings have changed and need a restart: ${restartNeeded.join(", ")}`);
    this.#roll = new Roll(supervisor, {
      leaving: supervisor.slots.map(({ number }) => number),
      wanted: settings.workerCount,
      settings,
      drainTimeoutMs: config.drainTimeoutMs,
      timeoutMs: config.reloadTimeoutMs,
      onProved: () => {
        this.#provedVariables = broughtVariables;
        onAdopted(config, appPath);
      },
    });
    await this.#roll.run();
  }

  #describe(state: ReloadStatus["state"], reason: string | null): ReloadStatus {
    const { supervisor, runningConfig } = this.#surroundings;
    const all = supervisor.slots.length;
    const leftMs = all * runningConfig().drainTimeoutMs;
    const progress = this.#roll?.progress ?? { done: 0, all, sessionsMoved: 0, leftMs };
    return {
      state,
      workersDone: progress.done,
      workers: progress.all,
      sessionsMoved: progress.sessionsMoved,
      seconds: roundSeconds(performance.now() - this.#startedMs),
      secondsLeft: state === "rolling" ? roundSeconds(progress.leftMs) : 0,
      reason,
      restartNeeded: this.#restartNeeded,
    };
  }
}
