/**
 * A worker process around the real HostSession: connection, timers and writes as RouterChannel and RoutedFabric have them,
 * on virtual time; its namespaces are models.
 */

import type { RequestHead } from "../../src/protocol/exchange-frames.js";
import { encodeResponse, requests, responses } from "../../src/protocol/exchange-frames.js";
import { FrameError, frameKinds } from "../../src/protocol/frame.js";
import { HostSession } from "../../src/worker/fabric/host-session.js";
import type { SessionNote } from "../../src/worker/fabric/session-effects.js";
import { type AdapterSurroundings, ModelAdapter } from "./model-adapter.js";
import type { Observer } from "./observer.js";
import { OutboxShadow } from "./outbox-shadow.js";
import type { Message, SocketRecord } from "./records.js";
import type { RequestTruth } from "./request-truth.js";
import type { SeededRandom } from "./seeded-random.js";
import { joinLimitMs, type SimulationSettings } from "./settings.js";
import type { ConnectionSide, SimulatedConnection } from "./simulated-connection.js";
import { encodeAnswer, sendTagged } from "./tagged-frames.js";
import type { Truth } from "./truth.js";
import { SimulatedProcess, type VirtualTime } from "./virtual-time.js";

/** What a worker finds around it. */
export interface WorkerSurroundings {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly settings: SimulationSettings;
  readonly observer: Observer;
  readonly truth: Truth;
  readonly requests: RequestTruth;
  /** Undefined while no router listens. */
  connect(worker: SimulatedWorker): SimulatedConnection | undefined;
  /** The connection that the worker had is of no use any more. */
  noteBroken(connection: SimulatedConnection): void;
  noteReady(worker: SimulatedWorker): void;
  noteUnwanted(worker: SimulatedWorker, message: Message): void;
}

/** As in RouterChannel. */
const fastRetryMs = 25;
const slowRetryMs = 500;
/** A worker serves clients although no router is there, after this long. */
const readyAnywayMs = 2_000;
const urgentKinds = [
  frameKinds.hello,
  frameKinds.namespaceUp,
  frameKinds.namespaceDown,
  frameKinds.interest,
  frameKinds.interestComplete,
  frameKinds.floodMe,
  frameKinds.pong,
  frameKinds.joinsDone,
  frameKinds.unsent,
];

export class SimulatedWorker implements AdapterSurroundings, ConnectionSide {
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
  connection: SimulatedConnection | undefined;
  /** Losses that the router has written to this worker, and that it has not read yet. */
  toldLosses: number[] = [];
  readonly shadow: OutboxShadow;
  readonly #host: WorkerSurroundings;
  #disturbedMs: number;
  #isConnected = false;
  #isFlushPlanned = false;
  #writing: Buffer[] | undefined;
  #isSlow = false;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #timerTurn = 0;
  #pendingJoins = 0;

