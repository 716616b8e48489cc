/** One host: a router, workers, and the supervisor that starts them again and tells the router of them; all on virtual time. */

import { encodePlace } from "../../src/address/address.js";
import type { Port } from "../../src/router/port.js";
import { BusSide, type BusSurroundings } from "./bus-side.js";
import type { Observer } from "./observer.js";
import type { AdapterRecord, Message, WorkerRecord } from "./records.js";
import type { RequestTruth } from "./request-truth.js";
import type { SeededRandom } from "./seeded-random.js";
import { expectBackMs, type SimulationSettings, stalledAfterMs, tickIntervalMs } from "./settings.js";
import type { SimulatedBus } from "./simulated-bus.js";
import { SimulatedConnection } from "./simulated-connection.js";
import { type RouterSurroundings, SimulatedRouter } from "./simulated-router.js";
import { SimulatedWorker, type WorkerSurroundings } from "./simulated-worker.js";
import { Supervisor } from "./supervisor.js";
import type { Truth } from "./truth.js";
import type { VirtualTime } from "./virtual-time.js";
import type { WorkerChannel } from "./worker-channel.js";

/** What a host finds around it. */
export interface HostSurroundings extends BusSurroundings {
  readonly settings: SimulationSettings;
  readonly requests: RequestTruth;
  /** Undefined for a host that stays alone. */
  readonly bus: SimulatedBus | undefined;
  noteWelcome(worker: SimulatedWorker): void;
  /** From when on nobody is to get what he does not want. */
  readonly exactSinceMs: number;
  /** Workers of a host have died: whoever asked them is to hear of it. */
  noteDeath(host: SimulatedHost): void;
  /** A host has left, and said so. */
  noteBye(host: SimulatedHost): void;
}

export class SimulatedHost implements WorkerSurroundings, RouterSurroundings {
  readonly hostKey: string;
  readonly prefix: string;
  /** By slot; undefined between a death and the next life. */
  readonly workers: (SimulatedWorker | undefined)[] = [];
  router: SimulatedRouter | undefined;
  /** What happened to it so far, which decides what may be counted exactly. */
  faults = 0;
  /** Not started, dead as a whole, or leaving. */
  isAway = true;
  isLeaving = false;
  readonly busSide: BusSide;
  readonly #fleet: HostSurroundings;
  #supervisor: Supervisor;
  /** Counts its lives: what was planned in one does not happen in the next. */
  #run = 0;
  readonly #lives: number[] = [];
  #routerLives = 0;
  #lastConnectionId = 0;
  /** When a router was last missing, stopped, or new. */
  #routerDisturbedMs = 0;
  #routerResumedMs = 0;

  /** @param hostKey of the only host, or of one of several */
  constructor(fleet: HostSurroundings, hostKey: string) {
    this.#fleet = fleet;
    this.hostKey = hostKey;
    this.prefix = fleet.bus === undefined ? "" : `${hostKey}/`;
    this.#supervisor = new Supervisor(fleet.time, fleet.random);
    this.busSide = new BusSide(this, fleet);
  }

  start(): void {
    this.isAway = false;
    this.isLeaving = false;
    this.#run++;
    this.#supervisor = new Supervisor(this.time, this.random);
    this.observer.log?.(`host ${this.hostKey} starts (${this.instance})`);
    this.#spawnRouter();
    for (let slot = 0; slot < this.settings.workers; slot++) this.#spawnWorker(slot);
  }

  get instance(): string {
    return `${this.hostKey} run ${this.#run}`;
  }

  get time(): VirtualTime {
    return this.#fleet.time;
  }

  get random(): SeededRandom {
    return this.#fleet.random;
  }

  get settings(): SimulationSettings {
    return this.#fleet.settings;
  }

  get observer(): Observer {
    return this.#fleet.observer;
  }

  get truth(): Truth {
    return this.#fleet.truth;
  }

  get requests(): RequestTruth {
    return this.#fleet.requests;
  }

  get bus(): SimulatedBus | undefined {
    return this.#fleet.bus;
  }

