/** Forks one router process and watches it until it ends; what to do about it is the router supervisor's business. */

import { type ChildProcess, fork } from "node:child_process";
import { Socket } from "node:net";
import { describeBriefly } from "../errors.js";
import { type MessageFromRouter, type MessageToRouter, parseMessageFromRouter } from "../protocol/router-messages.js";
import { captureOutput } from "./output-capture.js";
import { createRouterEnvironment, withoutInspector } from "./router-environment.js";

/** What is said about the router, and what it says itself; a logger has all of it. */
export interface RouterLogSink {
  debug(text: string, aboutWorker?: number): void;
  info(text: string, aboutWorker?: number): void;
  warn(text: string, aboutWorker?: number): void;
  error(text: string, aboutWorker?: number): void;
}

export interface RouterProcessSettings {
  /** Path of the module that the router process runs. */
  readonly routerMain: string;
  /** It inherits the primary's stdout, to log there. */
  readonly isLogShared: boolean;
  /** It does not keep its parent running, which is then somebody else's program. */
  readonly isUnreferenced: boolean;
}

export interface RouterProcessEvents {
  readonly onMessage: (message: MessageFromRouter) => void;
  /** @param cause "exit code 1", "SIGKILL", or why it was killed */
  readonly onExit: (cause: string) => void;
}

/** The host's log in the router: the primary's stdout; 3 is the IPC channel. */
export const routerLogFd = 4;

/** It needs a tenth of a second; so many starts of workers at once may slow it down. */
const startTimeoutMs = 20_000;
const pingIntervalMs = 1_000;
/** Counted in pings, not in time: a primary that did not run itself for a while asks again before it judges. */
const unansweredPingsUntilKill = 5;

export class RouterProcess {
  readonly startedMs = performance.now();
  readySinceMs: number | undefined;
  readonly #child: ChildProcess | undefined;
  readonly #events: RouterProcessEvents;
  readonly #isUnreferenced: boolean;
  readonly #startTimer: NodeJS.Timeout;
  #pingTimer: NodeJS.Timeout | undefined;
  #unansweredPings = 0;
  #killReason: string | undefined;
  #hasEnded = false;

  constructor(settings: RouterProcessSettings, output: RouterLogSink, events: RouterProcessEvents) {
    this.#events = events;
    this.#startTimer = setTimeout(() => this.kill(`was not ready within ${startTimeoutMs} ms`), startTimeoutMs);
    this.#isUnreferenced = settings.isUnreferenced;
    if (this.#isUnreferenced) this.#startTimer.unref();
    try {
      this.#child = fork(settings.routerMain, [], {
        // Flags of the primary (an inspector's port, loaders, limits) are not meant for this process.
        execArgv: [],
        env: settings.isUnreferenced ? createRouterEnvironment() : withoutInspector(),
        stdio: ["ignore", "pipe", "pipe", "ipc", ...(settings.isLogShared ? [1] : [])],
      });
    } catch (thrown) {
      // As if it had ended: the caller has no process yet.
      setImmediate(() => this.#noteEnd(describeBriefly(thrown)));
      return;
    }
    this.#watch(this.#child, output);
    if (this.#isUnreferenced) unreference(this.#child);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  send(message: MessageToRouter): void {
    if (this.#child?.connected !== true) return;
    this.#child.send(message, undefined, {}, () => {
      // Closed in between: then its exit follows.
    });
  }

  /** Gives it a connection, with what was read of it. */
  handOver(socket: Socket, received: Buffer): void {
    const message: MessageToRouter = { type: "router:link", head: received.toString("base64") };
    this.#child?.send(message, socket, {}, (error) => {
      // The router has ended in between: whoever is at the other end tries again.
      if (error) socket.destroy();
    });
  }

  /** It ends by itself, and lets its log be read. */
  release(): void {
    if (this.#child?.connected === true) this.#child.disconnect();
  }

  kill(reason?: string): void {
    this.#killReason ??= reason;
    this.#child?.kill("SIGKILL");
  }

  #watch(child: ChildProcess, output: RouterLogSink): void {
    // Node leaves them out when the fork failed, for want of file descriptors for one.
    if (child.stdout) captureOutput(child.stdout, output, "info");
    if (child.stderr) captureOutput(child.stderr, output, "warn");
    child.on("message", (raw) => this.#take(raw, output));
    child.on("error", (error) => {
      output.warn(`the router's process: ${error.message}`);
      // A process that was never made does not exit either.
      if (child.pid === undefined) this.#noteEnd(error.message);
    });
    child.once("exit", (exitCode, signal) => {
      this.#noteEnd(this.#killReason ?? (signal === null ? `exit code ${exitCode}` : signal));
    });
  }

  #take(raw: unknown, output: RouterLogSink): void {
    const message = parseMessageFromRouter(raw);
    switch (message?.type) {
      case undefined:
        return;
      case "router:ready":
        this.#noteReady();
        break;
      case "router:failed":
        this.#killReason ??= message.reason;
        break;
      case "router:pong":
        this.#unansweredPings = 0;
        break;
      case "router:note":
        output[message.level](message.text, message.aboutWorker);
        break;
      case "router:hello":
      case "router:report":
      case "router:must-stop":
        break;
    }
    if (!this.#hasEnded) this.#events.onMessage(message);
  }

  #noteReady(): void {
    if (this.#hasEnded || this.readySinceMs !== undefined) return;
    clearTimeout(this.#startTimer);
    this.readySinceMs = performance.now();
    this.#pingTimer = setInterval(() => this.#checkPulse(), pingIntervalMs);
    if (this.#isUnreferenced) this.#pingTimer.unref();
  }

  #checkPulse(): void {
    if (this.#unansweredPings >= unansweredPingsUntilKill) {
      this.kill(`did not answer for ${(unansweredPingsUntilKill * pingIntervalMs) / 1_000} s, and was killed`);
      return;
    }
    this.#unansweredPings++;
    this.send({ type: "router:ping" });
  }

  #noteEnd(cause: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#startTimer);
    clearInterval(this.#pingTimer);
    this.#events.onExit(cause);
  }
}

function unreference(child: ChildProcess): void {
  child.unref();
  child.channel?.unref();
  for (const stream of [child.stdout, child.stderr]) {
    if (stream instanceof Socket) stream.unref();
  }
}
