/** One host: a router, workers, and the supervisor that starts them again and tells the router of them; all on virtual time. */

import { encodePlace } from "../../src/address/address.js";
import type { Port } from "../../src/router/port.js";
import { Observer } from "./observer.js";
import type { AdapterRecord, Message, WorkerRecord } from "./records.js";
import { type HostView, RequestTruth } from "./request-truth.js";
import { SeededRandom } from "./seeded-random.js";
import {
  chooseSettings,
  expectBackMs,
  hostKey,
  type SimulationSettings,
  stalledAfterMs,
  tickIntervalMs,
} from "./settings.js";
import { SimulatedConnection } from "./simulated-connection.js";
import { type RouterSurroundings, SimulatedRouter } from "./simulated-router.js";
import { SimulatedWorker, type WorkerSurroundings } from "./simulated-worker.js";
import { Supervisor } from "./supervisor.js";
import { Truth } from "./truth.js";
import { VirtualTime } from "./virtual-time.js";
import type { WorkerChannel } from "./worker-channel.js";

/** News of a death has come to everybody who runs, however slow the wire is. */
const newsLimitMs = 800;

export class SimulatedHost implements WorkerSurroundings, RouterSurroundings, HostView {
  readonly time = new VirtualTime();
  readonly random: SeededRandom;
  readonly settings: SimulationSettings;
  readonly observer: Observer;
  readonly truth: Truth;
  readonly requests: RequestTruth;
  /** By slot; undefined between a death and the next life. */
  readonly workers: (SimulatedWorker | undefined)[] = [];
  router: SimulatedRouter | undefined;
  /** What happened to it so far, which decides what may be counted exactly. */
  faults = 0;
  noteWelcome: (worker: SimulatedWorker) => void = () => {};
  /** From when on nobody is to get what he does not want. */
  exactSinceMs = Number.POSITIVE_INFINITY;
  readonly #supervisor: Supervisor;
  readonly #lives: number[] = [];
  #routerLives = 0;
  #lastConnectionId = 0;
  /** When a router was last missing, stopped, or new. */
  #routerDisturbedMs = 0;
  #routerResumedMs = 0;

  constructor(seed: number, writeTrace: ((line: string) => void) | undefined) {
    this.random = new SeededRandom(seed);
    this.settings = chooseSettings(this.random);
    this.observer = new Observer(this.time, writeTrace);
    this.truth = new Truth(this.observer);
    this.requests = new RequestTruth(this.time, this.observer, this);
    this.#supervisor = new Supervisor(this.time, this.random);
    this.observer.log?.(`seed ${seed}: ${JSON.stringify(this.settings)}`);
    this.#spawnRouter();
    for (let slot = 0; slot < this.settings.workers; slot++) this.#spawnWorker(slot);
  }

  get livingWorkers(): SimulatedWorker[] {
    return this.workers.filter((worker) => worker !== undefined);
  }

  get pendingJoins(): number {
    return this.workers.reduce((sum, worker) => sum + (worker?.pendingJoins ?? 0), 0);
  }

  /** Everybody runs, serves, and is connected to a router that knows all. */
  get isHealthy(): boolean {
    const { router } = this;
    if (router === undefined || router.process.stoppedSinceMs !== undefined) return false;
    for (let slot = 0; slot < this.settings.workers; slot++) {
      const worker = this.workers[slot];
      if (worker?.isServing !== true || worker.process.stoppedSinceMs !== undefined) return false;
      if (!worker.session.isWelcome || router.findPort(worker.place)?.isComplete !== true) return false;
    }
    return true;
  }

  // Processes that start.

  #spawnWorker(slot: number): void {
    const life = (this.#lives[slot] ?? 0) + 1;
    this.#lives[slot] = life;
    const worker = new SimulatedWorker(this, slot, encodePlace({ hostKey, workerSlot: slot }), life);
    this.workers[slot] = worker;
    this.observer.log?.(`${worker.name} starts`);
    for (const namespace of this.settings.namespaces) {
      if (namespace === "/" || this.random.chance(0.7)) worker.openNamespace(namespace);
    }
    worker.start();
  }

