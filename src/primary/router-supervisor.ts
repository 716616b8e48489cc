/**
 * Keeps one router running for the workers of this primary: starts it again when it ends (`router-policy` says when), tells
 * it which workers there are, and ends it last. It routes nothing.
 */

import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { MessageFromRouter, RouterInit, RouterReport } from "../protocol/router-messages.js";
import { freshHistory } from "./restart-policy.js";
import { failedStartsUntilAlarm, planRouterRestart, routerAbsenceLimitMs } from "./router-policy.js";
import { type RouterLogSink, RouterProcess, type RouterProcessSettings } from "./router-process.js";

export interface RouterSupervisorSettings extends Omit<RouterProcessSettings, "isLogShared"> {
  /** What each router is told, but for the workers that there are. */
  readonly init: Omit<RouterInit, "type" | "expectedPlaces">;
  readonly restart: { readonly backoffMinMs: number; readonly backoffMaxMs: number };
}

export type RouterState = "starting" | "ready" | "backoff" | "ended";

interface RouterSupervisorEvents {
  ready: [];
  /** The process has ended, asked or not. */
  ended: [];
  restarting: [];
  /** @param before the report before, of the same process */
  reported: [report: RouterReport, before: RouterReport | undefined];
  /** The host must end. */
  mustStop: [reason: string];
}

/** A router that was let go has 1 s for other hosts, 1 s for Redis, and waits at most 1 s for the reader of its log. */
const stopTimeoutMs = 4_000;

export class RouterSupervisor extends EventEmitter<RouterSupervisorEvents> {
  readonly #settings: RouterSupervisorSettings;
  readonly #log: RouterLogSink;
  readonly #output: RouterLogSink;
  /** Of all workers that the next router is to wait for. */
  readonly #places = new Set<string>();
  #router: RouterProcess | undefined;
  /** This process has had its first message: it is told what changes. */
  #isToldOfChanges = false;
  #state: RouterState = "ended";
  #stateSinceMs = performance.now();
  #absentSinceMs: number | undefined = performance.now();
  #history = freshHistory;
  #failedStarts = 0;
  #restarts = 0;
  #report: RouterReport | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #isStopping = false;
  /** Some router has found this host's key to be free: it is this host's since then. */
  #hasJoined = false;
  #settleStart: (() => void) | undefined;
  /** Of the settings, or as a reload has brought them. Undefined without links. */
  #linkSecrets: readonly string[] | undefined;
  #backoff: RouterSupervisorSettings["restart"];

  /**
   * @param log for what happens to the router
   * @param output for what the router itself says
   */
  constructor(settings: RouterSupervisorSettings, log: RouterLogSink, output: RouterLogSink) {
    super();
    this.#settings = settings;
    this.#linkSecrets = settings.init.links?.secrets;
    this.#backoff = settings.restart;
    this.#log = log;
    this.#output = output;
  }

  get state(): RouterState {
    return this.#state;
  }

  get stateSinceMs(): number {
    return this.#stateSinceMs;
  }

  /** When a router was last there for the workers; undefined while one is. */
  get absentSinceMs(): number | undefined {
    return this.#absentSinceMs;
  }

