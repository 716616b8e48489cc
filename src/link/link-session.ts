/**
 * What two routers promise each other over a carrier that loses, doubles and reorders: each frame once and in order, while it
 * fits the outbox; beyond that, counted on both sides. One object at each end; time comes in as an argument. Pure.
 */

import { FrameError } from "../protocol/frame.js";
import { type Datagram, encodeDatagram } from "../protocol/link-datagram.js";
import { Incoming, type IncomingEvents } from "./incoming.js";
import { Outgoing, type OutgoingLimits } from "./outgoing.js";

export interface LinkSettings extends OutgoingLimits {
  /** Random, of this router's process and of the other's: a process that restarts begins a new session. */
  readonly incarnation: string;
  readonly peerIncarnation: string;
  /** How long an acknowledgement waits for something to travel with. */
  readonly ackDelayMs: number;
  /** What comes is acknowledged when `settle` says so: it has to be passed on first. */
  readonly isAckHeld?: boolean;
}

export class LinkSession {
  readonly #settings: LinkSettings;
  readonly #outgoing: Outgoing;
  readonly #incoming: Incoming;
  #nextPacket = 1;
  #isUp = false;
  #ackDueMs = Number.POSITIVE_INFINITY;

  constructor(settings: LinkSettings, events: IncomingEvents) {
    this.#settings = settings;
    this.#outgoing = new Outgoing(settings);
    this.#incoming = new Incoming(events, settings.isAckHeld);
  }

  get peerIncarnation(): string {
    return this.#settings.peerIncarnation;
  }

  /** Bytes that wait to be sent or acknowledged. */
  get queuedBytes(): number {
    return this.#outgoing.queuedBytes;
  }

  /** Of those, bytes that wait to be sent. */
  get unsentBytes(): number {
    return this.#outgoing.unsentBytes;
  }

  get queuedFrames(): number {
    return this.#outgoing.queuedFrames;
  }

  /** Whether the other side has taken all there ever was, or knows that it is lost. */
  get isSettled(): boolean {
    return this.#outgoing.isSettled;
  }

  /** Frames that this side gave up; of those, `lost` did not arrive, as the other side has said. */
  get givenUp(): number {
    return this.#outgoing.givenUp;
  }

  get lost(): number {
    return this.#outgoing.lost;
  }

  /** Frames that the other side gave up before they had come. */
  get missed(): number {
    return this.#incoming.lostTotal;
  }

  /** Sequence of the last frame that was pushed. */
  get pushed(): number {
    return this.#outgoing.pushed;
  }

  /** Frames up to this one have been taken, or were given up. */
  get passed(): number {
    return this.#outgoing.passed;
  }

  /** Frames up to this one have been taken by the other side, or it knows that they are lost. */
  get acked(): number {
    return this.#outgoing.acked;
  }

  /** Frames up to this one have come, or will not. */
  get taken(): number {
    return this.#incoming.taken;
  }

  /** The other side goes on where another receiver has left off. */
  resume(taken: number, lostTotal: number): void {
    this.#incoming.resume(taken, lostTotal);
  }

  /** With `isAckHeld`: what has come up to this sequence has been passed on. */
  settle(sequence: number, nowMs: number): void {
    if (this.#incoming.settle(sequence)) this.#ackDueMs = Math.min(this.#ackDueMs, nowMs + this.#settings.ackDelayMs);
  }

  get droppedVolatile(): number {
    return this.#outgoing.droppedVolatile;
  }

  get doubles(): number {
    return this.#incoming.doubles;
  }

  /** Queues a whole frame, which is not changed any more. Answers false when it was volatile and is dropped. */
  push(frame: Buffer, isVolatile: boolean, nowMs: number): boolean {
    return this.#outgoing.push(frame, isVolatile, nowMs);
  }

  /** Counts a frame that is not kept: the other side is not expected back. Everything before it has to be given up. */
  pushLost(): void {
    this.#outgoing.pushLost();
  }

  /** The carrier can send, or cannot: what has not been acknowledged is sent again when it can. */
  noteCarrier(isUp: boolean, nowMs: number): void {
    if (this.#isUp === isUp) return;
    this.#isUp = isUp;
    this.#outgoing.noteCarrier(isUp, nowMs, this.#nextPacket);
  }

  /** Takes a datagram that is of the other side's present process. @throws FrameError when it says what cannot be */
  receive(datagram: Datagram, nowMs: number): void {
    const { incarnation, peerIncarnation } = this.#settings;
    if (datagram.to !== incarnation || datagram.from !== peerIncarnation) {
      throw new FrameError("bad-value", "a datagram of another session");
    }
    this.#outgoing.noteAck(datagram, nowMs, this.#nextPacket);
    this.#incoming.take(datagram.packet, datagram);
    const { unackedBytes, hasGap } = this.#incoming;
    if (unackedBytes === 0) return;
    const isUrgent = hasGap || unackedBytes >= this.#settings.maxInFlightBytes / 4;
    this.#ackDueMs = isUrgent ? nowMs : Math.min(this.#ackDueMs, nowMs + this.#settings.ackDelayMs);
  }

  /** Whether `take` would give a datagram. */
  hasNews(nowMs: number): boolean {
    return this.#isUp && (this.#outgoing.hasNews || nowMs >= this.#ackDueMs);
  }

  /** The next datagram; undefined when there is nothing to say. */
  take(nowMs: number): Buffer | undefined {
    if (!this.hasNews(nowMs)) return undefined;
    const { incarnation, peerIncarnation } = this.#settings;
    const { base, first, frames, fragment, asksAck } = this.#outgoing.take(nowMs);
    const { acked, ackedBytes, hasGap, highestPacket, lostTotal } = this.#incoming.acknowledgement;
    this.#incoming.noteAcknowledged();
    this.#ackDueMs = Number.POSITIVE_INFINITY;
    // One by one: two objects spread into a third would take longer than all the rest of a datagram.
    return encodeDatagram({
      from: incarnation,
      to: peerIncarnation,
      packet: this.#nextPacket++,
      acked,
      ackedBytes,
      hasGap,
      highestPacket,
      lostTotal,
      base,
      first,
      frames,
      fragment,
      asksAck,
    });
  }

  /** Gives up what is too old, and sends again what has not been answered. To be called when `nextDueMs` has come. */
  tick(nowMs: number): void {
    this.#outgoing.tick(nowMs, this.#nextPacket);
  }

  /** When `tick` or `take` has something to do; infinity when nothing waits. */
  nextDueMs(): number {
    return Math.min(this.#outgoing.nextDueMs(), this.#isUp ? this.#ackDueMs : Number.POSITIVE_INFINITY);
  }

  /** The other side is gone: answers how many frames that gives up. It may come back, and learns then what it missed. */
  giveUpAll(): number {
    return this.#outgoing.giveUpAll();
  }

  /**
   * The other side's process has restarted: frames that were never sent are the new session's. Answers how many were sent and
   * not acknowledged: they may have been taken, and are not sent again, unless they may come twice.
   */
  moveTo(successor: LinkSession, mayRepeat: (frame: Buffer) => boolean = () => false): number {
    return this.#outgoing.moveTo(successor.#outgoing, mayRepeat);
  }
}