  #spawnRouter(): void {
    const router = new SimulatedRouter(this, ++this.#routerLives);
    this.router = router;
    this.#routerDisturbedMs = this.time.nowMs;
    this.#supervisor.startRouter(router, (places) => {
      this.observer.log?.(`${router.incarnation} listens, and expects ${places.join(" ")}`);
    });
  }

  noteReady(worker: SimulatedWorker): void {
    this.observer.log?.(`${worker.name} is ready`);
    this.time.after(this.random.between(0, 2), () => {
      if (!worker.process.isAlive) return;
      this.#supervisor.add(worker.place);
    });
  }

  // Faults.

  killWorker(slot: number): void {
    const worker = this.workers[slot];
    if (worker === undefined) return;
    this.observer.log?.(`${worker.name} is killed`);
    this.faults++;
    worker.kill();
    this.workers[slot] = undefined;
    const diedMs = this.time.nowMs;
    this.time.after(newsLimitMs, () => this.requests.checkNoneWaitsForDead(diedMs));
    this.time.after(this.random.between(0, 20), () => {
      this.#supervisor.remove(worker.place);
      this.time.after(this.random.between(30, 500), () => this.#spawnWorker(slot));
    });
  }

  killRouter(): void {
    const { router } = this;
    if (router === undefined) return;
    this.observer.log?.(`${router.incarnation} is killed`);
    this.faults++;
    this.router = undefined;
    this.#supervisor.noteRouterEnded();
    this.#routerDisturbedMs = this.time.nowMs;
    router.kill();
    this.truth.releaseRouter(router.process);
    this.time.after(this.random.between(0, this.random.chance(0.2) ? 1_500 : 200), () => this.#spawnRouter());
  }

  stopWorker(slot: number, forMs: number): void {
    const worker = this.workers[slot];
    if (worker === undefined || worker.process.stoppedSinceMs !== undefined) return;
    this.observer.log?.(`${worker.name} stops for ${forMs.toFixed(0)} ms`);
    worker.stop();
    this.time.after(forMs, () => {
      if (!worker.process.isAlive) return;
      this.observer.log?.(`${worker.name} goes on`);
      worker.resume();
    });
  }

  stopRouter(forMs: number): void {
    const { router } = this;
    if (router === undefined || router.process.stoppedSinceMs !== undefined) return;
    this.observer.log?.(`${router.incarnation} stops for ${forMs.toFixed(0)} ms`);
    router.process.stop();
    this.#routerDisturbedMs = this.time.nowMs;
    this.time.after(forMs, () => {
      this.observer.log?.(`${router.incarnation} goes on`);
      router.process.resume();
      this.#routerResumedMs = this.time.nowMs;
      if (this.router === router) this.#routerDisturbedMs = this.time.nowMs;
    });
  }

  cutConnection(slot: number): void {
    const worker = this.workers[slot];
    if (worker?.connection === undefined) return;
    this.observer.log?.(`the connection of ${worker.name} is cut`);
    this.faults++;
    this.noteBroken(worker.connection);
    worker.connection.cut();
    worker.disturb();
    this.truth.releaseWorker(worker);
  }

  // What workers and router find around them.

  connect(channel: WorkerChannel): SimulatedConnection | undefined {
    const { router } = this;
    if (router === undefined || !router.isListening) return undefined;
    const id = ++this.#lastConnectionId;
    const end = router.createEnd(id);
    const connection = new SimulatedConnection(id, this.settings.wire, this.random, {
      worker: channel,
      router: end,
    });
    router.accept(end, connection);
    return connection;
  }

  noteBroken(connection: SimulatedConnection): void {
    if (connection.isBroken) return;
    connection.isBroken = true;
    // What the router has forwarded is on its way without the sender.
    this.truth.releaseConnection(connection);
  }

  noteForwarded(messageId: number): void {
    const message = this.truth.messages[messageId];
    if (message !== undefined) message.isForwarded = true;
  }

  noteGivenUp(place: string, messageId: number): void {
    const message = this.truth.messages[messageId];
    if (message === undefined) return;
    message.isLossy = true;
    this.observer.log?.(`the router gives up ${message} for ${place}`);
    for (const worker of this.livingWorkers) if (worker.place === place) this.truth.releaseFor(message, worker);
  }

  noteLossTold(place: string, frames: number): void {
    this.workers.find((worker) => worker?.place === place)?.toldLosses.push(frames);
  }

  noteUnsent(place: string): void {
    for (const worker of this.livingWorkers) {
      if (worker.place !== place && this.#findOwnPort(worker) !== undefined) worker.othersLosses++;
    }
  }

  noteNotBack(place: string): void {
    for (const worker of this.livingWorkers) {
      if (worker.place !== place) continue;
      worker.disturb();
      this.truth.releaseWorker(worker);
    }
  }

  /** At rest, a worker gets what its sockets want, and what is addressed to it. */
  noteUnwanted(worker: SimulatedWorker, message: Message): void {
    if (message.rooms.size === 0 || !worker.isSteadySince(this.exactSinceMs)) return;
    if (message.sentMs < this.exactSinceMs || this.router?.findPort(worker.place)?.isFlooded === true) return;
    for (const room of message.rooms) {
      if (typeof room === "string" && room.includes(worker.place)) return;
      if (worker.adapters.some((adapter) => adapter.namespace === message.namespace && adapter.rooms.has(room))) return;
    }
    this.observer.fail(`${message} was sent to ${worker.name}, which has nobody in its rooms`);
  }

  /** Whether the router would send something to this adapter: at once, or when its worker is back. */
  canReach(adapter: AdapterRecord, message: Message): boolean {
    const worker = this.#find(adapter.worker);
    if (worker === undefined) return false;
    // The next one is told at its start who is expected.
    if (this.router?.isListening !== true) return this.#supervisor.willExpect(worker.place);
    const port = this.#findOwnPort(worker);
    if (port === undefined) return false;
    return message.rooms.size > 0 || port.wantsAll || port.members.has(adapter.uid);
  }

  /** The port by which the worker gets its messages, now or when it is back; not one that its predecessor left. */
  #findOwnPort({ place, connection }: SimulatedWorker): Port | undefined {
    const port = this.router?.findPort(place);
    const isItsOwn = port?.connection === connection?.id && connection?.isBroken === false;
    return port?.connection === undefined || isItsOwn ? port : undefined;
  }

  // What the judge of requests asks.

  lastResumedMs(worker: WorkerRecord): number {
    return this.#find(worker)?.lastResumedMs ?? 0;
  }

  isAlive(worker: WorkerRecord): boolean {
    return this.#find(worker) !== undefined;
  }

  isRouterSteadySince(timeMs: number): boolean {
    return this.hasRouterRunSince(timeMs) && this.#routerDisturbedMs + expectBackMs + tickIntervalMs < timeMs;
  }

  hasRouterRunSince(timeMs: number): boolean {
    return this.router?.process.stoppedSinceMs === undefined && this.#routerResumedMs < timeMs;
  }

  #find(record: WorkerRecord): SimulatedWorker | undefined {
    return this.livingWorkers.find((worker) => worker === record);
  }

  findExcuse(asker: WorkerRecord, sinceMs: number): string | undefined {
    if (!asker.isSteadySince(sinceMs - 1_000)) return "its worker was disturbed";
    if (!this.isRouterSteadySince(sinceMs)) return "the router was disturbed";
    for (const worker of this.livingWorkers) {
      if (worker.bornMs > sinceMs || worker.isSteadySince(sinceMs - 1_000)) continue;
      const { stoppedSinceMs } = worker.process;
      // The verdict comes with the second tick after the limit at the latest, and has to reach the asker.
      const isVerdictDue = stoppedSinceMs !== undefined && this.time.nowMs - stoppedSinceMs > stalledAfterMs + 1_500;
      if (!isVerdictDue) return `${worker.name} was disturbed`;
    }
    return undefined;
  }
}
