/** What a simulated worker puts into its session's outbox, and the shadow that it leaves there. */

import { encodeResponse, type RequestHead } from "../../src/protocol/exchange-frames.js";
import { frameKinds } from "../../src/protocol/frame.js";
import type { HostSession } from "../../src/worker/fabric/host-session.js";
import type { Observer } from "./observer.js";
import { OutboxShadow } from "./outbox-shadow.js";
import type { Message, WorkerRecord } from "./records.js";
import type { SimulatedConnection } from "./simulated-connection.js";
import { encodeAnswer, sendTagged } from "./tagged-frames.js";
import type { Truth } from "./truth.js";

export interface SendingWorker extends WorkerRecord {
  readonly session: HostSession;
  readonly observer: Observer;
  readonly truth: Truth;
  readonly connection: SimulatedConnection | undefined;
}

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

/** What a worker says of itself overtakes the messages: announcements of all its rooms, at most. */
const maxUrgentBytes = 64 * 1024;

export class WorkerSender {
  readonly shadow: OutboxShadow;
  readonly #worker: SendingWorker;
  readonly #maxBytes: number;

  constructor(worker: SendingWorker, maxOutboxBytes: number) {
    this.#worker = worker;
    this.#maxBytes = maxOutboxBytes;
    this.shadow = new OutboxShadow(urgentKinds, {
      fail: (text) => worker.observer.fail(`outbox of ${worker.name}: ${text}`),
      onGivenUp: (id) => this.#noteGivenUp(id),
      onQueued: () => {},
      onTaken: (id) => this.#noteTaken(id),
    });
  }

  /** Answers whether the message is on its way. */
  send(kind: number, message: Message, body: Uint8Array): boolean {
    const { session } = this.#worker;
    message.hadNoRouter = !session.isWelcome;
    const unsentBefore = session.counters.unsentFrames;
    const result = sendTagged(session, kind, message, body);
    if (result === undefined) return false;
    this.#checkLoss(this.shadow.notePush(message.id, message.isVolatile, result), unsentBefore);
    return result === "queued";
  }

  respond(head: RequestHead, id: number, fromUid: string, type: number, socketIds: readonly string[]): void {
    const { session } = this.#worker;
    const unsentBefore = session.counters.unsentFrames;
    const value = encodeAnswer(id, fromUid, socketIds);
    const result = session.send(encodeResponse(head.uid, fromUid, head.requestId, type, value));
    this.#checkLoss(this.shadow.notePush(id, false, result), unsentBefore);
  }

  #checkLoss(lost: number, unsentBefore: number): void {
    const { session, observer, name } = this.#worker;
    const counted = session.counters.unsentFrames - unsentBefore;
    if (counted !== lost) observer.fail(`${name} lost ${lost} frames unsent, and counted ${counted}`);
    if (session.queuedBytes > this.#maxBytes + maxUrgentBytes && this.shadow.waiting > 1) {
      observer.fail(`${session.queuedBytes} bytes wait in the outbox of ${name}`);
    }
  }

  #noteGivenUp(id: number): void {
    const { truth, observer, name } = this.#worker;
    const message = truth.messages[id];
    if (message === undefined) return;
    message.isLossy = true;
    observer.log?.(`${name} gives up ${message}`);
    if (message.sender === this.#worker) truth.release(message);
  }

  #noteTaken(id: number): void {
    const { truth, connection } = this.#worker;
    const message = truth.messages[id];
    if (message === undefined || message.sender !== this.#worker) return;
    message.connection = connection;
    if (connection?.isBroken) truth.release(message);
  }
}
