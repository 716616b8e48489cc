/** What joins the workers of this host, seen from the primary: a router of our own, or the cluster adapter's primary half. */

import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { encodePlace, parsePlace } from "../address/address.js";
import type { FabricName, SignalboxConfig } from "../config/config.js";
import { BusError } from "../errors.js";
import type { Logger } from "../logging.js";
import { BusMetrics } from "../metrics/bus-metrics.js";
import { FabricMetrics } from "../metrics/fabric-metrics.js";
import type { HostMetrics } from "../metrics/host-metrics.js";
import { LinkMetrics } from "../metrics/link-metrics.js";
import { RouterMetrics } from "../metrics/router-metrics.js";
import type { BusStatus, LinksStatus, RouterStatus } from "../protocol/host-status.js";
import type { RouterLogSettings, RouterReport } from "../protocol/router-messages.js";
import type { FabricCounts } from "../protocol/worker-messages.js";
import { BusState } from "./bus-state.js";
import { roundSeconds } from "./describe-host.js";
import { readBusInit, readLinksInit, warnOfPlainLinks } from "./far-sides.js";
import { answerAndClose } from "./refusal.js";
import { explainRouterAbsence, isRouterExpected } from "./router-policy.js";
import { RouterSupervisor } from "./router-supervisor.js";

export interface HostFabric {
  /** Resolves when workers can be started. */
  start(): Promise<void>;
  /** A worker serves clients from now on. */
  addWorker(slot: number): void;
  /** A worker's process has ended. */
  removeWorker(slot: number): void;
  /** What a worker has counted of the fabric; `before` is its report before. */
  addCounts(counts: FabricCounts, before: FabricCounts | undefined): void;
  /** Why the host should get no new sessions; undefined when it should. */
  explainNotReady(nowMs: number): string | undefined;
  /** What the workers need of it is there, or may still come back by itself; other hosts are not meant. */
  isHealthy(nowMs: number): boolean;
  describeRouter(nowMs: number): RouterStatus | null;
  describeBus(nowMs: number): BusStatus | null;
  describeLinks(): LinksStatus | null;
  /** A connection of another region, which came to the public address. */
  takeLink(connection: { readonly socket: Socket; readonly received: Buffer }): void;
  /** A reload has brought these settings. */
  adopt(config: SignalboxConfig): void;
  /** To be called when all workers have ended: they talk to each other while they drain. */
  stop(): Promise<void>;
  kill(): void;
}

export interface HostFabricSurroundings {
  readonly config: SignalboxConfig;
  readonly hostKey: string;
  readonly routerSocketPath: string;
  readonly routerLog: RouterLogSettings;
  readonly log: Logger;
  readonly metrics: HostMetrics;
  /** The host cannot go on. */
  readonly onFailed: (error: BusError) => void;
}

export function createHostFabric(name: FabricName, surroundings: HostFabricSurroundings): HostFabric {
  switch (name) {
    case "routed":
      return new RoutedFabric(surroundings);
    case "stock":
      return surroundings.config.redisUrl === undefined
        ? new StockFabric()
        : new StockRedisFabric(new FabricMetrics(surroundings.metrics.registry, "stock"));
  }
}

/** The workers' messages pass through the primary, and all the rest is the package's business. */
class StockFabric implements HostFabric {
  async start(): Promise<void> {
    const { setupPrimary } = await import("@socket.io/cluster-adapter");
    setupPrimary();
  }

  addWorker(): void {}

  removeWorker(): void {}

  addCounts(_counts: FabricCounts, _before: FabricCounts | undefined): void {}

  explainNotReady(): undefined {}

  isHealthy(): boolean {
    return true;
  }

  describeRouter(): null {
    return null;
  }

  describeBus(): null {
    return null;
  }

  describeLinks(): null {
    return null;
  }

  takeLink({ socket }: { readonly socket: Socket }): void {
    answerAndClose(socket, 503, "this host takes no links");
  }

  adopt(_config: SignalboxConfig): void {}

  async stop(): Promise<void> {}

  kill(): void {}
}

/** The workers talk to Redis themselves: nothing of it passes here. */
class StockRedisFabric extends StockFabric {
  readonly #metrics: FabricMetrics;

  constructor(metrics: FabricMetrics) {
    super();
    this.#metrics = metrics;
  }

  override async start(): Promise<void> {}

  override addCounts(counts: FabricCounts, before: FabricCounts | undefined): void {
    this.#metrics.addCounts(before, counts);
  }
}

class RoutedFabric implements HostFabric {
  readonly #hostKey: string;
  readonly #supervisor: RouterSupervisor;
  readonly #metrics: RouterMetrics;
  readonly #fabricMetrics: FabricMetrics;
  readonly #bus: { readonly state: BusState; readonly metrics: BusMetrics } | undefined;
  readonly #linkMetrics: LinkMetrics | undefined;
  readonly #log: Logger;
  #links: LinksStatus | null = null;
  #lostFrames = 0;