  constructor(host: WorkerSurroundings, slot: number, place: string, life: number) {
    this.#host = host;
    this.name = `w${slot}.${life}`;
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
        wake: () => this.#wake(),
        schedule: (dueMs) => this.#schedule(dueMs),
        raise: (error) => observer.fail(`raised in ${this.name}: ${String(error)}`),
        refused: (code, reason, shouldReconnectNow) => {
          observer.log?.(`${this.name} is refused: ${code} ${reason}`);
          this.#isSlow = !shouldReconnectNow;
          this.#endConnection();
        },
        note: (note) => this.#note(note),
      },
    );
    this.shadow = new OutboxShadow(urgentKinds, {
      fail: (text) => observer.fail(`outbox of ${this.name}: ${text}`),
      onGivenUp: (id) => this.#noteGivenUp(id),
      onQueued: () => {},
      onTaken: (id) => this.#noteTaken(id),
    });
  }

  get nowMs(): number {
    return this.#host.time.nowMs;
  }

  get pendingJoins(): number {
    return this.#pendingJoins;
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
    this.#connect();
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
    if (this.connection !== undefined) {
      this.connection.endByWorker(true);
      this.#host.noteBroken(this.connection);
    }
    this.shadow.noteAbandoned();
    for (const adapter of this.adapters) {
      for (const socket of adapter.sockets.values()) this.truth.releaseSocket(socket);
    }
    this.#host.requests.forget(this);
    this.#pendingJoins = 0;
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
    return this.toldLosses.length === 0 && this.#disturbedMs < timeMs;
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

  // Sending.

  /** Puts a message into the session's outbox; answers whether it is on its way. */
  send(kind: number, message: Message, body: Uint8Array): boolean {
    const { session } = this;
    message.hadNoRouter = !session.isWelcome;
    const unsentBefore = session.counters.unsentFrames;
    const result = sendTagged(session, kind, message, body);
    if (result === undefined) return false;
    this.#checkLoss(this.shadow.notePush(message.id, message.isVolatile, result), unsentBefore);
    return result === "queued";
  }

  #sendResponse(frame: Buffer, id: number): void {
    const unsentBefore = this.session.counters.unsentFrames;
    this.#checkLoss(this.shadow.notePush(id, false, this.session.send(frame)), unsentBefore);
  }

  #checkLoss(lost: number, unsentBefore: number): void {
    const counted = this.session.counters.unsentFrames - unsentBefore;
    if (counted !== lost) this.#host.observer.fail(`${this.name} lost ${lost} frames unsent, and counted ${counted}`);
    const { queuedBytes } = this.session;
    const limit = this.#host.settings.workerOutboxBytes + maxUrgentBytes;
    if (queuedBytes > limit) this.#host.observer.fail(`${queuedBytes} bytes wait in the outbox of ${this.name}`);
  }

  #noteGivenUp(id: number): void {
    const message = this.truth.messages[id];
    if (message === undefined) return;
    message.isLossy = true;
    this.log?.(`gives up ${message}`);
    if (message.sender === this) this.truth.release(message);
  }

  #noteTaken(id: number): void {
    const message = this.truth.messages[id];
    if (message === undefined || message.sender !== this) return;
    message.connection = this.connection;
    if (this.connection?.isBroken) this.truth.release(message);
  }

  answer(adapter: ModelAdapter, head: RequestHead, message: Message, sockets: readonly SocketRecord[]): void {
    const { random, requests: requestTruth } = this.#host;
    const say = (type: number, ids: readonly string[], delayMs: number): void => {
      this.process.after(delayMs, () => {
        const value = encodeAnswer(message.id, adapter.uid, ids);
        this.#sendResponse(encodeResponse(head.uid, adapter.uid, head.requestId, type, value), message.id);
      });
    };
    const isSilent = head.type !== requests.fetchSockets && random.chance(0.03);
    if (isSilent) requestTruth.find(message.id)?.silent.add(adapter.uid);
    switch (head.type) {
      case requests.fetchSockets:
        say(
          responses.answer,
          sockets.map((socket) => socket.id),
          random.between(0, 0.2),
        );
        break;
      case requests.serverSideEmit:
        if (!isSilent) say(random.chance(0.1) ? responses.failed : responses.answer, [], random.between(0, 20));
        break;
      case requests.broadcast: {
        adapter.deliver(message, sockets);
        let settledAfterMs = 0;
        for (const socket of sockets) {
          const delayMs = random.between(0, 30);
          settledAfterMs = Math.max(settledAfterMs, delayMs);
          say(responses.ack, [socket.id], delayMs);
        }
        if (!isSilent) say(responses.settled, [], settledAfterMs);
        break;
      }
      default:
        this.#host.observer.fail(`${message} asks for ${head.type}`);
    }
  }

  noteUnwanted(message: Message): void {
    this.#host.noteUnwanted(this, message);
  }

  awaitJoin(promise: Promise<void>, certain: () => void): void {
    const { observer } = this.#host;
    const deadlineMs = this.nowMs + joinLimitMs;
    this.#pendingJoins++;
    promise.then(
      () => {
        if (!this.process.isAlive) return;
        this.#pendingJoins--;
        if (this.nowMs > Math.max(deadlineMs, this.lastResumedMs) + 2) {
          observer.fail(`a join on ${this.name} resolved ${(this.nowMs - deadlineMs).toFixed(1)} ms after its limit`);
        }
        // At its limit a join comes back without the router's word.
        if (this.nowMs < deadlineMs) certain();
      },
      (error: unknown) => observer.fail(`a join on ${this.name} was rejected: ${String(error)}`),
    );
  }

  // The connection, as RouterChannel keeps it.

  #connect(): void {
    this.connection = this.#host.connect(this);
    if (this.connection === undefined) {
      this.process.after(fastRetryMs, () => this.#connect());
      return;
    }
    const { connection } = this;
    this.process.after(this.#host.random.between(0, 1), () => {
      if (this.connection !== connection) return;
      this.#isConnected = true;
      this.disturb();
      this.toldLosses = [];
      this.session.connected(this.place);
      connection.openToWorker();
      this.#flush();
    });
  }

  read(chunk: Buffer): void {
    try {
      this.session.received(chunk);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#host.observer.fail(`the router sent ${this.name} what is no frame: ${error.message}`);
      this.#endConnection();
    }
  }

  #endConnection(): void {
    const { connection } = this;
    if (connection === undefined) return;
    connection.endByWorker(false);
    this.#host.noteBroken(connection);
    this.process.after(0, () => {
      if (this.connection === connection) this.noteClosed();
    });
  }

  noteClosed(): void {
    const { connection } = this;
    if (connection === undefined) return;
    this.log?.("notices that its connection is closed");
    this.#host.noteBroken(connection);
    this.connection = undefined;
    this.disturb();
    if (this.#writing !== undefined) this.session.written(this.#writing);
    this.#writing = undefined;
    if (this.#isConnected) {
      this.#isConnected = false;
      this.session.closed();
    }
    this.process.after(this.#isSlow ? slowRetryMs : fastRetryMs, () => this.#connect());
    this.#isSlow = false;
  }

  #wake(): void {
    if (this.#isFlushPlanned || this.#writing !== undefined) return;
    this.#isFlushPlanned = true;
    this.process.after(this.#host.random.between(0, 0.05), () => this.#flush());
  }

  #flush(): void {
    this.#isFlushPlanned = false;
    const { connection } = this;
    if (connection === undefined || !this.#isConnected || this.#writing !== undefined) return;
    const blocks = this.session.takeWrites();
    // What was lost is being told of: from here on the outbox takes frames again.
    this.shadow.noteTold();
    if (blocks.length === 0) return;
    this.shadow.noteTaken(blocks);
    this.#writing = blocks;
    connection.writeToRouter(blocks, () => {
      // At the end of a connection, what was being written was given back.
      if (this.#writing !== blocks) return;
      this.session.written(blocks);
      this.#writing = undefined;
      if (this.session.hasWrites) this.#flush();
    });
  }

  #schedule(dueMs: number): void {
    if (dueMs >= this.#timerDueMs) return;
    this.#timerDueMs = dueMs;
    const turn = ++this.#timerTurn;
    this.process.after(Math.max(1, dueMs - this.nowMs), () => {
      if (turn !== this.#timerTurn) return;
      this.#timerDueMs = Number.POSITIVE_INFINITY;
      this.session.tick(this.nowMs);
      const nextMs = this.session.nextDueMs();
      if (nextMs < Number.POSITIVE_INFINITY) this.#schedule(nextMs);
    });
  }

  #note(note: SessionNote): void {
    const { observer, random } = this.#host;
    this.log?.(`notes ${JSON.stringify(note)}`);
    this.disturb();
    switch (note.type) {
      case "welcome":
        this.process.after(random.between(0, 20), () => this.#becomeReady());
        break;
      case "missed": {
        const told = this.toldLosses.shift();
        if (told !== note.frames)
          observer.fail(`${this.name} missed ${note.frames} frames, and the router lost ${told}`);
        this.#resynchronise();
        break;
      }
      case "reconnected":
        this.#resynchronise();
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

/** What a worker says of itself overtakes the messages: announcements of all its rooms, at most. */
const maxUrgentBytes = 64 * 1024;
