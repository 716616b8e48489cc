/**
 * The worker's end of its connection to the router, as a state machine: announcements, outbox, members, requests. It
 * does no I/O, reads no clock and knows nothing of Socket.IO, so that a whole host runs on virtual time in a test.
 */

import { isEmitterRequest } from "../../protocol/emitter-frame.js";
import { commands, decodeResponse, readCommand, readRequestHead, responses } from "../../protocol/exchange-frames.js";
import { FrameError, frameKinds, protocolVersion } from "../../protocol/frame.js";
import { FrameSplitter } from "../../protocol/frame-splitter.js";
import { shouldReconnectNow } from "../../protocol/port-refusals.js";
import { readRegionalHead } from "../../protocol/regional-frame.js";
import { RoutedView } from "../../protocol/routed-frame.js";
import {
  decodeRouterToWorker,
  encodeWorkerToRouter,
  nameHostAsked,
  type RouterToWorker,
  readFrameKind,
} from "../../protocol/worker-port-frames.js";
import { InterestLog } from "../../routing/interest-log.js";
import { MemberList } from "../../routing/member-list.js";
import { OriginFilter } from "../../routing/origin-filter.js";
import { Outbox, type OutboxLimits, type PushResult } from "../../routing/outbox.js";
import { type RequestHandlers, RequestLedger } from "../../routing/request-ledger.js";
import { EndpointTable, type SessionEndpoint } from "./endpoint-table.js";
import { emptySessionCounters, type SessionCounters, type SessionEffects } from "./session-effects.js";

export interface HostSessionSettings {
  /** Random, of this process. */
  readonly workerId: string;
  readonly outbox: OutboxLimits;
  readonly leaveCooldownMs: number;
  readonly maxRooms: number;
  /** The longest that `await socket.join()` waits for the router. */
  readonly joinLimitMs: number;
}

const maxWriteBytes = 256 * 1024;

export class HostSession {
  readonly counters: SessionCounters = emptySessionCounters();
  readonly #settings: HostSessionSettings;
  readonly #effects: SessionEffects;
  readonly #outbox: Outbox;
  readonly #interest: InterestLog;
  readonly #ledger = new RequestLedger();
  readonly #endpoints = new EndpointTable();
  readonly #members = new MemberList();
  readonly #view = new RoutedView();
  /** Outlives the connection: a router that restarts, or a link that moves, sends again what was not acknowledged. */
  readonly #origins = new OriginFilter();
  #splitter: FrameSplitter | undefined;
  #isWelcome = false;
  #incarnation: string | undefined;
  #joinsTaken = 0;
  #joinsTold = 0;
  #isAwake = false;
  #unsentFrames = 0;

  constructor(settings: HostSessionSettings, effects: SessionEffects) {
    this.#settings = settings;
    this.#effects = effects;
    this.#outbox = new Outbox(settings.outbox);
    this.#interest = new InterestLog(settings, (namespace, room) => this.#endpoints.isRoomWanted(namespace, room));
  }

  /** Connected, and the router has said welcome. */
  get isWelcome(): boolean {
    return this.#isWelcome;
  }

  get queuedBytes(): number {
    return this.#outbox.queuedBytes;
  }

  get announcedRooms(): number {
    return this.#interest.roomCount;
  }

  get pendingRequests(): number {
    return this.#ledger.size;
  }

  // The connection.

