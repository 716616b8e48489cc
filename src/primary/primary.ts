/** Composition root of the primary process: the only file that knows all its parts. Starts in order, closes in reverse. */

import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { isatty } from "node:tty";
import type { SignalboxConfig } from "../config/config.js";
import type { LoadedConfig, ServiceVariables } from "../config/load-config.js";
import type { Variables } from "../config/reload-variables.js";
import type { SignalboxError } from "../errors.js";
import { isJournal } from "../journal.js";
import { createLogger, type Logger } from "../logging.js";
import { HostMetrics } from "../metrics/host-metrics.js";
import type { HostState, HostStatus } from "../protocol/host-status.js";
import { AdminServer } from "./admin-server.js";
import { count, describeSlot, readVersion, renderAddress, roundSeconds } from "./describe-host.js";
import { HandOff } from "./hand-off.js";
import { createHostFabric, type HostFabric } from "./host-fabric.js";
import { type ListenAddress, Listener } from "./listener.js";
import { deriveHostKey } from "./machine-facts.js";
import { isUnixSocket } from "./passed-socket.js";
import { followDirectory, Reloader, resolveApp } from "./reloader.js";
import { Retirer } from "./retirer.js";
import { routerLogFd } from "./router-process.js";
import { prepareRuntimeDir } from "./runtime-dir.js";
import {
  computeRuntimePaths,
  nameListenAddress,
  type RuntimePaths,
  type RuntimeSurroundings,
} from "./runtime-paths.js";
import type { ServiceFacts } from "./service-notices.js";
import { type PassedSocket, readPassedSocket } from "./service-variables.js";
import { readStopSignal } from "./stop-signals.js";
import { killGraceMs, Supervisor, type SupervisorSettings } from "./supervisor.js";
import { collectSupervisorSettings } from "./supervisor-settings.js";
import { type ServiceNotifier, startServiceNotifier } from "./systemd-notify.js";
import { watchFiles } from "./watch-files.js";
import { nameWorkingDirectory } from "./working-directory.js";

export interface PrimaryOptions {
  readonly loaded: Pick<LoadedConfig, "config" | "fileVariables">;
  /** Loads it again. @throws ConfigError with every fault */
  readonly readConfig: (broughtVariables: Variables | undefined) => PrimaryOptions["loaded"];
  readonly environment: RuntimeSurroundings["environment"] & {
    readonly noColor: boolean;
    readonly journalStream: string | undefined;
  };
  /** What systemd tells this process; nothing without systemd. */
  readonly service: ServiceVariables;
  /** Module that is run when the configuration names none. */
  readonly demoAppPath: string;
}