  get pid(): number | undefined {
    return this.#router?.pid;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** The last of the process that runs. */
  get report(): RouterReport | undefined {
    return this.#report;
  }

  /** Resolves when the router is ready, or is not going to be soon: what waits for it then goes on without. */
  async start(): Promise<void> {
    this.#absentSinceMs = performance.now();
    this.#fork();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#log.warn(`the router is not ready after ${routerAbsenceLimitMs} ms: what waits for it goes on without`);
        this.#settleStart?.();
      }, routerAbsenceLimitMs);
      if (this.#settings.isUnreferenced) timer.unref();
      this.#settleStart = () => {
        this.#settleStart = undefined;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** A worker serves clients. */
  expect(place: string): void {
    this.#places.add(place);
    // A router that has said nothing yet is told all places with its first message.
    if (this.#isToldOfChanges) this.#router?.send({ type: "router:expect", place });
  }

  /** These workers, and no others, have a way to the router that runs: the next one is to wait for them. */
  remember(places: Iterable<string>): void {
    this.#places.clear();
    for (const place of places) this.#places.add(place);
  }

  /** A worker's process has ended. */
  forget(place: string): void {
    this.#places.delete(place);
    if (this.#isToldOfChanges) this.#router?.send({ type: "router:forget", place });
  }

  /** Links that are made from now on prove these; those that there are stay. Answers whether they are others; without links, none are. */
  setLinkSecrets(secrets: readonly string[]): boolean {
    if (this.#linkSecrets === undefined || this.#linkSecrets.join() === secrets.join()) return false;
    this.#linkSecrets = secrets;
    if (this.#isToldOfChanges) this.#router?.send({ type: "router:link-secrets", secrets });
    return true;
  }

  /** How long a restart waits; the one that waits already is not changed. */
  get backoff(): RouterSupervisorSettings["restart"] {
    return this.#backoff;
  }

  setBackoff(backoff: RouterSupervisorSettings["restart"]): void {
    this.#backoff = backoff;
  }

  /** Gives the router a connection that is not read any more. False when there is none. */
  takeLink(socket: Socket, received: Buffer): boolean {
    if (this.#router === undefined || this.#state !== "ready") return false;
    this.#router.handOver(socket, received);
    return true;
  }

  /** Lets the router end, and resolves when it has. */
  async stop(): Promise<void> {
    this.#beginStop();
    const router = this.#router;
    if (router === undefined) return;
    const ended = new Promise<void>((resolve) => this.once("ended", resolve));
    const timer = setTimeout(() => router.kill(), stopTimeoutMs);
    router.release();
    await ended;
    clearTimeout(timer);
  }

  /** Ends it at once. */
  kill(): void {
    this.#beginStop();
    this.#router?.kill();
  }

  #beginStop(): void {
    this.#isStopping = true;
    clearTimeout(this.#restartTimer);
    this.#settleStart?.();
    if (this.#router === undefined) this.#setState("ended");
  }

  #fork(): void {
    this.#setState("starting");
    this.#isToldOfChanges = false;
    const isLogShared = this.#settings.init.log !== null;
    const router: RouterProcess = new RouterProcess({ ...this.#settings, isLogShared }, this.#output, {
      onMessage: (message) => this.#obey(router, message),
      onExit: (cause) => this.#noteEnd(router, cause),
    });
    this.#router = router;
  }

  #obey(router: RouterProcess, message: MessageFromRouter): void {
    switch (message.type) {
      case "router:hello":
        router.send(this.#createInit());
        this.#isToldOfChanges = true;
        break;
      case "router:ready":
        this.#noteReady(router);
        break;
      case "router:report": {
        const before = this.#report;
        this.#report = message;
        this.#hasJoined ||= message.bus?.hasJoined === true;
        this.emit("reported", message, before);
        break;
      }
      case "router:must-stop":
        this.emit("mustStop", message.reason);
        break;
      case "router:failed":
      case "router:pong":
      case "router:note":
        break;
    }
  }

  #createInit(): RouterInit {
    const { init } = this.#settings;
    const bus = init.bus === null ? null : { ...init.bus, isServing: this.#hasJoined, restarts: this.#restarts };
    const links = init.links === null ? null : { ...init.links, secrets: this.#linkSecrets ?? init.links.secrets };
    return { ...init, type: "router:init", expectedPlaces: [...this.#places], bus, links };
  }

  #noteReady(router: RouterProcess): void {
    this.#setState("ready");
    this.#absentSinceMs = undefined;
    this.#failedStarts = 0;
    const bootMs = Math.round(performance.now() - router.startedMs);
    this.#log[this.#restarts > 0 ? "info" : "debug"](`the router is ready after ${bootMs} ms (pid ${router.pid})`);
    this.#settleStart?.();
    this.emit("ready");
  }

  #noteEnd(router: RouterProcess, cause: string): void {
    const nowMs = performance.now();
    const readyForMs = router.readySinceMs === undefined ? undefined : nowMs - router.readySinceMs;
    this.#router = undefined;
    this.#report = undefined;
    this.#absentSinceMs ??= nowMs;
    this.#setState(this.#isStopping ? "ended" : "backoff");
    if (!this.#isStopping) this.#restart(readyForMs, cause);
    this.emit("ended");
  }

  #restart(readyForMs: number | undefined, cause: string): void {
    const settings = this.#backoff;
    const { delayMs, history } = planRouterRestart({ settings, history: this.#history, readyForMs });
    this.#history = history;
    this.#restarts++;
    this.emit("restarting");
    const when = delayMs === 0 ? "at once" : `in ${delayMs} ms`;
    if (readyForMs === undefined) {
      this.#failedStarts++;
      this.#log.warn(`the router could not start (${cause}); started again ${when} (restart ${this.#restarts})`);
    } else {
      this.#log.warn(
        `the router ended (${cause}); started again ${when} (restart ${this.#restarts}). ` +
          "Messages between workers that it held are lost, others wait for the next",
      );
    }
    if (this.#failedStarts === failedStartsUntilAlarm && readyForMs === undefined) {
      this.#log.error(
        `the router could not be started ${failedStartsUntilAlarm} times in a row (the last: ${cause}): each worker serves ` +
          `its own clients, and messages between workers do not arrive. It is tried again every ${settings.backoffMaxMs} ms`,
      );
    }
    this.#restartTimer = setTimeout(() => this.#fork(), delayMs);
    if (this.#settings.isUnreferenced) this.#restartTimer.unref();
  }

  #setState(state: RouterState): void {
    this.#state = state;
    this.#stateSinceMs = performance.now();
  }
}
