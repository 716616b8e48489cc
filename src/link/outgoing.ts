/**
 * The sending half of a link session: frames wait until they are acknowledged, are sent again when they have not come, and
 * the oldest are given up when they are too many or too old. Pure.
 */

import { FrameError } from "../protocol/frame.js";
import type { Acknowledgement, Batch, DatagramFrame } from "../protocol/link-datagram.js";

export interface OutgoingLimits {
  /** Frames that are kept may take up this much; a single one that is longer may be alone. */
  readonly maxBytes: number;
  /** A frame that has not been taken for this long is given up. */
  readonly maxAgeMs: number;
  /** Sent and not yet acknowledged: a carrier cuts off who is too far behind. */
  readonly maxInFlightBytes: number;
  /** Content of one datagram; a longer frame goes in pieces. */
  readonly maxDatagramBytes: number;
  /** Without progress for this long, sending begins again where the receiver is; doubles up to `maxResendMs`. */
  readonly resendMs: number;
  readonly maxResendMs: number;
}

interface Entry {
  /** Zero for a volatile frame, which is outside the sequence. */
  readonly sequence: number;
  readonly bytes: number;
  readonly queuedMs: number;
  /** Undefined once a volatile frame has been sent or dropped. */
  frame: Buffer | undefined;
}

/** What is missing is sent again at most this often in `resendMs`. */
const repeatsPerResend = 4;
/** Entries that have gone are cut off the array when there are this many of them. */
const minCut = 1_024;

export class Outgoing {
  readonly #limits: OutgoingLimits;
  #entries: Entry[] = [];
  /** Index of the oldest entry, and of the one that is sent next. */
  #head = 0;
  #cursor = 0;
  /** Bytes of the entry at the cursor that have been sent. */
  #cursorBytes = 0;
  #nextSequence = 1;
  #acked = 0;
  #ackedBytes = 0;
  #base = 1;
  #keptBytes = 0;
  #volatileBytes = 0;
  /** Where the oldest entry and the cursor are, in bytes of kept frames since the beginning. */
  #headPosition = 0;
  #cursorPosition = 0;
  #highestSent = 0;
  #isUp = false;
  /** One datagram until there is an answer: whoever does not answer is not to be flooded. */
  #isProbing = false;
  #hasProbed = false;
  #resendMs: number;
  #resendAtMs = 0;
  /** Reports of gaps that are older than the last new beginning say nothing new. */
  #beganWithPacket = 0;
  #repeatedMs = Number.NEGATIVE_INFINITY;
  /** Frames given up; the receiver may have got some of them. */
  givenUp = 0;
  /** Frames of those that the receiver did not get: it says so. */
  lost = 0;
  droppedVolatile = 0;

  constructor(limits: OutgoingLimits) {
    this.#limits = limits;
    this.#resendMs = limits.resendMs;
  }

  /** Bytes that wait for their acknowledgement. */
  get queuedBytes(): number {
    return this.#keptBytes + this.#volatileBytes;
  }

  /** Bytes that wait to be sent, for the first time or again. */
  get unsentBytes(): number {
    return Math.max(0, this.#keptBytes - (this.#cursorPosition - this.#headPosition)) + this.#volatileBytes;
  }

  /** Frames that wait for their acknowledgement; volatile ones are not counted. */
  get queuedFrames(): number {
    return this.#nextSequence - Math.max(this.#base, this.#acked + 1);
  }

  get #inFlightBytes(): number {
    const taken = this.#oldestSequence() === this.#acked + 1 ? this.#ackedBytes : 0;
    return Math.max(0, this.#cursorPosition - this.#headPosition - taken);
  }

  #oldestSequence(): number | undefined {
    return this.#entries[this.#head]?.sequence;
  }

  /** Whether the receiver has taken, or knows to be lost, all there ever was. */
  get isSettled(): boolean {
    return this.#acked === this.#nextSequence - 1;
  }

  get pushed(): number {
    return this.#nextSequence - 1;
  }

  get acked(): number {
    return this.#acked;
  }