/** What `runPrimary` resolves with when the host was told to end. */
export interface PrimaryResult {
  readonly exitCode: number;
}

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
  #config: SignalboxConfig;
  #appPath: string;
  readonly #hostKey: string;
  readonly #paths: RuntimePaths;
  readonly #log: Logger;
  readonly #metrics = new HostMetrics();
  readonly #handOff: HandOff;
  readonly #listener: Listener;
  readonly #fabric: HostFabric;
  readonly #supervisor: Supervisor;
  readonly #reloader: Reloader;
  readonly #retirer: Retirer;
  readonly #admin: AdminServer;
  readonly #startedMs = performance.now();
  readonly #closers: (() => void)[] = [];
  readonly #ended: Promise<PrimaryResult>;
  #end: { resolve: (result: PrimaryResult) => void; reject: (error: SignalboxError) => void } | undefined;
  #state: HostState = "starting";
  readonly #service: ServiceVariables;
  readonly #passedSocket: PassedSocket;
  #notifier: ServiceNotifier | undefined;
  #address: ListenAddress;
  #adminPort = 0;
  #firstSignalMs: number | undefined;
  #isAnnounced = false;
  #stopWatching: () => void = () => {};

  constructor(options: PrimaryOptions) {
    const { config, fileVariables } = options.loaded;
    const findApp = ({ app }: SignalboxConfig): string => resolveApp(app ?? options.demoAppPath);
    this.#config = config;
    this.#appPath = findApp(config);
    this.#hostKey = config.hostKey ?? deriveHostKey(nameListenAddress(config));
    this.#paths = computeRuntimePaths({
      config,
      environment: options.environment,
      uid: process.getuid?.() ?? 0,
      tmpDir: tmpdir(),
      pid: process.pid,
    });
    const isTerminal = process.stdout.isTTY === true;
    const readableFormat = isJournal(1, options.environment.journalStream) ? "journal" : isTerminal ? "pretty" : "json";
    const format = config.logFormat === "auto" ? readableFormat : config.logFormat;
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
    this.#service = options.service;
    this.#passedSocket = readPassedSocket(options.service, process.pid);
    const { fd } = this.#passedSocket;
    const target = fd === undefined ? this.#address : ({ kind: "passed", fd } as const);
    const hasUnixPeers = fd === undefined ? config.listen !== undefined : isUnixSocket(fd);
    this.#listener = new Listener({ ...config, address: target, hasUnixPeers }, this.#metrics, (connection) =>
      this.#handOff.take(connection),
    );
    this.#fabric = createHostFabric(config.fabric, {
      config,
      hostKey: this.#hostKey,
      routerSocketPath: this.#paths.routerSocketPath,
      routerLog: { level: config.logLevel, format, fd: routerLogFd, isColored },
      log: this.#log,
      metrics: this.#metrics,
      onFailed: (error) => this.#end?.reject(error),
    });
    const directory = nameWorkingDirectory(config.app ?? "/", process.cwd(), followDirectory);
    const collectSettings = (forConfig: SignalboxConfig, appPath: string, variables: Variables): SupervisorSettings =>
      collectSupervisorSettings({
        config: forConfig,
        hasUnixPeers,
        hostKey: this.#hostKey,
        appPath,
        paths: this.#paths,
        log: { format, isColored },
        workingDirectory: directory === undefined ? undefined : followDirectory(directory),
        fileVariables: variables,
      });
    this.#supervisor = this.#createSupervisor(collectSettings(config, this.#appPath, fileVariables));
    this.#reloader = new Reloader({
      supervisor: this.#supervisor,
      log: this.#log,
      waitForOthers: async () => await this.#retirer.settled(),
      readConfig: options.readConfig,
      runningConfig: () => this.#config,
      findApp,
      collectSettings,
      onAdopted: (adopted, appPath) => {
        this.#config = adopted;
        this.#appPath = appPath;
        this.#watch();
      },
    });
    this.#retirer = new Retirer({
      supervisor: this.#supervisor,
      log: this.#log,
      metrics: this.#metrics,
      runningConfig: () => this.#config,
      isReloading: () => this.#reloader.isUnderWay,
    });
    this.#admin = new AdminServer({
      metrics: this.#metrics,
      readStatus: async () => await this.#readStatus(),
      explainNotReady: () => this.#explainNotReady(),
      reload: async (variables) => await this.#reloader.request("signalbox reload", variables),
      describeReload: () => this.#reloader.describe(),
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
    if (this.#passedSocket.warning !== undefined) this.#log.warn(this.#passedSocket.warning);
    this.#notifier = startServiceNotifier(this.#service, () => this.#readServiceFacts(), this.#log);
    this.#closers.push(() => this.#notifier?.close());
    this.#closers.push(await prepareRuntimeDir(this.#paths, process.getuid?.() ?? 0));
    this.#adminPort = await this.#admin.listenOnPort(this.#config.adminPort);
    this.#closers.push(() => this.#admin.close());
    await this.#admin.listenOnSocket(this.#paths.controlSocketPath);
    this.#address = await this.#listener.listen();
    if (this.#passedSocket.fd !== undefined) {
      const where = renderAddress(this.#address);
      this.#log.info(
        `Listens at ${where}, a socket passed by systemd; the settings host, port and listen only name the host`,
      );
    }
    this.#closers.push(() => this.#listener.close());
    this.#closers.push(() => this.#handOff.close());
    this.#closers.push(() => this.#fabric.kill());
    await this.#fabric.start();
    if (this.#firstSignalMs !== undefined) return;
    this.#supervisor.start();
    this.#reloader.open();
    this.#retirer.start();
    this.#closers.push(() => this.#retirer.close());
    this.#closers.push(() => this.#supervisor.killAll());
    this.#watch();
    this.#closers.push(() => this.#stopWatching());
    const { app } = this.#config;
    const what = app === undefined ? "the demo (run your own with: signalbox start ./app.js)" : app;
    this.#log.info(`Signalbox ${readVersion()} starts ${what} on ${count(this.#supervisor.slots.length, "worker")}`);
  }

  #createSupervisor(settings: SupervisorSettings): Supervisor {
    const supervisor = new Supervisor(settings, this.#log, this.#metrics);
    supervisor.on("ready", (record) => {
      this.#fabric.addWorker(record.slot);
      this.#handOff.addWorker(record);
      this.#announceReady();
    });
    supervisor.on("ended", (record) => {
      this.#handOff.removeWorker(record.slot);
      this.#fabric.removeWorker(record.slot);
      this.#announceReady();
    });
    supervisor.on("fabricCounted", (counts, before) => this.#fabric.addCounts(counts, before));
    supervisor.on("failed", (error) => this.#end?.reject(error));
    return supervisor;
  }

  /** Once all workers of the start are ready: one line that says where to look. */
  #announceReady(): void {
    const ready = this.#supervisor.countReady();
    if (this.#state === "starting" && ready > 0) this.#state = "running";
    this.#notifier?.update();
    if (ready !== this.#supervisor.slots.length || this.#firstSignalMs !== undefined || this.#isAnnounced) return;
    this.#isAnnounced = true;
    const where = renderAddress(this.#address);
    this.#log.info(
      { hostKey: this.#hostKey, adminPort: this.#adminPort },
      `Ready at ${where} with ${count(ready, "worker")} (host key ${this.#hostKey}, admin http://127.0.0.1:${this.#adminPort})`,
    );
  }

  #handleSignals(): void {
    // On a terminal it means that the terminal is gone, and ends the process as it always has. One of its streams may be piped on.
    if (![0, 1, 2].some((fd) => isatty(fd))) {
      const reload = (): void => void this.#reloader.request("SIGHUP");
      process.on("SIGHUP", reload);
      this.#closers.push(() => process.removeListener("SIGHUP", reload));
    }
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
    this.#notifier?.update();
    const sessions = this.#countSessions();
    this.#log.info(`${signal}: no new sessions; closing ${count(sessions, "session")} within ${drainTimeoutMs} ms`);
    // The listener stays: sessions are served until they are closed, and who comes for a new one hears 503 and not nothing.
    // A socket of systemd's: newcomers wait in it for the next host, which is better than to be refused.
    if (this.#passedSocket.fd !== undefined) this.#listener.close();
    this.#handOff.startDraining();
    this.#supervisor.once("idle", () => void this.#endAfterWorkers());
    this.#supervisor.drainAll(drainTimeoutMs);
  }

  async #endAfterWorkers(): Promise<void> {
    this.#log.info("All workers have ended");
    await this.#fabric.stop();
    this.#end?.resolve({ exitCode: 0 });
  }

  /** Of the release that runs now. */
  #watch(): void {
    if (!this.#config.watch) return;
    this.#stopWatching();
    this.#stopWatching = watchFiles(dirname(this.#appPath), (name) => {
      this.#log.info(`${name} changed: workers are started anew`);
      this.#supervisor.restartAll();
    });
  }

  #explainNotReady(): string | undefined {
    if (this.#state === "draining" || this.#state === "closed") return "draining";
    if (this.#supervisor.countReady() === 0) return "no worker is ready";
    return this.#fabric.explainNotReady(performance.now());
  }

  #countSessions(): number {
    return this.#supervisor.records.reduce((sum, record) => sum + record.sessions, 0);
  }

  #readServiceFacts(): ServiceFacts {
    return {
      state: this.#state,
      reload: this.#reloader.isUnderWay ? (this.#reloader.describe() ?? undefined) : undefined,
      workers: this.#supervisor.slots.length,
      readyWorkers: this.#supervisor.countReady(),
      sessions: this.#countSessions(),
      notReadyReason: this.#explainNotReady(),
      // While it stops, the router ends after the workers: nothing is wrong with that.
      isHealthy: this.#state === "draining" || this.#fabric.isHealthy(performance.now()),
    };
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
      reload: this.#reloader.describe(),
      workers: this.#supervisor.slots.map((slot) => describeSlot(slot, performance.now())),
      router: this.#fabric.describeRouter(performance.now()),
      bus: this.#fabric.describeBus(performance.now()),
      counters: await this.#metrics.readCounters(),
    };
  }

  /** In reverse order of the start; safe twice. */
  #close(): void {
    this.#state = "closed";
    for (const close of this.#closers.splice(0).reverse()) close();
  }
}