  constructor(surroundings: HostFabricSurroundings) {
    const { config, hostKey, routerSocketPath, routerLog, log, metrics, onFailed } = surroundings;
    this.#hostKey = hostKey;
    this.#log = log;
    const bus = readBusInit(config);
    if (bus !== null) {
      this.#bus = { state: new BusState(performance.now()), metrics: new BusMetrics(metrics.registry) };
    }
    const links = readLinksInit(config);
    if (links !== null) {
      this.#linkMetrics = new LinkMetrics(metrics.registry);
      warnOfPlainLinks(links, log);
    }
    this.#metrics = new RouterMetrics(metrics.registry);
    this.#fabricMetrics = new FabricMetrics(metrics.registry, "routed");
    this.#supervisor = new RouterSupervisor(
      {
        routerMain: fileURLToPath(new URL("../router/router-main.js", import.meta.url)),
        isUnreferenced: false,
        init: {
          socketPath: routerSocketPath,
          hostKey,
          log: routerLog,
          maxOutboxBytes: config.maxOutboxBytes,
          maxRoomsPerWorker: config.maxRoomsPerWorker,
          isDirectoryOwn: false,
          bus,
          links,
        },
        restart: readBackoff(config),
      },
      log,
      log.child({ router: true }),
    );
    this.#supervisor.on("ready", () => this.#metrics.up.set(1));
    this.#supervisor.on("ended", () => {
      this.#metrics.up.set(0);
      this.#metrics.setPorts([], () => undefined);
      this.#metrics.announcedRooms.set(0);
      this.#bus?.state.noteAbsence(performance.now());
      this.#bus?.metrics.noteAbsence();
      this.#linkMetrics?.noteAbsence();
      this.#links = null;
    });
    this.#supervisor.on("restarting", () => this.#metrics.restarts.inc());
    this.#supervisor.on("reported", (report, before) => this.#noteReport(report, before));
    this.#supervisor.on("mustStop", (reason) => onFailed(new BusError("SIGNALBOX_HOST_KEY_TAKEN", `${reason}.`)));
  }

  async start(): Promise<void> {
    await this.#supervisor.start();
  }

  addWorker(slot: number): void {
    this.#supervisor.expect(encodePlace({ hostKey: this.#hostKey, workerSlot: slot }));
  }

  removeWorker(slot: number): void {
    this.#supervisor.forget(encodePlace({ hostKey: this.#hostKey, workerSlot: slot }));
  }

  addCounts(counts: FabricCounts, before: FabricCounts | undefined): void {
    this.#fabricMetrics.addCounts(before, counts);
  }

  explainNotReady(nowMs: number): string | undefined {
    return explainRouterAbsence(this.#supervisor.absentSinceMs, nowMs) ?? this.#bus?.state.explainNotReady(nowMs);
  }

  isHealthy(nowMs: number): boolean {
    return isRouterExpected(this.#supervisor.absentSinceMs, this.#supervisor.backoff.backoffMaxMs, nowMs);
  }

  describeRouter(nowMs: number): RouterStatus {
    const { pid, state, stateSinceMs, restarts, report } = this.#supervisor;
    const ports = (report?.ports ?? []).map((port) => ({ ...port, slot: readSlot(port.place) }));
    return {
      pid: pid ?? null,
      state,
      stateSeconds: roundSeconds(nowMs - stateSinceMs),
      restarts,
      queuedBytes: Object.fromEntries(ports.map(({ slot, queuedBytes }) => [String(slot), queuedBytes])),
      stalledWorkers: ports.flatMap(({ slot, isStalled }) => (isStalled && slot !== undefined ? [slot] : [])),
      lostFrames: this.#lostFrames,
      announcedRooms: report?.announcedRooms ?? 0,
    };
  }

  describeBus(nowMs: number): BusStatus | null {
    return this.#bus?.state.describe(nowMs) ?? null;
  }

  describeLinks(): LinksStatus | null {
    return this.#links;
  }

  takeLink({ socket, received }: { readonly socket: Socket; readonly received: Buffer }): void {
    // The other region dials again.
    if (!this.#supervisor.takeLink(socket, received)) answerAndClose(socket, 503, "there is no router");
  }

  adopt(config: SignalboxConfig): void {
    this.#supervisor.setBackoff(readBackoff(config));
    if (config.linkSecrets === undefined || !this.#supervisor.setLinkSecrets(config.linkSecrets)) return;
    this.#log.info("linkSecrets have changed: links from now on prove the new ones, and those that there are stay");
  }

  async stop(): Promise<void> {
    await this.#supervisor.stop();
  }

  kill(): void {
    this.#supervisor.kill();
  }

  #noteReport(report: RouterReport, before: RouterReport | undefined): void {
    this.#lostFrames += report.counts.lostFrames - (before?.counts.lostFrames ?? 0);
    this.#metrics.addCounts(before?.counts, report.counts);
    this.#metrics.setPorts(report.ports, readSlot);
    this.#metrics.announcedRooms.set(report.announcedRooms);
    if (report.links !== null) {
      this.#linkMetrics?.note(before?.links ?? undefined, report.links);
      const { regions, accepted, counts } = report.links;
      this.#links = { regions, accepted, lostFrames: counts.lostFrames, missedFrames: counts.missedFrames };
    }
    if (report.bus === null) return;
    this.#bus?.state.note(report.bus, before?.bus ?? undefined, performance.now());
    this.#bus?.metrics.note(before?.bus ?? undefined, report.bus);
  }
}

function readBackoff(config: SignalboxConfig): { readonly backoffMinMs: number; readonly backoffMaxMs: number } {
  return { backoffMinMs: config.restartBackoffMinMs, backoffMaxMs: config.restartBackoffMaxMs };
}

function readSlot(place: string): number | undefined {
  return parsePlace(place)?.workerSlot;
}