  get passed(): number {
    return Math.max(this.#acked, this.#base - 1);
  }

  /** Gives up all there is, and one frame more that is not even kept. */
  pushLost(): void {
    this.giveUpAll();
    this.#nextSequence++;
    this.#base = this.#nextSequence;
    this.givenUp++;
  }

  /** Takes a frame, which the caller does not change any more. Answers false when a volatile one is dropped. */
  push(frame: Buffer, isVolatile: boolean, nowMs: number): boolean {
    const bytes = frame.length;
    if (isVolatile) {
      if (
        !this.#isUp ||
        this.#isProbing ||
        this.#inFlightBytes + this.#volatileBytes >= this.#limits.maxInFlightBytes
      ) {
        this.droppedVolatile++;
        return false;
      }
      this.#volatileBytes += bytes;
      this.#entries.push({ sequence: 0, bytes, queuedMs: nowMs, frame });
      return true;
    }
    while (this.#keptBytes > 0 && this.#keptBytes + bytes > this.#limits.maxBytes) this.#giveUpOldest();
    this.#keptBytes += bytes;
    this.#entries.push({ sequence: this.#nextSequence++, bytes, queuedMs: nowMs, frame });
    return true;
  }

  /** The carrier can send again, or cannot. What is volatile does not wait for it. */
  noteCarrier(isUp: boolean, nowMs: number, nextPacket: number): void {
    this.#isUp = isUp;
    this.#resendMs = this.#limits.resendMs;
    if (isUp) {
      // Another receiver may go on from here, which has no part of the frame.
      this.#ackedBytes = 0;
      this.#beginAgain(nextPacket, !this.isSettled);
      this.#resendAtMs = nowMs + this.#resendMs;
      return;
    }
    for (let at = this.#head; at < this.#entries.length; at++) this.#dropVolatile(this.#entries[at] as Entry);
  }

  /** Gives up what is too old, and begins again when there has been no progress. */
  tick(nowMs: number, nextPacket: number): void {
    for (let entry = this.#entries[this.#head]; entry !== undefined; entry = this.#entries[this.#head]) {
      if (nowMs - entry.queuedMs < this.#limits.maxAgeMs) break;
      if (entry.sequence === 0) this.#dropVolatile(entry);
      else this.#giveUpOldest();
      this.#cut();
    }
    if (!this.#isUp || this.isSettled || nowMs < this.#resendAtMs) return;
    this.#beginAgain(nextPacket, true);
    this.#resendMs = Math.min(2 * this.#resendMs, this.#limits.maxResendMs);
    this.#resendAtMs = nowMs + this.#resendMs;
  }

  /** When `tick` has something to do next; infinity when nothing waits. */
  nextDueMs(): number {
    const oldest = this.#entries[this.#head];
    const expiryMs = oldest === undefined ? Number.POSITIVE_INFINITY : oldest.queuedMs + this.#limits.maxAgeMs;
    return this.#isUp && !this.isSettled ? Math.min(expiryMs, this.#resendAtMs) : expiryMs;
  }

  /** Whether `take` has something that is worth a datagram. */
  get hasNews(): boolean {
    if (!this.#isUp) return false;
    if (this.#isProbing) return !this.#hasProbed && !this.isSettled;
    return this.#cursor < this.#entries.length && this.#inFlightBytes < this.#limits.maxInFlightBytes;
  }

  /** What goes into the next datagram; empty when there is nothing, or nothing may be sent. */
  take(nowMs: number): Batch {
    const frames: DatagramFrame[] = [];
    let bytes = 0;
    let first = 0;
    const wasIdle = this.#inFlightBytes === 0;
    const base = this.#base;
    const isProbe = this.#isProbing && this.hasNews;
    if (this.hasNews) {
      this.#hasProbed = true;
      for (; this.#cursor < this.#entries.length; this.#cursor++) {
        const entry = this.#entries[this.#cursor] as Entry;
        const { frame, sequence } = entry;
        if (frame === undefined) continue;
        if (sequence > 0 && entry.bytes > this.#limits.maxDatagramBytes) {
          if (frames.length > 0) break;
          if (wasIdle) this.#startClock(nowMs);
          return this.#takeFragment(entry, frame);
        }
        const isFull = bytes + entry.bytes > this.#limits.maxDatagramBytes && frames.length > 0;
        if (isFull || (sequence > 0 && this.#inFlightBytes >= this.#limits.maxInFlightBytes)) break;
        frames.push({ isVolatile: sequence === 0, frame });
        bytes += entry.bytes;
        if (sequence === 0) {
          this.#volatileBytes -= entry.bytes;
          entry.frame = undefined;
        } else {
          if (first === 0) first = sequence;
          this.#cursorPosition += entry.bytes;
          this.#noteSent(sequence);
        }
      }
      if (wasIdle) this.#startClock(nowMs);
    }
    this.#cut();
    const next = first === 0 ? Math.max(base, this.#sequenceAtCursor()) : first;
    return { base, first: next, frames, fragment: undefined, asksAck: isProbe && first === 0 };
  }

  /** @throws FrameError when something is acknowledged that was never sent */
  noteAck(ack: Acknowledgement, nowMs: number, nextPacket: number): void {
    const { acked, ackedBytes } = ack;
    if (acked >= this.#nextSequence)
      throw new FrameError("bad-value", `frame ${acked} is acknowledged, which was never sent`);
    this.lost = Math.max(this.lost, ack.lostTotal);
    const hasProgress = acked > this.#acked || (acked === this.#acked && ackedBytes > this.#ackedBytes);
    if (hasProgress) {
      this.#acked = acked;
      this.#base = Math.max(this.#base, acked + 1);
      this.#release();
      // Of more than there is of the frame, nothing is believed.
      const next = this.#entries[this.#head];
      this.#ackedBytes = next?.sequence === acked + 1 && ackedBytes >= next.bytes ? 0 : ackedBytes;
      this.#resendMs = this.#limits.resendMs;
      this.#resendAtMs = nowMs + this.#resendMs;
    }
    // Whoever answers is there.
    if (this.#isProbing && (hasProgress || this.isSettled)) this.#isProbing = false;
    if (!ack.hasGap || acked !== this.#acked || ack.highestPacket < this.#beganWithPacket) return;
    // At once, but not again and again: a carrier that loses much would be flooded.
    const soonestMs = this.#repeatedMs + this.#limits.resendMs / repeatsPerResend;
    if (nowMs < soonestMs) {
      this.#resendAtMs = Math.min(this.#resendAtMs, soonestMs);
      return;
    }
    this.#repeatedMs = nowMs;
    this.#beginAgain(nextPacket, false);
  }

  /** The receiver is not to be waited for any more: answers how many frames that gives up. */
  giveUpAll(): number {
    const before = this.givenUp;
    for (const entry of this.#entries.slice(this.#head)) if (entry.sequence === 0) this.#dropVolatile(entry);
    while (this.#keptBytes > 0) this.#giveUpOldest();
    this.#cut();
    return this.givenUp - before;
  }

  /**
   * The receiver has restarted, and knows of nothing: what it may have got is given up, since it could come twice; the rest
   * is the successor's. Answers how many frames are of unknown fate.
   * @param mayRepeat whether a frame does no harm when it comes twice
   */
  moveTo(successor: Outgoing, mayRepeat: (frame: Buffer) => boolean): number {
    let uncertain = 0;
    for (let at = this.#head; at < this.#entries.length; at++) {
      const { sequence, frame, queuedMs } = this.#entries[at] as Entry;
      if (sequence === 0 || frame === undefined) continue;
      if (sequence <= this.#highestSent && !mayRepeat(frame)) uncertain++;
      else successor.push(frame, false, queuedMs);
    }
    return uncertain;
  }

  #takeFragment(entry: Entry, frame: Buffer): Batch {
    const offset = this.#cursorBytes;
    const bytes = frame.subarray(offset, offset + this.#limits.maxDatagramBytes);
    this.#cursorPosition += bytes.length;
    this.#cursorBytes += bytes.length;
    this.#noteSent(entry.sequence);
    if (this.#cursorBytes === frame.length) {
      this.#cursor++;
      this.#cursorBytes = 0;
    }
    const fragment = { offset, frameBytes: frame.length, bytes };
    return { base: this.#base, first: entry.sequence, frames: [], fragment, asksAck: false };
  }

  #noteSent(sequence: number): void {
    if (sequence > this.#highestSent) this.#highestSent = sequence;
  }

  #startClock(nowMs: number): void {
    this.#resendAtMs = nowMs + this.#resendMs;
  }

  #sequenceAtCursor(): number {
    for (let at = this.#cursor; at < this.#entries.length; at++) {
      const { sequence } = this.#entries[at] as Entry;
      if (sequence > 0) return sequence;
    }
    return this.#nextSequence;
  }

  /** Sends from where the receiver is. */
  #beginAgain(nextPacket: number, isProbing: boolean): void {
    this.#cursor = this.#head;
    this.#cursorBytes = this.#oldestSequence() === this.#acked + 1 ? this.#ackedBytes : 0;
    this.#cursorPosition = this.#headPosition + this.#cursorBytes;
    this.#beganWithPacket = nextPacket;
    this.#isProbing = isProbing;
    this.#hasProbed = false;
  }

  /** Lets go of what has been taken. */
  #release(): void {
    for (let entry = this.#entries[this.#head]; entry !== undefined; entry = this.#entries[this.#head]) {
      if (entry.sequence > 0 ? entry.sequence > this.#acked : entry.frame !== undefined) break;
      this.#pass(entry);
    }
    this.#cut();
  }

  /** The oldest entry is done with. */
  #pass(entry: Entry): void {
    this.#head++;
    if (entry.sequence > 0) {
      this.#keptBytes -= entry.bytes;
      this.#headPosition += entry.bytes;
    }
    if (this.#cursor >= this.#head) return;
    this.#cursor = this.#head;
    this.#cursorBytes = 0;
    this.#cursorPosition = this.#headPosition;
  }

  #giveUpOldest(): void {
    for (let entry = this.#entries[this.#head]; entry !== undefined; entry = this.#entries[this.#head]) {
      this.#dropVolatile(entry);
      this.#pass(entry);
      if (entry.sequence === 0) continue;
      this.givenUp++;
      this.#base = entry.sequence + 1;
      return;
    }
  }

  #dropVolatile(entry: Entry): void {
    if (entry.sequence !== 0 || entry.frame === undefined) return;
    this.#volatileBytes -= entry.bytes;
    entry.frame = undefined;
    this.droppedVolatile++;
  }

  /** Empty places at the beginning cost memory, and cutting them off costs time. */
  #cut(): void {
    for (let entry = this.#entries[this.#head]; entry !== undefined; entry = this.#entries[this.#head]) {
      if (entry.sequence !== 0 || entry.frame !== undefined) break;
      this.#pass(entry);
    }
    if (this.#head < minCut || 2 * this.#head < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#cursor -= this.#head;
    this.#head = 0;
  }
}
