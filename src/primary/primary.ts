/** Composition root of the primary process: the only file that knows all its parts. Starts in order, closes in reverse. */

import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import type { SignalboxConfig } from "../config/config.js";
import { AppStartError, type SignalboxError } from "../errors.js";
import { createLogger, type Logger } from "../logging.js";
import { HostMetrics } from "../metrics/host-metrics.js";
import type { HostState, HostStatus } from "../protocol/host-status.js";
import { AdminServer } from "./admin-server.js";
import { count, describeSlot, readVersion, renderAddress, roundSeconds } from "./describe-host.js";
import { HandOff } from "./hand-off.js";
import { createHostFabric, type HostFabric } from "./host-fabric.js";
import { type ListenAddress, Listener } from "./listener.js";
import { deriveHostKey } from "./machine-facts.js";
import { isLinkRequest } from "./request-head.js";
import { routerLogFd } from "./router-process.js";
import { prepareRuntimeDir } from "./runtime-dir.js";
import {
  computeRuntimePaths,
  nameListenAddress,
  type RuntimePaths,
  type RuntimeSurroundings,
} from "./runtime-paths.js";
import { readStopSignal } from "./stop-signals.js";
import { Supervisor } from "./supervisor.js";
import { collectSupervisorSettings } from "./supervisor-settings.js";
import { watchFiles } from "./watch-files.js";

export interface PrimaryOptions {
  readonly config: SignalboxConfig;
  readonly environment: RuntimeSurroundings["environment"] & { readonly noColor: boolean };
  /** Module that is run when the configuration names none. */
  readonly demoAppPath: string;
}

/** What `runPrimary` resolves with when the host was told to end. */
export interface PrimaryResult {
  readonly exitCode: number;
}

/** Beyond the drain deadline, the time for a worker's exit to arrive before it is killed. */
const killGraceMs = 500;
/** Exit codes of a process ended by a signal are 128 and its number (POSIX shells). */
const exitCodeBySignal = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Runs a host until it is told to stop.
 * @throws SignalboxError when it cannot start or cannot go on.
 */
export async function runPrimary(options: PrimaryOptions): Promise<PrimaryResult> {
  const host = new Host(options);
  return await host.run();
}

class Host {
  readonly #config: SignalboxConfig;
  readonly #appPath: string;
  readonly #hostKey: string;
  readonly #paths: RuntimePaths;
  readonly #log: Logger;
  readonly #metrics = new HostMetrics();
  readonly #handOff: HandOff;
  readonly #listener: Listener;
  readonly #fabric: HostFabric;
  readonly #supervisor: Supervisor;
  readonly #admin: AdminServer;
  readonly #startedMs = performance.now();
  readonly #closers: (() => void)[] = [];
  readonly #ended: Promise<PrimaryResult>;
  #end: { resolve: (result: PrimaryResult) => void; reject: (error: SignalboxError) => void } | undefined;
  #state: HostState = "starting";
  #address: ListenAddress;
  #adminPort = 0;
  #firstSignalMs: number | undefined;
  #isAnnounced = false;

