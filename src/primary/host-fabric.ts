/** What joins the workers of this host, seen from the primary: a router of our own, or the cluster adapter's primary half. */

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { encodePlace, parsePlace } from "../address/address.js";
import type { FabricName, SignalboxConfig } from "../config/config.js";
import { BusError, describeBriefly } from "../errors.js";
import type { Logger } from "../logging.js";
import { BusMetrics } from "../metrics/bus-metrics.js";
import { FabricMetrics } from "../metrics/fabric-metrics.js";
import type { HostMetrics } from "../metrics/host-metrics.js";
import { LinkMetrics } from "../metrics/link-metrics.js";
import { RouterMetrics } from "../metrics/router-metrics.js";
import type { BusStatus, LinksStatus, RouterStatus } from "../protocol/host-status.js";
import type { RouterBusInit, RouterLinksInit, RouterLogSettings, RouterReport } from "../protocol/router-messages.js";
import type { FabricCounts } from "../protocol/worker-messages.js";
import { BusState } from "./bus-state.js";
import { roundSeconds } from "./describe-host.js";
import { answerAndClose } from "./refusal.js";
import { explainRouterAbsence } from "./router-policy.js";
import { RouterSupervisor } from "./router-supervisor.js";

/** 9 bytes are 12 characters of base64url. */
const instanceBytes = 9;

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
  describeRouter(nowMs: number): RouterStatus | null;
  describeBus(nowMs: number): BusStatus | null;
  describeLinks(): LinksStatus | null;
  /** A connection of another region, which came to the public address. */
  takeLink(connection: { readonly socket: Socket; readonly received: Buffer }): void;
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
  #links: LinksStatus | null = null;
  #lostFrames = 0;

  constructor(surroundings: HostFabricSurroundings) {
    const { config, hostKey, routerSocketPath, routerLog, log, metrics, onFailed } = surroundings;
    this.#hostKey = hostKey;
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
        restart: { backoffMinMs: config.restartBackoffMinMs, backoffMaxMs: config.restartBackoffMaxMs },
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

/** @throws BusError when the certificates cannot be read */
function readBusInit(config: SignalboxConfig): RouterBusInit | null {
  const { redisUrl, redisCa } = config;
  if (redisUrl === undefined) return null;
  let ca: string | null = null;
  try {
    if (redisCa !== undefined) ca = readFileSync(redisCa, "utf8");
  } catch (cause) {
    const message = `redisCa: cannot read ${redisCa}: ${describeBriefly(cause)}; name a PEM file that this user can read.`;
    throw new BusError("SIGNALBOX_REDIS_CA_UNREADABLE", message, { cause });
  }
  return {
    redisUrl,
    ca,
    channelPrefix: config.redisPrefix,
    emitterKey: config.emitterKey === "none" ? null : config.emitterKey,
    instance: randomBytes(instanceBytes).toString("base64url"),
    name: `${hostname()}, process ${process.pid}`,
    isServing: false,
    restarts: 0,
    maxOutboxBytes: config.maxHostOutboxBytes,
    maxOutboxAgeMs: config.hostOutboxAgeMs,
    unreachableAfterMs: config.hostUnreachableAfterMs,
    maxRooms: config.maxRoomsPerHost,
  };
}

/** @throws BusError when a certificate cannot be read */
function readLinksInit(config: SignalboxConfig): RouterLinksInit | null {
  const { region, links = [], linkListen, linkSecrets, linkCompression } = config;
  if (linkSecrets === undefined || (links.length === 0 && linkListen === undefined)) return null;
  return {
    region,
    links,
    listen: linkListen ?? null,
    secrets: linkSecrets,
    ca: readLinkFile("linkCa", config.linkCa),
    certificate: readLinkFile("linkCertificate", config.linkCertificate),
    key: readLinkFile("linkKey", config.linkKey),
    isCompressed: linkCompression,
    instance: randomBytes(instanceBytes).toString("base64url"),
    maxOutboxBytes: config.maxHostOutboxBytes,
    maxOutboxAgeMs: config.hostOutboxAgeMs,
    unreachableAfterMs: config.hostUnreachableAfterMs,
    maxRooms: config.maxRoomsPerHost,
  };
}

function readLinkFile(setting: string, path: string | undefined): string | null {
  if (path === undefined) return null;
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const message = `${setting}: cannot read ${path}: ${describeBriefly(cause)}; name a PEM file that this user can read.`;
    throw new BusError("SIGNALBOX_LINK_FILE_UNREADABLE", message, { cause });
  }
}

/** Whoever is on the way could read and change what is said after the handshake. */
function warnOfPlainLinks({ links }: RouterLinksInit, log: Logger): void {
  for (const { region, url } of links) {
    if (!url.startsWith("ws://") || /^ws:\/\/(localhost|127\.|\[::1\])/.test(url)) continue;
    log.warn(
      `the link to region ${region} (${url}) leaves this machine without TLS: who is on the way can read and change what is sent on ` +
        "it. Write wss: where the network is not your own",
    );
  }
}

function readSlot(place: string): number | undefined {
  return parsePlace(place)?.workerSlot;
}
