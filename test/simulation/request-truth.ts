/** Requests that workers made: each ends once and in time, with everybody's answer or with a reason why not. */

import type { RequestEnd } from "../../src/routing/request-ledger.js";
import type { Observer } from "./observer.js";
import type { AdapterRecord, Message, SocketRecord, WorkerRecord } from "./records.js";
import { decodeAnswer, isLastWord } from "./tagged-frames.js";
import type { VirtualTime } from "./virtual-time.js";

/** What the judge of requests asks of the host. */
export interface HostView {
  /** Why an answer of somebody may have been kept away since then; undefined when nothing happened. */
  findExcuse(asker: WorkerRecord, openedMs: number, limitMs: number): string | undefined;
  lastResumedMs(worker: WorkerRecord): number;
  isAlive(worker: WorkerRecord): boolean;
  /** Whether the router was there since then, ran, and had all its workers for longer. */
  isRouterSteadySince(asker: WorkerRecord, timeMs: number): boolean;
  /** Whether nothing happened to somebody since `guardMs` before then, or on the way, for which he might not be asked. */
  mustAnswer(asker: WorkerRecord, adapter: AdapterRecord, openedMs: number, guardMs: number): boolean;
  /** Whether nothing happened on the way to other hosts since then. */
  isBusSteadySince(timeMs: number): boolean;
}

/** A shorter time than this is too short for an answer. */
const shortLimitMs = 300;
/** Whoever is asked was steady for this long: the router has noticed what was before. */
const guardMs = 1_100;
/** How late a time limit may strike in a process that runs. */
const maxLateMs = 3;

export class SimulatedRequest {
  readonly message: Message;
  readonly asker: AdapterRecord;
  readonly openedMs: number;
  readonly deadlineMs: number;
  /** Whose answer must be there. */
  readonly required: readonly AdapterRecord[];
  /** Sockets that the answers must name. */
  readonly requiredSockets: readonly SocketRecord[];
  /** Uids that will not answer: their application does not acknowledge. */
  readonly silent = new Set<string>();
  readonly socketIds = new Set<string>();
  readonly answered = new Set<string>();
  ends = 0;
  end: RequestEnd | undefined;

  constructor(
    message: Message,
    asker: AdapterRecord,
    limitMs: number,
    required: readonly AdapterRecord[],
    requiredSockets: readonly SocketRecord[],
  ) {
    this.message = message;
    this.asker = asker;
    this.openedMs = message.sentMs;
    this.deadlineMs = message.sentMs + limitMs;
    this.required = required;
    this.requiredSockets = requiredSockets;
  }
}

export class RequestTruth {
  readonly #time: VirtualTime;
  readonly #observer: Observer;
  readonly #host: HostView;
  readonly #open = new Map<number, SimulatedRequest>();
  ended = 0;
  complete = 0;

  constructor(time: VirtualTime, observer: Observer, host: HostView) {
    this.#time = time;
    this.#observer = observer;
    this.#host = host;
  }

  find(id: number): SimulatedRequest | undefined {
    return this.#open.get(id);
  }

  add(request: SimulatedRequest): void {
    this.#open.set(request.message.id, request);
  }