  constructor(options: PrimaryOptions) {
    const { config } = options;
    this.#config = config;
    this.#appPath = config.app ?? options.demoAppPath;
    if (!existsSync(this.#appPath)) {
      throw new AppStartError("SIGNALBOX_APP_NOT_FOUND", `the application ${this.#appPath} does not exist.`);
    }
    this.#hostKey = config.hostKey ?? deriveHostKey(nameListenAddress(config));
    this.#paths = computeRuntimePaths({
      config,
      environment: options.environment,
      uid: process.getuid?.() ?? 0,
      tmpDir: tmpdir(),
      pid: process.pid,
    });
    const isTerminal = process.stdout.isTTY === true;
    const format = config.logFormat === "auto" ? (isTerminal ? "pretty" : "json") : config.logFormat;
    const isColored = isTerminal && !options.environment.noColor;
    this.#log = createLogger({ level: config.logLevel, format, fd: 1, isColored });
    this.#handOff = new HandOff(
      { hostKey: this.#hostKey, slowStartMs: config.slowStartMs, maxPendingConnections: config.maxPendingConnections },
      this.#metrics,
    );
    this.#address =
      config.listen === undefined
        ? { kind: "tcp", host: config.host, port: config.port }
        : { kind: "unix", path: config.listen, mode: config.listenMode };
    const takesLinks = config.linkListen?.kind === "public";
    this.#listener = new Listener({ ...config, address: this.#address }, this.#metrics, (connection) => {
      if (takesLinks && isLinkRequest(connection.received)) this.#fabric.takeLink(connection);
      else this.#handOff.take(connection);
    });
    this.#fabric = createHostFabric(config.fabric, {
      config,
      hostKey: this.#hostKey,
      routerSocketPath: this.#paths.routerSocketPath,
      routerLog: { level: config.logLevel, format, fd: routerLogFd, isColored },
      log: this.#log,
      metrics: this.#metrics,
      onFailed: (error) => this.#end?.reject(error),
    });
    this.#supervisor = this.#createSupervisor(format, isColored);
    this.#admin = new AdminServer({
      metrics: this.#metrics,
      readStatus: async () => await this.#readStatus(),
      explainNotReady: () => this.#explainNotReady(),
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#end = { resolve, reject };
    });
  }

  async run(): Promise<PrimaryResult> {
    try {
      await this.#start();
      return await this.#ended;
    } finally {
      this.#close();
    }
  }

  async #start(): Promise<void> {
    this.#handleSignals();
    this.#closers.push(await prepareRuntimeDir(this.#paths, process.getuid?.() ?? 0));
    this.#adminPort = await this.#admin.listenOnPort(this.#config.adminPort);
    this.#closers.push(() => this.#admin.close());
    await this.#admin.listenOnSocket(this.#paths.controlSocketPath);
    this.#address = await this.#listener.listen();
    this.#closers.push(() => this.#listener.close());
    this.#closers.push(() => this.#handOff.close());
    this.#closers.push(() => this.#fabric.kill());
    await this.#fabric.start();
    if (this.#firstSignalMs !== undefined) return;
    this.#supervisor.start();
    this.#closers.push(() => this.#supervisor.killAll());
    if (this.#config.watch) this.#watch();
    const { app } = this.#config;
    const what = app === undefined ? "the demo (run your own with: signalbox start ./app.js)" : app;
    this.#log.info(`Signalbox ${readVersion()} starts ${what} on ${count(this.#supervisor.slots.length, "worker")}`);
  }

  #createSupervisor(format: "pretty" | "json", isColored: boolean): Supervisor {
    const supervisor = new Supervisor(
      collectSupervisorSettings({
        config: this.#config,
        hostKey: this.#hostKey,
        appPath: this.#appPath,
        paths: this.#paths,
        log: { format, isColored },
      }),
      this.#log,
      this.#metrics,
    );
    supervisor.on("ready", (record) => {
      this.#fabric.addWorker(record.slot);
      this.#handOff.addWorker(record);
      this.#announceReady();
    });
    supervisor.on("ended", (record) => {
      this.#handOff.removeWorker(record.slot);
      this.#fabric.removeWorker(record.slot);
    });
    supervisor.on("fabricCounted", (counts, before) => this.#fabric.addCounts(counts, before));
    supervisor.on("failed", (error) => this.#end?.reject(error));
    return supervisor;
  }

  /** Once all workers of the start are ready: one line that says where to look. */
  #announceReady(): void {
    if (this.#state === "starting") this.#state = "running";
    const ready = this.#supervisor.countReady();
    if (ready !== this.#supervisor.slots.length || this.#firstSignalMs !== undefined || this.#isAnnounced) return;
    this.#isAnnounced = true;
    const where = renderAddress(this.#address);
    this.#log.info(
      { hostKey: this.#hostKey, adminPort: this.#adminPort },
      `Ready at ${where} with ${count(ready, "worker")} (host key ${this.#hostKey}, admin http://127.0.0.1:${this.#adminPort})`,
    );
  }

  #handleSignals(): void {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const handle = () => this.#obeySignal(signal);
      process.on(signal, handle);
      this.#closers.push(() => process.removeListener(signal, handle));
    }
  }

  #obeySignal(signal: "SIGINT" | "SIGTERM"): void {
    const nowMs = performance.now();
    switch (readStopSignal(this.#firstSignalMs, nowMs)) {
      case "stop":
        this.#firstSignalMs = nowMs;
        this.#stop(signal);
        break;
      case "exit-at-once":
        this.#log.warn(`${signal} again: ending at once`);
        this.#end?.resolve({ exitCode: exitCodeBySignal[signal] });
        break;
      case "ignore":
        break;
    }
  }

  #stop(signal: string): void {
    const { drainTimeoutMs } = this.#config;
    // The deadline first: nothing that follows may put it off.
    const deadline = setTimeout(() => {
      this.#log.warn(`not all workers ended within ${drainTimeoutMs} ms: they are killed`);
      this.#end?.resolve({ exitCode: 0 });
    }, drainTimeoutMs + killGraceMs);
    this.#closers.push(() => clearTimeout(deadline));
    this.#state = "draining";
    const sessions = this.#supervisor.records.reduce((sum, record) => sum + record.sessions, 0);
    this.#log.info(`${signal}: no new sessions; closing ${count(sessions, "session")} within ${drainTimeoutMs} ms`);
    // The listener stays: sessions are served until they are closed, and who comes for a new one hears 503 and not nothing.
    this.#handOff.startDraining();
    this.#supervisor.once("idle", () => void this.#endAfterWorkers());
    this.#supervisor.drainAll(drainTimeoutMs);
  }

  async #endAfterWorkers(): Promise<void> {
    this.#log.info("All workers have ended");
    await this.#fabric.stop();
    this.#end?.resolve({ exitCode: 0 });
  }

  #watch(): void {
    const directory = dirname(this.#appPath);
    const stopWatching = watchFiles(directory, (name) => {
      this.#log.info(`${name} changed: workers are started anew`);
      this.#supervisor.restartAll();
    });
    this.#closers.push(stopWatching);
  }

  #explainNotReady(): string | undefined {
    if (this.#state === "draining" || this.#state === "closed") return "draining";
    if (this.#supervisor.countReady() === 0) return "no worker is ready";
    return this.#fabric.explainNotReady(performance.now());
  }

  async #readStatus(): Promise<HostStatus> {
    for (const record of this.#supervisor.records) {
      this.#metrics.sessions.set({ worker: String(record.slot) }, record.sessions);
    }
    return {
      version: readVersion(),
      hostKey: this.#hostKey,
      region: this.#config.region,
      pid: process.pid,
      state: this.#state,
      uptimeSeconds: roundSeconds(performance.now() - this.#startedMs),
      // The mode of the file is a setting, not a place.
      listen: this.#address.kind === "unix" ? { kind: "unix", path: this.#address.path } : this.#address,
      adminPort: this.#adminPort,
      fabric: this.#config.fabric,
      app: this.#appPath,
      workers: this.#supervisor.slots.map((slot) => describeSlot(slot, performance.now())),
      router: this.#fabric.describeRouter(performance.now()),
      bus: this.#fabric.describeBus(performance.now()),
      links: this.#fabric.describeLinks(),
      counters: await this.#metrics.readCounters(),
    };
  }

  /** In reverse order of the start; safe twice. */
  #close(): void {
    this.#state = "closed";
    for (const close of this.#closers.splice(0).reverse()) close();
  }
}
