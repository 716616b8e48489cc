/** Says how the host is: to `/status`, to `/readyz`, and to systemd. */

import type { SignalboxConfig } from "../config/config.js";
import type { HostMetrics } from "../metrics/host-metrics.js";
import type { HostState, HostStatus } from "../protocol/host-status.js";
import { describeSlot, readVersion, roundSeconds } from "./describe-host.js";
import type { HostFabric } from "./host-fabric.js";
import type { ListenAddress } from "./listener.js";
import type { Reloader } from "./reloader.js";
import type { ServiceFacts } from "./service-notices.js";
import type { Supervisor } from "./supervisor.js";

/** What changes while the host runs. */
export interface HostFacts {
  readonly state: HostState;
  readonly config: SignalboxConfig;
  readonly appPath: string;
  readonly address: ListenAddress;
  readonly adminPort: number;
}

export interface ReportSurroundings {
  readonly hostKey: string;
  readonly metrics: HostMetrics;
  readonly fabric: HostFabric;
  readonly supervisor: Supervisor;
  readonly reloader: Reloader;
  readonly readFacts: () => HostFacts;
}

export class HostReport {
  readonly #surroundings: ReportSurroundings;
  readonly #startedMs = performance.now();

  constructor(surroundings: ReportSurroundings) {
    this.#surroundings = surroundings;
  }

  /** Why the host should get no new sessions; undefined when it should. */
  explainNotReady(): string | undefined {
    const { supervisor, fabric, readFacts } = this.#surroundings;
    const { state } = readFacts();
    if (state === "draining" || state === "closed") return "draining";
    if (supervisor.countReady() === 0) return "no worker is ready";
    return fabric.explainNotReady(performance.now());
  }

  countSessions(): number {
    return this.#surroundings.supervisor.records.reduce((sum, record) => sum + record.sessions, 0);
  }

  readServiceFacts(): ServiceFacts {
    const { supervisor, reloader, fabric, readFacts } = this.#surroundings;
    const { state } = readFacts();
    return {
      state,
      reload: reloader.isUnderWay ? (reloader.describe() ?? undefined) : undefined,
      workers: supervisor.slots.length,
      readyWorkers: supervisor.countReady(),
      sessions: this.countSessions(),
      notReadyReason: this.explainNotReady(),
      // While it stops, the router ends after the workers: nothing is wrong with that.
      isHealthy: state === "draining" || fabric.isHealthy(performance.now()),
    };
  }

  async readStatus(): Promise<HostStatus> {
    const { hostKey, metrics, supervisor, reloader, fabric, readFacts } = this.#surroundings;
    const { state, config, appPath, address, adminPort } = readFacts();
    for (const record of supervisor.records) {
      metrics.sessions.set({ worker: String(record.slot) }, record.sessions);
    }
    const nowMs = performance.now();
    return {
      version: readVersion(),
      hostKey,
      region: config.region,
      pid: process.pid,
      state,
      uptimeSeconds: roundSeconds(nowMs - this.#startedMs),
      // The mode of the file is a setting, not a place.
      listen: address.kind === "unix" ? { kind: "unix", path: address.path } : address,
      adminPort,
      fabric: config.fabric,
      app: appPath,
      reload: reloader.describe(),
      workers: supervisor.slots.map((slot) => describeSlot(slot, nowMs)),
      router: fabric.describeRouter(nowMs),
      bus: fabric.describeBus(nowMs),
      links: fabric.describeLinks(),
      counters: await metrics.readCounters(),
    };
  }
}