  /** Its asker is dead: nobody waits for it. */
  forget(asker: WorkerRecord): void {
    for (const [id, { message }] of this.#open) if (message.sender === asker) this.#open.delete(id);
  }

  noteAnswer(request: SimulatedRequest, type: number, value: Buffer): void {
    const { id, uid, socketIds } = decodeAnswer(value);
    const { message } = request;
    if (id !== message.id) this.#observer.fail(`${message} got an answer to request ${id}`);
    if (request.ends > 0) this.#observer.fail(`${message} got an answer after its end`);
    if (request.answered.has(uid)) this.#observer.fail(`${message} got an answer of ${uid} after its last word`);
    for (const socketId of socketIds) request.socketIds.add(socketId);
    if (isLastWord(type)) request.answered.add(uid);
  }

  noteEnd(request: SimulatedRequest, end: RequestEnd, counts: { asked: number; missing: number }): void {
    const { message } = request;
    this.#observer.log?.(`${message} ends: ${end}, ${counts.asked} asked, ${counts.missing} missing`);
    if (++request.ends > 1) this.#observer.fail(`${message} ended twice: ${request.end}, ${end}`);
    request.end = end;
    this.ended++;
    this.#open.delete(message.id);
    const dueMs = Math.max(request.deadlineMs, this.#host.lastResumedMs(message.sender));
    if (this.#time.nowMs > dueMs + maxLateMs) this.#observer.fail(`${message} ended after its time limit: ${end}`);
    if (end === "complete") this.#checkComplete(request);
    else if (end === "timed-out") this.#checkTimedOut(request);
    else if (end === "router-lost") this.#checkLost(request);
  }

  #checkComplete(request: SimulatedRequest): void {
    this.complete++;
    const { message, answered, asker } = request;
    const since = request.openedMs - guardMs;
    if (!message.sender.isSteadySince(since)) return;
    // Whoever stops to serve the namespace forgets who else does.
    if (!message.sender.adapters.includes(asker) || asker.openSinceMs > request.openedMs) return;
    const staying = request.requiredSockets.filter(({ adapter, id }) => adapter.sockets.has(id));
    const certain = staying.filter((socket) => socket.isCertainlyIn(message.rooms, message));
    for (const adapter of request.required) {
      if (answered.has(adapter.uid) || message.isLossy) continue;
      if (message.rooms.size > 0 && !certain.some((socket) => socket.adapter === adapter)) continue;
      const { worker } = adapter;
      if (!worker.adapters.includes(adapter)) continue;
      if (!this.#host.mustAnswer(message.sender, adapter, request.openedMs, guardMs)) continue;
      this.#observer.fail(`${message} is complete without the answer of ${adapter.uid} on ${worker.name}`);
    }
    // Who joined an excepted room in the meantime need not be named.
    if (message.except.size > 0) return;
    for (const socket of certain) {
      if (answered.has(socket.adapter.uid) && !request.socketIds.has(socket.id)) {
        this.#observer.fail(`${message} was not told of socket ${socket.id}`);
      }
    }
  }

  #checkTimedOut(request: SimulatedRequest): void {
    const { message } = request;
    if (this.#time.nowMs < request.deadlineMs) this.#observer.fail(`${message} timed out before its time`);
    const reason = this.#explain(request);
    if (reason !== undefined) this.#observer.log?.(`${message} timed out: ${reason}`);
    else
      this.#observer.fail(
        `${message} timed out after ${request.deadlineMs - request.openedMs} ms, and nobody is missing`,
      );
  }

  #explain(request: SimulatedRequest): string | undefined {
    if (request.deadlineMs - request.openedMs < shortLimitMs) return "its time was short";
    if (request.message.isLossy) return "it, or an answer, was given up";
    if (request.silent.size > 0) return "somebody does not answer";
    return this.#host.findExcuse(request.message.sender, request.openedMs, request.deadlineMs - request.openedMs);
  }

  #checkLost({ message, openedMs }: SimulatedRequest): void {
    // News of a loss may have waited for the worker when it connected.
    if (message.sender.isSteadySince(openedMs - shortLimitMs))
      this.#observer.fail(`${message} lost its router, which was there`);
  }

  /** A worker died a while ago: whoever waits for nobody else does not wait any more. */
  checkNoneWaitsForDead(diedMs: number, isMeant: (asker: WorkerRecord) => boolean): void {
    for (const request of this.#open.values()) {
      const { message, openedMs, required, answered } = request;
      const since = openedMs - guardMs;
      if (openedMs > diedMs || message.rooms.size > 0 || message.isLossy || request.silent.size > 0) continue;
      const { sender } = message;
      if (!isMeant(sender) || !sender.isSteadySince(since) || !this.#host.isRouterSteadySince(sender, since)) continue;
      if (!this.#host.isBusSteadySince(since)) continue;
      if (!required.every(({ uid, worker }) => answered.has(uid) || !this.#host.isAlive(worker))) continue;
      this.#observer.fail(`${message} still waits, ${(this.#time.nowMs - diedMs).toFixed(0)} ms after a death`);
    }
  }

  /** The router of this worker is gone: what it was asked is not to be waited for. */
  checkNoneWaits(asker: WorkerRecord): void {
    for (const { message } of this.#open.values()) {
      if (message.sender === asker) this.#observer.fail(`${message} waits for a router that is gone`);
    }
  }

  /** Everything has come to rest. */
  checkNothingOpen(): void {
    for (const { message } of this.#open.values()) this.#observer.fail(`${message} hangs`);
  }
}
