/** Replaces workers that have grown too large or too old, one at a time, as a reload does: it acts, `retire-policy` decides. */

import type { SignalboxConfig } from "../config/config.js";
import { describeBriefly } from "../errors.js";
import type { Logger } from "../logging.js";
import type { HostMetrics } from "../metrics/host-metrics.js";
import { roundSeconds } from "./describe-host.js";
import {
  chooseRetirement,
  findLargeTooSoon,
  leastServedMs,
  type RetireCandidate,
  type Retirement,
} from "./retire-policy.js";
import { Roll } from "./roll.js";
import type { Supervisor } from "./supervisor.js";

export interface RetirerSurroundings {
  readonly supervisor: Supervisor;
  readonly log: Logger;
  readonly metrics: HostMetrics;
  readonly runningConfig: () => SignalboxConfig;
  /** A reload is under way: it replaces all of them. */
  readonly isReloading: () => boolean;
}

/** Workers report once a second. */
const lookIntervalMs = 1_000;
/** After a replacement that could not be made. */
const retryAfterMs = 60_000;

export class Retirer {
  readonly #surroundings: RetirerSurroundings;
  #timer: NodeJS.Timeout | undefined;
  #current: Promise<void> | undefined;
  #notBeforeMs = 0;
  /** The limit about which something has been said. */
  #doubtedRssBytes: number | undefined;

  constructor(surroundings: RetirerSurroundings) {
    this.#surroundings = surroundings;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), lookIntervalMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Resolves when no replacement is under way. */
  async settled(): Promise<void> {
    await this.#current;
  }

  #look(): void {
    const { supervisor, runningConfig, isReloading } = this.#surroundings;
    const nowMs = performance.now();
    if (this.#current !== undefined || isReloading() || supervisor.isStopping || nowMs < this.#notBeforeMs) return;
    const ready = supervisor.records.filter(({ state }) => state === "ready");
    const candidates = ready.map(({ slot, rssBytes, readySinceMs, startedMs, isReplacement }) => ({
      slot,
      rssBytes,
      readyForMs: nowMs - readySinceMs,
      bootMs: readySinceMs - startedMs,
      isReplacement,
    }));
    this.#doubtLimit(candidates);
    const retirement = chooseRetirement(candidates, runningConfig());
    if (retirement === undefined) return;
    this.#current = this.#replace(retirement).finally(() => {
      this.#current = undefined;
    });
  }

  /** Says once that a limit is too low. */
  #doubtLimit(candidates: readonly RetireCandidate[]): void {
    const config = this.#surroundings.runningConfig();
    const { maxWorkerRssBytes } = config;
    if (this.#doubtedRssBytes === maxWorkerRssBytes) return;
    const found = findLargeTooSoon(candidates, config);
    if (found === undefined) return;
    this.#doubtedRssBytes = maxWorkerRssBytes;
    this.#surroundings.log.warn(
      { worker: found.slot },
      `worker ${found.slot} has replaced another and holds ${found.rssBytes} bytes after ${roundSeconds(found.readyForMs)} s, ` +
        `more than ${maxWorkerRssBytes} (maxWorkerRssBytes): raise that; such a worker serves for ${leastServedMs / 60_000} minutes at least`,
    );
  }

  async #replace({ slot, reason }: Retirement): Promise<void> {
    const { supervisor, log, metrics, runningConfig } = this.#surroundings;
    const { drainTimeoutMs, reloadTimeoutMs, maxWorkerRssBytes, maxWorkerAgeMs } = runningConfig();
    const rssBytes = supervisor.records.find((record) => record.slot === slot)?.rssBytes;
    const why =
      reason === "memory"
        ? `holds ${rssBytes} bytes, more than ${maxWorkerRssBytes} (maxWorkerRssBytes)`
        : `is older than ${maxWorkerAgeMs} ms (maxWorkerAgeMs)`;
    log.info({ worker: slot }, `worker ${slot} ${why}: it is replaced`);
    try {
      await new Roll(supervisor, {
        leaving: [slot],
        wanted: 1,
        settings: supervisor.settings,
        drainTimeoutMs,
        timeoutMs: reloadTimeoutMs,
        onProved: () => metrics.workersRetired.inc({ reason }),
      }).run();
    } catch (thrown) {
      if (supervisor.isStopping) return;
      this.#notBeforeMs = performance.now() + retryAfterMs;
      log.warn(
        `worker ${slot} could not be replaced and goes on; tried again in ${retryAfterMs} ms: ${describeBriefly(thrown)}`,
      );
    }
  }
}
