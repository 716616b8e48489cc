/**
 * A worker process around the real HostSession: connection, timers and writes as RouterChannel and RoutedFabric have them,
 * on virtual time; its namespaces are models.
 */

import type { RequestHead } from "../../src/protocol/exchange-frames.js";
import { HostSession } from "../../src/worker/fabric/host-session.js";
import type { SessionNote } from "../../src/worker/fabric/session-effects.js";
import { type AdapterSurroundings, ModelAdapter } from "./model-adapter.js";
import { answerRequest } from "./model-answers.js";
import type { Observer } from "./observer.js";
import type { Message, SocketRecord } from "./records.js";
import type { RequestTruth } from "./request-truth.js";
import type { SeededRandom } from "./seeded-random.js";
import { joinLimitMs, type SimulationSettings } from "./settings.js";
import type { SimulatedConnection } from "./simulated-connection.js";
import type { Truth } from "./truth.js";
import { SimulatedProcess, type VirtualTime } from "./virtual-time.js";
import { type ChannelOwner, WorkerChannel } from "./worker-channel.js";
import { WorkerSender } from "./worker-sender.js";
import { WorkerWaits } from "./worker-waits.js";

/** What a worker finds around it. */
export interface WorkerSurroundings {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly settings: SimulationSettings;
  readonly observer: Observer;
  readonly truth: Truth;
  readonly requests: RequestTruth;
  /** Undefined while no router listens. */
  connect(channel: WorkerChannel): SimulatedConnection | undefined;
  /** The connection that the worker had is of no use any more. */
  noteBroken(connection: SimulatedConnection): void;
  noteReady(worker: SimulatedWorker): void;
  noteWelcome(worker: SimulatedWorker): void;
  noteUnwanted(worker: SimulatedWorker, message: Message): void;
  readonly hostKey: string;
  /** Of names, for people: which host it is. */
  readonly prefix: string;
  /** Hosts that may not know what the router knows. */
  readonly doubtedBy: ReadonlySet<string>;
}

/** A worker serves clients although no router is there, after this long. */
const readyAnywayMs = 2_000;

export class SimulatedWorker implements AdapterSurroundings, ChannelOwner {
  readonly name: string;
  readonly place: string;
  readonly slot: number;
  readonly process: SimulatedProcess;
  readonly session: HostSession;
  readonly truth: Truth;
  adapters: ModelAdapter[] = [];
  isServing = false;
  sequence = 0;
  readonly bornMs: number;
  lastResumedMs = 0;
  /** Losses that the router has written to this worker, and that it has not read yet. */
  toldLosses: number[] = [];
  /** How often another worker has thrown away what was for its siblings, and the news is on its way. */
  othersLosses = 0;
  readonly sender: WorkerSender;
  readonly #host: WorkerSurroundings;
  readonly #channel: WorkerChannel;
  readonly #waits: WorkerWaits;
  #disturbedMs: number;
  #isFarForgotten = false;

  constructor(host: WorkerSurroundings, slot: number, place: string, life: number) {
    this.#host = host;
    this.name = `${host.prefix}w${slot}.${life}`;
    this.place = place;
    this.slot = slot;
    this.truth = host.truth;
    this.process = new SimulatedProcess(host.time);
    this.bornMs = this.nowMs;
    this.#disturbedMs = this.nowMs;
    const { settings, observer } = host;
    const limit = settings.workerOutboxBytes;
    this.session = new HostSession(
      {
        workerId: this.createId(),
        outbox: { maxBytes: limit, maxVolatileBytes: Math.ceil(limit / 4) },
        leaveCooldownMs: settings.leaveCooldownMs,
        maxRooms: settings.maxRooms,
        joinLimitMs,
      },
      {
        wake: () => this.#channel.wake(),
        schedule: (dueMs) => this.#waits.schedule(dueMs),
        raise: (error) => observer.fail(`raised in ${this.name}: ${String(error)}`),
        refused: (code, reason, shouldReconnectNow) => {
          observer.log?.(`${this.name} is refused: ${code} ${reason}`);
          this.#channel.refuse(shouldReconnectNow);
        },
        note: (note) => this.#note(note),
      },
    );
    this.sender = new WorkerSender(this, limit);
    this.#channel = new WorkerChannel(this);
    this.#waits = new WorkerWaits(this, host.time);
  }

  get connection(): SimulatedConnection | undefined {
    return this.#channel.connection;
  }

  get hostKey(): string {
    return this.#host.hostKey;
  }

  get doubtedBy(): ReadonlySet<string> {
    return this.#host.doubtedBy;
  }

  get random(): SeededRandom {
    return this.#host.random;
  }

  get observer(): Observer {
    return this.#host.observer;
  }

  get nowMs(): number {
    return this.#host.time.nowMs;
  }

  get pendingJoins(): number {
    return this.#waits.pendingJoins;
  }

  get log(): ((text: string) => void) | undefined {
    const { log } = this.#host.observer;
    return log === undefined ? undefined : (text) => log(`${this.name}: ${text}`);
  }

  createId(): string {
    return this.place + this.#host.random.characters(14);
  }

  // Life.

  start(): void {
    this.#channel.connect();
    this.process.after(readyAnywayMs, () => this.#becomeReady());
  }

  #becomeReady(): void {
    if (this.isServing) return;
    this.isServing = true;
    this.#host.noteReady(this);
  }

