/**
 * Gives accepted connections to workers over node's IPC channel, in the message shape of `@socket.io/sticky`. A
 * connection waits here until a ready worker can take it, and is taken back from one that ends or stalls first.
 */

import { parseAddress } from "../address/address.js";
import type { HostMetrics } from "../metrics/host-metrics.js";
import { unknownSessionBody } from "../protocol/unknown-session.js";
import { resumeReading } from "../socket-reading.js";
import type { IncomingConnection } from "./listener.js";
import { answerAndClose } from "./refusal.js";
import { closeUnacknowledgedHandle } from "./unacknowledged-handle.js";
import { type ChoiceSettings, chooseWorker } from "./worker-choice.js";
import { listTakers, type WorkerRecord } from "./worker-record.js";

export interface HandOffSettings extends ChoiceSettings {
  readonly hostKey: string;
  /** Connections that may wait while no worker is ready, and for each worker. */
  readonly maxPendingConnections: number;
}

/** A worker whose channel has not taken a connection for this long does not run its event loop. */
const stallAfterMs = 500;
/** A worker reports each second; one that has been silent for this long does not run its event loop either. */
const silentAfterMs = 3_000;
const sweepIntervalMs = 100;

interface Transfer {
  readonly connection: IncomingConnection;
  readonly sinceMs: number;
}

/** Connections on their way to one worker. */
interface Lane {
  /**
   * Given to Node, not yet written. Node writes one handle and then waits for the worker's acknowledgement, so one here
   * is enough to keep the channel busy, and all others can still be taken back.
   */
  sending: Transfer | undefined;
  readonly waiting: IncomingConnection[];
}

export class HandOff {
  readonly #settings: HandOffSettings;
  readonly #metrics: HostMetrics;
  readonly #workerBySlot = new Map<number, WorkerRecord>();
  readonly #laneBySlot = new Map<number, Lane>();
  readonly #waitingForWorker: IncomingConnection[] = [];
  readonly #sweep: NodeJS.Timeout;
  #lastChosenSlot: number | undefined;
  #choices = 0;
  #isDraining = false;

  constructor(settings: HandOffSettings, metrics: HostMetrics) {
    this.#settings = settings;
    this.#metrics = metrics;
    this.#sweep = setInterval(() => this.#rescueFromStalled(), sweepIntervalMs);
    this.#sweep.unref();
  }

  get waitingConnections(): number {
    return this.#waitingForWorker.length;
  }

  /** Takes a connection from the listener; the connection is this object's from now on. */
  take(connection: IncomingConnection): void {
    // A session id of another host, or none at all, may be a parameter of a page: another host answers that, too.
    if (this.#isDraining && !this.#isOwnSession(connection.sid)) {
      this.#refuse(connection, 503, "draining", "draining");
      return;
    }
    const slot = this.#chooseSlot(connection, performance.now());
    if (slot !== undefined) {
      this.#enqueue(slot, connection);
      return;
    }
    if (connection.sid !== undefined) {
      // No worker can know that session any more, and the client must hear so at once to start a new one.
      this.#metrics.unknownSessions.inc();
      this.#refuse(connection, 400, "unknown-session", unknownSessionBody);
      return;
    }
    if (this.#waitingForWorker.length >= this.#settings.maxPendingConnections) {
      this.#refuse(connection, 503, "no-worker", "no worker is ready");
      return;
    }
    this.#waitingForWorker.push(connection);
  }

