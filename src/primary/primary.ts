/** Composition root of the primary process: the only file that knows all its parts. Starts in order, closes in reverse. */

import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { isatty } from "node:tty";
import type { SignalboxConfig } from "../config/config.js";
import type { LoadedConfig, ServiceVariables } from "../config/load-config.js";
import type { Variables } from "../config/reload-variables.js";
import type { SignalboxError } from "../errors.js";
import { createLogger, type Logger } from "../logging.js";
import { HostMetrics } from "../metrics/host-metrics.js";
import type { HostState } from "../protocol/host-status.js";
import { AdminServer } from "./admin-server.js";
import { count, describeStart, renderAddress } from "./describe-host.js";
import { HandOff } from "./hand-off.js";
import { createHostFabric, type HostFabric } from "./host-fabric.js";
import { HostReport } from "./host-report.js";
import { HostStop } from "./host-stop.js";
import { chooseListenTarget } from "./listen-target.js";
import { type ListenAddress, Listener } from "./listener.js";
import { chooseLogAppearance } from "./log-appearance.js";
import { deriveHostKey } from "./machine-facts.js";
import { followDirectory, Reloader, resolveApp } from "./reloader.js";
import { isLinkRequest } from "./request-head.js";
import { Retirer } from "./retirer.js";
import { routerLogFd } from "./router-process.js";
import { prepareRuntimeDir } from "./runtime-dir.js";
import {
  computeRuntimePaths,
  nameListenAddress,
  type RuntimePaths,
  type RuntimeSurroundings,
} from "./runtime-paths.js";
import { type PassedSocket, readPassedSocket } from "./service-variables.js";
import { Supervisor } from "./supervisor.js";
import { collectSupervisorSettings, type SupervisorSettings } from "./supervisor-settings.js";
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
  readonly #report: HostReport;
  readonly #stop: HostStop;
  readonly #admin: AdminServer;
  readonly #closers: (() => void)[] = [];
  readonly #ended: Promise<PrimaryResult>;
  #end: { resolve: (result: PrimaryResult) => void; reject: (error: SignalboxError) => void } | undefined;
  #state: HostState = "starting";
  readonly #service: ServiceVariables;
  readonly #passedSocket: PassedSocket;
  #notifier: ServiceNotifier | undefined;
  #address: ListenAddress;
  #adminPort = 0;
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
    const { format, isColored } = chooseLogAppearance(config, options.environment);
    this.#log = createLogger({ level: config.logLevel, format, fd: 1, isColored });
    this.#handOff = new HandOff(
      { hostKey: this.#hostKey, slowStartMs: config.slowStartMs, maxPendingConnections: config.maxPendingConnections },
      this.#metrics,
    );
    this.#service = options.service;
    this.#passedSocket = readPassedSocket(options.service, process.pid);
    const { fd } = this.#passedSocket;
    const takesLinks = config.linkListen?.kind === "public";
    const { address, target, hasUnixPeers } = chooseListenTarget(config, fd);
    this.#address = address;
    this.#listener = new Listener({ ...config, address: target, hasUnixPeers }, this.#metrics, (connection) => {
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
        this.#fabric.adopt(adopted);
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
    this.#report = new HostReport({
      hostKey: this.#hostKey,
      metrics: this.#metrics,
      fabric: this.#fabric,
      supervisor: this.#supervisor,
      reloader: this.#reloader,
      readFacts: () => ({
        state: this.#state,
        config: this.#config,
        appPath: this.#appPath,
        address: this.#address,
        adminPort: this.#adminPort,
      }),
    });
    this.#stop = new HostStop({
      log: this.#log,
      supervisor: this.#supervisor,
      handOff: this.#handOff,
      listener: this.#listener,
      fabric: this.#fabric,
      isSocketPassed: fd !== undefined,
      readDrainTimeoutMs: () => this.#config.drainTimeoutMs,
      countSessions: () => this.#report.countSessions(),
      onDraining: () => {
        this.#state = "draining";
        this.#notifier?.update();
      },
      onEnded: (exitCode) => this.#end?.resolve({ exitCode }),
    });
    this.#admin = new AdminServer({
      metrics: this.#metrics,
      readStatus: async () => await this.#report.readStatus(),
      explainNotReady: () => this.#report.explainNotReady(),
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
    this.#closers.push(() => this.#stop.close());
    this.#handleSignals();
    if (this.#passedSocket.warning !== undefined) this.#log.warn(this.#passedSocket.warning);
    this.#notifier = startServiceNotifier(this.#service, () => this.#report.readServiceFacts(), this.#log);
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
    if (this.#stop.isUnderWay) return;
    this.#supervisor.start();
    this.#reloader.open();
    this.#retirer.start();
    this.#closers.push(() => this.#retirer.close());
    this.#closers.push(() => this.#supervisor.killAll());
    this.#watch();
    this.#closers.push(() => this.#stopWatching());
    this.#log.info(describeStart(this.#config.app, this.#supervisor.slots.length));
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
    supervisor.on("returned", (connection) => this.#handOff.take(connection));
    supervisor.on("fabricCounted", (counts, before) => this.#fabric.addCounts(counts, before));
    supervisor.on("failed", (error) => this.#end?.reject(error));
    return supervisor;
  }

  /** Once all workers of the start are ready: one line that says where to look. */
  #announceReady(): void {
    const ready = this.#supervisor.countReady();
    if (this.#state === "starting" && ready > 0) this.#state = "running";
    this.#notifier?.update();
    if (ready !== this.#supervisor.slots.length || this.#stop.isUnderWay || this.#isAnnounced) return;
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
      const handle = () => this.#stop.obey(signal);
      process.on(signal, handle);
      this.#closers.push(() => process.removeListener(signal, handle));
    }
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

  /** In reverse order of the start; safe twice. */
  #close(): void {
    this.#state = "closed";
    for (const close of this.#closers.splice(0).reverse()) close();
  }
}