  kill(): void {
    this.isServing = false;
    this.process.kill();
    this.#channel.abandon();
    this.sender.shadow.noteAbandoned();
    for (const adapter of this.adapters) {
      for (const socket of adapter.sockets.values()) this.truth.releaseSocket(socket);
    }
    this.#host.requests.forget(this);
    this.#waits.pendingJoins = 0;
  }

  stop(): void {
    this.process.stop();
    this.disturb();
  }

  resume(): void {
    this.process.resume();
    this.disturb();
    this.lastResumedMs = this.nowMs;
  }

  /** Something happens that may keep answers of this worker away. */
  disturb(): void {
    this.#disturbedMs = this.nowMs;
  }

  isSteadySince(timeMs: number): boolean {
    if (!this.process.isAlive || this.process.stoppedSinceMs !== undefined) return false;
    return this.toldLosses.length === 0 && this.othersLosses === 0 && this.#disturbedMs < timeMs;
  }

  /** The router has let go of it, and told the other hosts so. */
  forgetFar(): void {
    this.#isFarForgotten = true;
    for (const adapter of this.adapters) adapter.forgetFar();
  }

  // Namespaces.

  /** A second adapter for the same namespace is served beside the first. */
  openNamespace(namespace: string): ModelAdapter {
    const adapter = new ModelAdapter(this, namespace, this.createId());
    this.reopen(adapter);
    return adapter;
  }

  /** An adapter that was closed, and gains a socket nevertheless, registers again. */
  reopen(adapter: ModelAdapter): void {
    this.log?.(`opens ${adapter.namespace} (${adapter.uid})`);
    this.adapters = [...this.adapters, adapter];
    adapter.openSinceMs = this.nowMs;
    this.session.add(adapter);
  }

  closeNamespace(adapter: ModelAdapter): void {
    this.log?.(`closes ${adapter.namespace} (${adapter.uid})`);
    for (const socket of [...adapter.sockets.values()]) adapter.disconnect(socket);
    this.adapters = this.adapters.filter((other) => other !== adapter);
    this.session.remove(adapter);
  }

  isOwnAddress(id: string): boolean {
    const at = id.length - 20;
    if (at !== 0 && id[at - 1] !== "#") return false;
    return id.startsWith(this.place, at);
  }

  answer(adapter: ModelAdapter, head: RequestHead, message: Message, sockets: readonly SocketRecord[]): void {
    const { random, requests, observer } = this.#host;
    const worker = {
      random,
      respond: (afterMs: number, type: number, socketIds: readonly string[]) => {
        this.process.after(afterMs, () => this.sender.respond(head, message.id, adapter.uid, type, socketIds));
      },
      noteSilent: () => requests.find(message.id)?.silent.add(adapter.uid),
      fail: (text: string) => observer.fail(text),
    };
    answerRequest(worker, adapter, head, message, sockets);
  }

  noteUnwanted(message: Message): void {
    this.#host.noteUnwanted(this, message);
  }

  awaitJoin(promise: Promise<void>, certain: () => void): void {
    this.#waits.awaitJoin(promise, certain);
  }

  // The connection.

  dial(channel: WorkerChannel): SimulatedConnection | undefined {
    return this.#host.connect(channel);
  }

  noteBroken(connection: SimulatedConnection): void {
    this.#host.noteBroken(connection);
  }

  noteConnected(): void {
    this.disturb();
    this.toldLosses = [];
    this.othersLosses = 0;
  }

  noteDisconnected(): void {
    this.disturb();
  }

  noteSessionClosed(): void {
    this.#host.requests.checkNoneWaits(this);
  }

  #note(note: SessionNote): void {
    const { observer, random } = this.#host;
    this.log?.(`notes ${JSON.stringify(note)}`);
    this.disturb();
    switch (note.type) {
      case "welcome":
        this.process.after(random.between(0, 20), () => this.#becomeReady());
        if (this.#isFarForgotten) for (const adapter of this.adapters) adapter.announceAnew();
        this.#isFarForgotten = false;
        this.#host.noteWelcome(this);
        break;
      case "missed": {
        // Without a number: another worker lost what was for its siblings.
        const told = note.frames === 0 ? 0 : this.toldLosses.shift();
        // It may also have waited for a worker that was expected, before this one connected.
        if (note.frames === 0) this.othersLosses = Math.max(0, this.othersLosses - 1);
        if (told !== note.frames)
          observer.fail(`${this.name} missed ${note.frames} frames, and the router lost ${told}`);
        this.#resynchronise();
        break;
      }
      case "reconnected":
        this.#resynchronise();
        break;
      case "unreadable":
        observer.fail(`${this.name} cannot read what another worker sent: ${note.reason}`);
        break;
      case "router-restarted":
      case "overflowed":
        break;
    }
  }

  /** Clients that have missed messages are sent away; they come back as others. */
  #resynchronise(): void {
    for (const adapter of this.adapters) {
      for (const socket of adapter.sockets.values()) {
        this.process.after(this.#host.random.between(0, 1_000), () => {
          if (adapter.sockets.get(socket.id) === socket) adapter.disconnect(socket);
        });
      }
    }
  }
}