  /**
   * A connection to the router is there. Who we are goes first, then the whole truth, then what has waited.
   * @param place host key and slot, encoded: the beginning of every id of this worker
   */
  connected(place: string): void {
    this.#splitter = new FrameSplitter((bytes, start, end) => this.#takeFrame(bytes, start, end));
    this.#joinsTaken = 0;
    this.#joinsTold = 0;
    this.#outbox.clearUrgent();
    const { workerId } = this.#settings;
    this.#sayUrgently(encodeWorkerToRouter({ type: "hello", version: protocolVersion, place, workerId }));
    for (const endpoint of this.#endpoints.all()) this.#sayUp(endpoint);
    this.#interest.restart(this.#sayUrgently, this.#sayFlooded);
    this.#sayUrgently(encodeWorkerToRouter({ type: "interest-complete" }));
  }

  /** @throws FrameError when the router speaks nonsense: the connection is to be closed */
  received(chunk: Buffer): void {
    this.#splitter?.push(chunk);
  }

  closed(): void {
    if (this.#splitter === undefined) return;
    this.#splitter = undefined;
    this.#isWelcome = false;
    this.#isAwake = false;
    this.#members.clear();
    this.#interest.stop();
    this.#outbox.clearUrgent();
    this.#ledger.loseRouter();
  }

  /** Nobody is left here: what waits for the router need not wait any more. */
  release(): void {
    this.#interest.release();
    this.#ledger.loseRouter();
  }

  takeWrites(): Buffer[] {
    this.#isAwake = false;
    if (this.#splitter === undefined) return [];
    this.#interest.flush(this.#sayUrgently, this.#sayFlooded);
    if (this.#joinsTaken > this.#joinsTold) {
      this.#joinsTold = this.#joinsTaken;
      this.#sayUrgently(encodeWorkerToRouter({ type: "joins-done", count: this.#joinsTaken }));
    }
    if (this.#outbox.untoldLoss > 0) this.#unsentFrames += this.#outbox.tellLoss();
    if (this.#isWelcome && this.#unsentFrames > 0) {
      this.#sayUrgently(encodeWorkerToRouter({ type: "unsent", frames: this.#unsentFrames }));
      this.#unsentFrames = 0;
    }
    // Before the welcome only the introduction is said: a router that refuses it must not have taken anything.
    return this.#isWelcome ? this.#outbox.take(maxWriteBytes) : this.#outbox.takeUrgent(maxWriteBytes);
  }

  /** The caller asks `hasWrites` next, and whatever comes after that wakes it anew. */
  written(blocks: readonly Buffer[]): void {
    this.#isAwake = false;
    this.#outbox.release(blocks);
  }

  get hasWrites(): boolean {
    if (this.#splitter === undefined) return false;
    if (this.#interest.hasNews || this.#joinsTaken > this.#joinsTold || this.#outbox.urgentBytes > 0) return true;
    // The outbox takes nothing until its loss is told.
    if (this.#outbox.untoldLoss > 0) return true;
    return this.#isWelcome && (!this.#outbox.isEmpty || this.#unsentFrames > 0);
  }

  tick(nowMs: number): void {
    this.#interest.tick(nowMs);
    this.#ledger.expire(nowMs);
    if (this.#interest.hasNews) this.#wake();
  }

  /** When `tick` has something to do next; infinity when nothing waits. */
  nextDueMs(): number {
    return Math.min(this.#interest.nextDueMs(), this.#ledger.nextDueMs());
  }

  // Namespaces and rooms.

  add(endpoint: SessionEndpoint): void {
    if (!this.#endpoints.add(endpoint)) return;
    if (this.#splitter === undefined) return;
    this.#sayUp(endpoint);
    this.#wake();
  }

  remove(endpoint: SessionEndpoint): void {
    if (this.#endpoints.remove(endpoint) === 0) {
      this.#members.removeNamespace(endpoint.namespace);
      this.#interest.removeNamespace(endpoint.namespace);
    }
    // Who serves nothing misses nothing: the next connection is a first one.
    if (this.#endpoints.isEmpty) this.#incarnation = undefined;
    if (this.#splitter === undefined) return;
    this.#sayUrgently(encodeWorkerToRouter({ type: "namespace-down", uid: endpoint.uid }));
    this.#wake();
  }

  /**
   * A socket has joined a room. Undefined when the router has known for long that the room is wanted; else a promise that
   * resolves when it does, or after `joinLimitMs`. It never rejects: callers of `socket.join()` do not catch.
   */
  joined(namespace: string, rooms: readonly unknown[], nowMs: number): Promise<void> | undefined {
    let areTaken = true;
    for (const room of rooms) areTaken = this.#interest.join(namespace, room) && areTaken;
    if (areTaken) return undefined;
    this.#wake();
    const deadlineMs = nowMs + this.#settings.joinLimitMs;
    this.#effects.schedule(deadlineMs);
    return new Promise((resolve) => this.#interest.wait(deadlineMs, resolve));
  }

  /** A socket has left rooms. */
  left(namespace: string, rooms: Iterable<unknown>, nowMs: number): void {
    for (const room of rooms) this.#interest.leave(namespace, room, nowMs);
    this.#effects.schedule(nowMs + this.#settings.leaveCooldownMs);
  }

  get lateJoins(): number {
    return this.#interest.lateJoins;
  }

  // Members.

  /** Adapters of other workers that serve a namespace. */
  countMembers(namespace: string): number {
    return this.#members.count(namespace);
  }

  /** Whether all of them read what a parser writes. */
  doAllParse(namespace: string, parserId: number): boolean {
    return this.#members.doAllParse(namespace, parserId);
  }

  // Sending.

  /** Makes room for a frame; when the answer is `queued`, the caller writes it to `target` from `at` on, at once. */
  reserve(frameBytes: number, isVolatile: boolean): PushResult {
    // What is volatile is not worth keeping for a router that is not there.
    if (isVolatile && !this.#isWelcome) {
      this.counters.droppedVolatile++;
      return "dropped";
    }
    const { untoldLoss, lostTotal, droppedVolatile } = this.#outbox;
    const result = this.#outbox.reserve(frameBytes, isVolatile);
    if (result === "queued") this.counters.framesOut++;
    // A frame that does not fit takes others with it.
    this.counters.unsentFrames += this.#outbox.lostTotal - lostTotal;
    this.counters.droppedVolatile += this.#outbox.droppedVolatile - droppedVolatile;
    if (result === "lost" && untoldLoss === 0) this.#effects.note({ type: "overflowed" });
    // A loss is to be told as well.
    if (result !== "dropped") this.#wake();
    return result;
  }

  get target(): Buffer {
    return this.#outbox.target;
  }

  get at(): number {
    return this.#outbox.at;
  }

  /** Sends a whole frame that is never volatile. */
  send(frame: Buffer): PushResult {
    const result = this.reserve(frame.length, false);
    if (result === "queued") frame.copy(this.target, this.at);
    return result;
  }

  /** Opens a request, whose frame the caller sends with the number that is answered. */
  openRequest({ onAnswer, onEnd }: RequestHandlers, deadlineMs: number): number {
    const guarded: RequestHandlers = {
      onAnswer: (type, value) => this.#guard(() => onAnswer(type, value)),
      onEnd: (end, counts) => this.#guard(() => onEnd(end, counts)),
    };
    const id = this.#ledger.open(guarded, deadlineMs);
    this.#effects.schedule(deadlineMs);
    return id;
  }

  /** There is nobody to ask. */
  endRequest(id: number, uid: string): void {
    this.#ledger.noteAsked(id, uid, []);
  }

  /** Its frame could not be sent. */
  failRequest(id: number): void {
    this.#ledger.fail(id);
  }

  // What comes in.

  #takeFrame(bytes: Buffer, start: number, end: number): void {
    this.counters.framesIn++;
    const kind = readFrameKind(bytes, start);
    switch (kind) {
      case frameKinds.broadcast:
      case frameKinds.command:
      case frameKinds.request:
        this.#view.read(bytes, start, end);
        this.#guard(() => this.#deliver(kind, this.#view));
        break;
      case frameKinds.emitter:
        this.#view.read(bytes, start, end);
        this.#takeEmitterMessage(this.#view);
        break;
      case frameKinds.regional:
        this.#takeRegional(bytes, start, end);
        break;
      case frameKinds.response:
        this.#guard(() => this.#takeResponse(bytes, start, end));
        break;
      default:
        this.#takeNews(decodeRouterToWorker(bytes, start, end));
    }
  }

  #takeRegional(bytes: Buffer, start: number, end: number): void {
    const { incarnation, sequence, innerStart } = readRegionalHead(bytes, start, end);
    if (this.#origins.isNew(incarnation, sequence)) {
      this.#takeFrame(bytes, innerStart, end);
      return;
    }
    this.counters.doubles++;
    this.#countDoubledJoin(readFrameKind(bytes, innerStart), bytes, innerStart, end);
  }

  /** The router counts what it sends, and not what it is. */
  #countDoubledJoin(kind: number, bytes: Buffer, start: number, end: number): void {
    if (kind !== frameKinds.command && kind !== frameKinds.emitter) return;
    this.#view.read(bytes, start, end);
    if (kind === frameKinds.command) this.#countJoin(this.#view);
    else if (isEmitterRequest(bytes, this.#view.bodyStart)) this.#noteJoinTaken();
  }

  #deliver(kind: number, view: RoutedView): void {
    const head = kind === frameKinds.request ? readRequestHead(view.bytes, view.bodyStart, view.end) : undefined;
    for (const endpoint of this.#endpoints.ofKey(view.readNamespaceKey())) {
      this.#guard(() => {
        if (head !== undefined) endpoint.takeRequest(view, head);
        else if (kind === frameKinds.command) endpoint.takeCommand(view);
        else endpoint.takeBroadcast(view);
      });
    }
    if (kind === frameKinds.command) this.#countJoin(view);
  }

  #takeEmitterMessage(view: RoutedView): void {
    for (const endpoint of this.#endpoints.ofKey(view.readNamespaceKey())) {
      this.#guard(() => endpoint.takeEmitterMessage(view));
    }
    // It may have made sockets join; the router counts all of them.
    if (isEmitterRequest(view.bytes, view.bodyStart)) this.#noteJoinTaken();
  }

  /**
   * What is wrong with what other workers or the application made is no reason to leave the router, and no harm to the
   * frames behind it, nor to other requests. What the application throws is its own to handle.
   */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (error instanceof FrameError) this.#effects.note({ type: "unreadable", reason: error.message });
      else this.#effects.raise(error);
    }
  }

  /** Once for the frame, as the router counts it, and not for each adapter that serves the namespace: none, or two, may. */
  #countJoin(view: RoutedView): void {
    if (readCommand(view.bytes, view.bodyStart, view.end) === commands.socketsJoin) this.#noteJoinTaken();
  }

  #noteJoinTaken(): void {
    this.#joinsTaken++;
    this.#wake();
  }

  #takeResponse(bytes: Buffer, start: number, end: number): void {
    const { requestId, toUid, fromUid, type, value } = decodeResponse(bytes, start, end);
    this.#ledger.noteAnswer(requestId, toUid, fromUid, type, value, type !== responses.ack);
  }

  #takeNews(news: RouterToWorker | undefined): void {
    switch (news?.type) {
      case "welcome":
        this.#takeWelcome(news.incarnation);
        break;
      case "refused":
        this.#effects.refused(news.code, news.reason, shouldReconnectNow(news.code));
        break;
      case "member-up":
        if (this.#endpoints.of(news.namespace).length > 0) this.#members.add(news.namespace, news.uid, news.parserId);
        break;
      case "member-down":
        this.#members.remove(news.namespace, news.uid);
        this.#ledger.forgetMember(news.uid);
        break;
      case "members-reset":
        this.#members.clear();
        break;
      case "place-down":
        this.#members.removePlace(news.place);
        this.#ledger.forgetPlace(news.place);
        break;
      case "place-stalled":
        this.#ledger.forgetPlace(news.place);
        break;
      case "place-resumed":
        // New requests ask it again; that is the router's to know.
        break;
      case "interest-taken":
        this.#interest.take(news.sequence);
        break;
      case "ping":
        this.#sayUrgently(encodeWorkerToRouter({ type: "pong", token: news.token }));
        this.#wake();
        break;
      case "routed":
        this.#ledger.noteAsked(news.requestId, news.uid, news.askedUids);
        break;
      case "routed-at":
        this.#ledger.noteAskedAt(news.requestId, news.uid, nameHostAsked(news.hostKey), news.askedUids);
        break;
      case "host-unreachable":
        this.#ledger.forgetPlace(news.hostKey);
        break;
      case "lost":
        this.#takeLoss(news.frames, news.joinsSent);
        break;
      case undefined:
        throw new FrameError("unknown-kind", "the router sent a frame of an unknown kind");
    }
  }

  #takeWelcome(incarnation: string): void {
    const former = this.#incarnation;
    this.#incarnation = incarnation;
    this.#isWelcome = true;
    this.#wake();
    // The same router again: what it had for us in between is gone. A new one: nobody knows what the former took with it.
    if (former === incarnation) this.#effects.note({ type: "reconnected" });
    else if (former !== undefined) this.#effects.note({ type: "router-restarted" });
    this.#effects.note({ type: "welcome" });
  }

  /** Answers to requests may be among what was lost. */
  #takeLoss(frames: number, joinsSent: number): void {
    this.counters.missedFrames += frames;
    this.#joinsTaken = joinsSent;
    this.#ledger.loseRouter();
    this.#effects.note({ type: "missed", frames });
    this.#wake();
  }

  #sayUp({ uid, parserId, namespace }: SessionEndpoint): void {
    this.#sayUrgently(encodeWorkerToRouter({ type: "namespace-up", uid, parserId, namespace }));
  }

  readonly #sayUrgently = (frame: Buffer): void => {
    this.#outbox.pushUrgent(frame);
  };

  readonly #sayFlooded = (isOn: boolean): void => {
    this.#sayUrgently(encodeWorkerToRouter({ type: "flood-me", isOn }));
  };

  /** Woken for nothing, the process does nothing, and would not be woken again. */
  #wake(): void {
    if (this.#isAwake || !this.hasWrites) return;
    this.#isAwake = true;
    this.#effects.wake();
  }
}