  /** A worker said ready: it takes connections from now on, those that waited first. */
  addWorker(record: WorkerRecord): void {
    this.#workerBySlot.set(record.slot, record);
    this.#laneBySlot.set(record.slot, { sending: undefined, waiting: [] });
    for (const connection of this.#waitingForWorker.splice(0)) this.take(connection);
  }

  /** A worker ended: what it had not taken yet goes to others. */
  removeWorker(slot: number): void {
    const lane = this.#laneBySlot.get(slot);
    const record = this.#workerBySlot.get(slot);
    this.#workerBySlot.delete(slot);
    this.#laneBySlot.delete(slot);
    if (lane === undefined || record === undefined) return;
    closeUnacknowledgedHandle(record.process.process);
    const left = [...(lane.sending === undefined ? [] : [lane.sending.connection]), ...lane.waiting];
    // Node says later that the sending failed: by then the slot may have a new worker, which that is not about.
    lane.sending = undefined;
    this.#reroute(left, "worker-ended");
  }

  /** The host ends: from now on only requests of sessions are handed over; all others are refused, those that wait included. */
  startDraining(): void {
    this.#isDraining = true;
    const waiting = [...this.#laneBySlot.values()].flatMap((lane) => takeMovable(lane));
    for (const connection of [...this.#waitingForWorker.splice(0), ...waiting]) this.take(connection);
  }

  close(): void {
    this.startDraining();
    clearInterval(this.#sweep);
  }

  #isOwnSession(sid: string | undefined): boolean {
    return sid !== undefined && parseAddress(sid)?.hostKey === this.#settings.hostKey;
  }

  #chooseSlot(connection: IncomingConnection, nowMs: number): number | undefined {
    const address = connection.sid === undefined ? undefined : parseAddress(connection.sid);
    if (address !== undefined && address.hostKey === this.#settings.hostKey) {
      const owner = this.#workerBySlot.get(address.workerSlot);
      // A draining worker too: it still serves the sessions it has.
      if (owner !== undefined) return owner.slot;
    }
    const candidates = listTakers(this.#workerBySlot.values()).map((record) => record.describeLoad(nowMs));
    const slot = chooseWorker(candidates, this.#lastChosenSlot, this.#settings, nowMs);
    if (slot === undefined) return undefined;
    if (connection.isHandshake) this.#lastChosenSlot = slot;
    this.#choices++;
    const chosen = this.#workerBySlot.get(slot);
    if (chosen !== undefined) chosen.lastChosen = this.#choices;
    return slot;
  }

  #enqueue(slot: number, connection: IncomingConnection): void {
    const lane = this.#laneBySlot.get(slot);
    const record = this.#workerBySlot.get(slot);
    if (lane === undefined || record === undefined) throw new Error(`no lane for worker ${slot}`);
    if (lane.waiting.length >= this.#settings.maxPendingConnections) {
      // Its event loop does not run, and no other worker may or can have these.
      this.#refuse(connection, 503, "no-worker", "the worker does not answer");
      return;
    }
    record.noteHandOff(connection.isHandshake, performance.now());
    if (lane.sending !== undefined) lane.waiting.push(connection);
    else this.#send(record, lane, connection);
  }

  #send(record: WorkerRecord, lane: Lane, connection: IncomingConnection): void {
    const transfer: Transfer = { connection, sinceMs: performance.now() };
    lane.sending = transfer;
    const { socket, received, client, isReturned } = connection;
    const message = {
      type: "sticky:connection",
      data: received,
      ...(client !== undefined && { client }),
      ...(isReturned && { isReturned }),
    };
    record.process.send(message, socket, {}, (error) => this.#noteSent(record, lane, transfer, error));
  }

  #noteSent(record: WorkerRecord, lane: Lane, transfer: Transfer, error: Error | null): void {
    // Taken back in the meantime, by the worker's end.
    if (lane.sending !== transfer) return;
    if (error !== null) {
      // The channel is closed: the process has ended or is useless. Its `exit` may come later than this, and until then
      // it must not be chosen again.
      this.removeWorker(record.slot);
      record.kill();
      return;
    }
    lane.sending = undefined;
    record.isStalled = false;
    this.#metrics.connectionsHandedOff.inc();
    const next = lane.waiting.shift();
    if (next !== undefined && this.#laneBySlot.get(record.slot) === lane) this.#send(record, lane, next);
  }

  #rescueFromStalled(): void {
    const nowMs = performance.now();
    for (const [slot, lane] of this.#laneBySlot) {
      const record = this.#workerBySlot.get(slot);
      if (record === undefined) continue;
      const isStuck = lane.sending !== undefined && nowMs - lane.sending.sinceMs >= stallAfterMs;
      record.isStalled = isStuck || nowMs - record.lastHeardMs > silentAfterMs;
      if (!isStuck) continue;
      if (!listTakers(this.#workerBySlot.values()).some((taker) => !taker.isStalled)) continue;
      this.#reroute(takeMovable(lane), "worker-stalled");
    }
  }

  #reroute(connections: readonly IncomingConnection[], reason: "worker-ended" | "worker-stalled"): void {
    for (const connection of connections) {
      this.#metrics.handOffsRerouted.inc({ reason });
      this.take(connection);
    }
  }

  #refuse(
    connection: IncomingConnection,
    status: 400 | 503,
    reason: "draining" | "unknown-session" | "no-worker",
    body: string,
  ): void {
    this.#metrics.connectionsRefused.inc({ reason });
    resumeReading(connection.socket);
    answerAndClose(connection.socket, status, body);
  }
}

/** Takes what any worker may have off a lane. */
function takeMovable(lane: Lane): IncomingConnection[] {
  const movable = lane.waiting.filter((connection) => connection.sid === undefined);
  const kept = lane.waiting.filter((connection) => connection.sid !== undefined);
  lane.waiting.splice(0, lane.waiting.length, ...kept);
  return movable;
}