  /** What is planned for this life of the host. */
  after(delayMs: number, run: () => void): void {
    const life = this.#run;
    this.time.after(delayMs, () => {
      if (life === this.#run && !this.isAway) run();
    });
  }

  get livingWorkers(): SimulatedWorker[] {
    return this.workers.filter((worker) => worker !== undefined);
  }

  /** Everybody runs, serves, and is connected to a router that knows all. */
  get isHealthy(): boolean {
    const { router } = this;
    if (router === undefined || router.process.stoppedSinceMs !== undefined) return false;
    if (this.bus !== undefined && (router.core.bus?.hasJoined !== true || !this.busSide.isUp)) return false;
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
    const worker = new SimulatedWorker(this, slot, encodePlace({ hostKey: this.hostKey, workerSlot: slot }), life);
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
    this.#disturbRouter();
    this.#supervisor.startRouter(router, (places) => {
      this.observer.log?.(`${router.incarnation} listens, and expects ${places.join(" ")}`);
      if (this.bus !== undefined) this.busSide.connect();
    });
  }

  noteReady(worker: SimulatedWorker): void {
    this.observer.log?.(`${worker.name} is ready`);
    this.after(this.random.between(0, 2), () => {
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
    this.#fleet.noteDeath(this);
    if (this.isLeaving) return;
    this.after(this.random.between(0, 20), () => {
      if (this.isLeaving) return;
      this.#supervisor.remove(worker.place);
      this.after(this.random.between(30, 500), () => {
        if (!this.isLeaving) this.#spawnWorker(slot);
      });
    });
  }

  killRouter(): void {
    const { router } = this;
    if (router === undefined) return;
    this.observer.log?.(`${router.incarnation} is killed`);
    this.faults++;
    this.router = undefined;
    this.#supervisor.noteRouterEnded();
    this.#disturbRouter();
    router.kill();
    this.truth.releaseRouter(router.process);
    this.truth.releaseTaken(router.process, this.hostKey);
    // What waits for the next router, that may pass on before it knows of other hosts.
    this.truth.releaseFar(this.hostKey);
    if (this.isAway || this.isLeaving) return;
    this.after(this.random.between(0, this.random.chance(0.2) ? 1_500 : 200), () => {
      if (!this.isLeaving) this.#spawnRouter();
    });
  }

  #disturbRouter(): void {
    this.#routerDisturbedMs = this.time.nowMs;
    this.busSide.disturb();
  }

  /** All of it at once, without a word. */
  kill(): void {
    if (this.isAway) return;
    this.observer.log?.(`host ${this.hostKey} is killed`);
    this.isAway = true;
    this.isLeaving = false;
    for (let slot = 0; slot < this.workers.length; slot++) this.killWorker(slot);
    this.killRouter();
    this.busSide.disturb();
  }

  /** Its workers end, what they said is passed on, and the bus is told. */
  leave(): void {
    if (this.isAway || this.isLeaving) return;
    this.observer.log?.(`host ${this.hostKey} leaves`);
    this.isLeaving = true;
    for (let slot = 0; slot < this.workers.length; slot++) this.killWorker(slot);
    const endMs = this.time.nowMs + 1_000;
    this.after(200, () => this.#leaveWhenSettled(endMs));
  }

  #leaveWhenSettled(endMs: number): void {
    const { router } = this;
    if (router === undefined || router.process.stoppedSinceMs !== undefined) {
      this.kill();
      return;
    }
    if (router.core.bus?.isSettled !== true && this.time.nowMs < endMs) {
      this.after(20, () => this.#leaveWhenSettled(endMs));
      return;
    }
    this.observer.log?.(`host ${this.hostKey} says bye`);
    router.core.bus?.leave(this.time.nowMs);
    this.#fleet.noteBye(this);
    router.carrier?.giveUpAll();
    this.isAway = true;
    this.busSide.disturb();
    this.router = undefined;
    this.#supervisor.noteRouterEnded();
    // What has been published is on its way.
    this.time.after(2 * (this.settings.fleet?.wire.delayMs ?? 0) + 1, () => router.kill());
  }

  /** Whether its router, or its way to the bus, was another one. */
  isDisturbedSince(timeMs: number): boolean {
    return !this.hasRouterRunSince(timeMs) || this.#routerDisturbedMs >= timeMs || this.busSide.cutMs >= timeMs;
  }

  /** Whether one of the routers of its present life has, or had, this incarnation. */
  hasRouter(incarnation: string): boolean {
    return incarnation.endsWith(`.${this.instance} router`);
  }

  get doubtedBy(): ReadonlySet<string> {
    return this.busSide.doubtedBy;
  }

  noteMissed(): void {
    this.noteUnsent(undefined);
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
    this.#disturbRouter();
    this.time.after(forMs, () => {
      this.observer.log?.(`${router.incarnation} goes on`);
      router.process.resume();
      this.#routerResumedMs = this.time.nowMs;
      if (this.router === router) this.#disturbRouter();
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
    if (connection.router !== this.router?.process) return;
    for (const worker of this.livingWorkers) if (worker.connection === connection) worker.forgetFar();
  }

  noteForwarded(messageId: number): void {
    const message = this.truth.messages[messageId];
    if (message === undefined) return;
    message.isForwarded = true;
    if (this.router !== undefined) message.takenBy.add(this.router.process);
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

  /** @param place of the worker that has lost it; undefined: another host has */
  noteUnsent(place: string | undefined): void {
    for (const worker of this.livingWorkers) {
      if (worker.place !== place && this.#findOwnPort(worker) !== undefined) worker.othersLosses++;
    }
  }

  noteNotBack(place: string): void {
    for (const worker of this.livingWorkers) {
      if (worker.place !== place) continue;
      worker.disturb();
      worker.forgetFar();
      this.truth.releaseWorker(worker);
    }
  }

  /** At rest, a worker gets what its sockets want, and what is addressed to it. */
  noteUnwanted(worker: SimulatedWorker, message: Message): void {
    if (message.rooms.size === 0 || !worker.isSteadySince(this.#fleet.exactSinceMs)) return;
    if (message.sentMs < this.#fleet.exactSinceMs || this.router?.findPort(worker.place)?.isFlooded === true) return;
    for (const room of message.rooms) {
      if (typeof room === "string" && room.includes(worker.place)) return;
      if (worker.adapters.some((adapter) => adapter.namespace === message.namespace && adapter.rooms.has(room))) return;
    }
    this.observer.fail(`${message} was sent to ${worker.name}, which has nobody in its rooms`);
  }

  noteWelcome(worker: SimulatedWorker): void {
    this.#fleet.noteWelcome(worker);
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

  isRouterSteadySince(timeMs: number): boolean {
    return this.hasRouterRunSince(timeMs) && this.#routerDisturbedMs + expectBackMs + tickIntervalMs < timeMs;
  }

  hasRouterRunSince(timeMs: number): boolean {
    return this.router?.process.stoppedSinceMs === undefined && this.#routerResumedMs < timeMs;
  }

  #find(record: WorkerRecord): SimulatedWorker | undefined {
    return this.livingWorkers.find((worker) => worker === record);
  }

  /** Why answers of its workers may have been kept away since then. */
  findExcuse(sinceMs: number): string | undefined {
    if (!this.isRouterSteadySince(sinceMs)) return "a router was disturbed";
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
