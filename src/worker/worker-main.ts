/** Composition root of a worker process: the only file that knows all its parts. Forked by the primary. */

import { setTimeout as setTimeoutPromise } from "node:timers/promises";
import { AppStartError, describeThrown } from "../errors.js";
import { endLogs } from "../log-output.js";
import { createLogger, type Logger } from "../logging.js";
import type { MessageToPrimary, MessageToWorker, StartFailureCode, WorkerInit } from "../protocol/worker-messages.js";
import { captureConsole, captureUncaught } from "./console-capture.js";
import { drainConnections } from "./drain.js";
import { createFabric } from "./fabric-adapter.js";
import type { Fabric } from "./fabric-contract.js";
import { interceptListen } from "./listen-interception.js";
import { PrimaryChannel } from "./primary-channel.js";
import { isInspected, watchProcess } from "./process-watch.js";
import { RunOnceJobs } from "./run-once.js";
import { publishRuntime } from "./runtime-registry.js";
import { SessionReports } from "./session-reports.js";
import { explainSlowStart, type StartProgress, startApp } from "./start-app.js";
import { WorkerRuntime } from "./worker-runtime.js";

/** Counts are for people and scrapers: once a second is often enough. */
const reportIntervalMs = 1_000;
/** The router is there before the workers are: this passes only when something is wrong with it. */
const fabricPatienceMs = 2_000;

class WorkerProcess {
  readonly #channel = new PrimaryChannel();
  readonly #progress: StartProgress = { stage: "loading" };
  #isReady = false;
  #isEnding = false;

  run(): void {
    if (process.send === undefined) {
      console.error("worker-main is started by `signalbox start`, not by hand.");
      process.exit(2);
    }
    // Ctrl-C reaches every process of the terminal; the primary decides when a worker ends.
    process.on("SIGINT", () => {});
    process.on("SIGTERM", () => {});
    process.on("SIGHUP", () => {});
    // The primary is gone: so is the public port, and nobody would ever end this process.
    process.on("disconnect", () => process.exit(1));
    const watchEventLoop = watchProcess();
    this.#channel.listen((message) => {
      if (message.type === "signalbox:init") void this.#begin(message, watchEventLoop);
    });
    this.#channel.send({ type: "signalbox:hello" });
  }

  async #begin(init: WorkerInit, watchEventLoop: (hangTimeoutMs: number) => void): Promise<void> {
    const log = createLogger({
      level: init.logLevel,
      format: init.logFormat,
      fd: init.logFd,
      isColored: init.isLogColored,
      workerSlot: init.slot,
    });
    captureConsole(log);
    captureUncaught(log, {
      isLogged: () => this.#isReady || this.#isEnding,
      onFatal: (thrown) => void this.#endAfterFatal(init, thrown),
    });
    const jobs = new RunOnceJobs(this.#channel, log);
    // Before the application runs, so that attach() is complete when it returns, awaited or not.
    const fabric = await createFabric(init, log);
    const runtime = new WorkerRuntime(init, log, jobs, new SessionReports(this.#channel), fabric.createAdapter);
    this.#channel.listen((message) => this.#obey(message, runtime, jobs, log, fabric));
    interceptListen((held) => runtime.takeListen(held));
    publishRuntime(runtime);
    const startDeadline = setTimeout(() => {
      if (this.#progress.stage === "waiting-for-attach" && runtime.io !== undefined)
        this.#progress.stage = "waiting-for-listen";
      void this.#failToStart(explainSlowStart(init, this.#progress));
    }, init.startTimeoutMs);
    try {
      await startApp(init, runtime, this.#progress);
    } catch (thrown) {
      await this.#failToStart(thrown);
      return;
    } finally {
      clearTimeout(startDeadline);
    }
    // A worker without its router serves its own clients: better that than none, if the router takes long.
    await Promise.race([fabric.connected, setTimeoutPromise(fabricPatienceMs, undefined, { ref: false })]);
    if (this.#isEnding) return;
    this.#isReady = true;
    watchEventLoop(init.hangTimeoutMs);
    this.#channel.send({ type: "signalbox:ready" });
    this.#reportCounts(runtime, fabric);
  }

  #obey(message: MessageToWorker, runtime: WorkerRuntime, jobs: RunOnceJobs, log: Logger, fabric: Fabric): void {
    switch (message.type) {
      case "signalbox:init":
        break;
      case "signalbox:siblings":
        runtime.gate.setSiblings(message.siblings, message.takesSessions);
        break;
      case "signalbox:run-once-granted":
        jobs.grant(message.name);
        break;
      case "signalbox:drain":
        void this.#drain(message, runtime, jobs, log, fabric);
        break;
    }
  }

  async #drain(
    { deadlineMs, spreadMs }: { readonly deadlineMs: number; readonly spreadMs: number },
    runtime: WorkerRuntime,
    jobs: RunOnceJobs,
    log: Logger,
    fabric: Fabric,
  ): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    // Before any code of the application runs: it must not be able to keep this process.
    setTimeout(() => {
      log.warn(`the drain took longer than ${deadlineMs} ms: ${runtime.gate.openConnections.size} connections are cut`);
      void endProcess(0);
    }, deadlineMs);
    if (!this.#isReady || runtime.io === undefined) return await endProcess(0);
    runtime.gate.startDraining();
    await Promise.all([
      jobs.releaseAll(),
      drainConnections({
        io: runtime.io,
        openConnections: runtime.gate.openConnections,
        hooks: runtime.drainHooks,
        log,
        spreadMs,
      }),
    ]);
    await this.#channel.sendLast(readCounts(runtime, fabric));
    await endProcess(0);
  }

  /** The report is also the sign that this event loop runs: a worker that sends none gets no new sessions. */
  #reportCounts(runtime: WorkerRuntime, fabric: Fabric): void {
    setInterval(() => this.#channel.send(readCounts(runtime, fabric)), reportIntervalMs).unref();
  }

  async #failToStart(thrown: unknown): Promise<void> {
    if (this.#isEnding || this.#isReady) return;
    this.#isEnding = true;
    const code = thrown instanceof AppStartError ? (thrown.code as StartFailureCode) : "SIGNALBOX_APP_FAILED";
    const message = thrown instanceof AppStartError ? thrown.message : describeThrown(thrown);
    await this.#channel.sendLast({ type: "signalbox:start-failed", code, message });
    await endProcess(1);
  }

  async #endAfterFatal(init: WorkerInit, thrown: unknown): Promise<void> {
    const reason = new AppStartError(
      "SIGNALBOX_APP_FAILED",
      `the application ${init.appPath} threw before it was ready: ${describeThrown(thrown)}`,
    );
    await this.#failToStart(reason);
    await endProcess(1);
  }
}

function readCounts(runtime: WorkerRuntime, fabric: Fabric): MessageToPrimary {
  return {
    type: "signalbox:counts",
    counts: { ...runtime.gate.counts },
    fabric: fabric.readCounts(),
    rssBytes: process.memoryUsage.rss(),
    isInspected: isInspected(),
  };
}

/** A reader of the log that has stopped must not keep this process. */
async function endProcess(exitCode: number): Promise<never> {
  await endLogs();
  process.exit(exitCode);
}

new WorkerProcess().run();
