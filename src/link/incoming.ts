/**
 * The receiving half of a link session: takes each frame once and in order, finds gaps, counts what the sender gave up, and
 * says what it has. Pure.
 */

import { FrameError, lengthBytes } from "../protocol/frame.js";
import type { Acknowledgement, Batch, Fragment } from "../protocol/link-datagram.js";

export interface IncomingEvents {
  /** A frame of the other side; the bytes are read at once or copied. */
  readonly onFrame: (frame: Buffer) => void;
  /** The sender gave up frames that had not come. */
  readonly onLost: (frames: number) => void;
}

export class Incoming {
  readonly #events: IncomingEvents;
  #taken = 0;
  /** Acknowledged are frames up to this one only; infinity when whatever has come is. */
  #settled: number;
  #highestPacket = 0;
  #hasGap = false;
  /** Pieces of the next frame. */
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  /** Bytes that have come since the last acknowledgement; something to acknowledge, when above 0. */
  #unackedBytes = 0;
  lostTotal = 0;
  /** Frames that came more than once. */
  doubles = 0;

  /** @param isAckHeld frames are acknowledged when `settle` says so, and not when they come */
  constructor(events: IncomingEvents, isAckHeld = false) {
    this.#events = events;
    this.#settled = isAckHeld ? 0 : Number.POSITIVE_INFINITY;
  }

  /** Frames up to this one have come, or will not. */
  get taken(): number {
    return this.#taken;
  }

  /** Another receiver has taken frames up to this one, and knows how many were lost. */
  resume(taken: number, lostTotal: number): void {
    if (taken > this.#taken) {
      this.#taken = taken;
      this.#dropPieces();
    }
    this.#settled = Math.max(this.#settled, taken);
    this.lostTotal = Math.max(this.lostTotal, lostTotal);
  }

  /** Frames up to this one have been passed on: answers whether that is news to the sender. */
  settle(sequence: number): boolean {
    if (sequence <= this.#settled) return false;
    this.#settled = Math.min(sequence, this.#taken);
    this.#unackedBytes++;
    return true;
  }

  get acknowledgement(): Acknowledgement {
    if (this.#settled < this.#taken) {
      const { lostTotal } = this;
      return {
        acked: this.#settled,
        ackedBytes: 0,
        hasGap: false,
        highestPacket: this.#highestPacket,
        lostTotal,
      };
    }
    return {
      acked: this.#taken,
      ackedBytes: this.#pieceBytes,
      hasGap: this.#hasGap,
      highestPacket: this.#highestPacket,
      lostTotal: this.lostTotal,
    };
  }

  /** Bytes that the sender waits to hear of. */
  get unackedBytes(): number {
    return this.#unackedBytes;
  }

  get hasGap(): boolean {
    return this.#hasGap;
  }

  noteAcknowledged(): void {
    this.#unackedBytes = 0;
  }

  /** @throws FrameError when the pieces of a frame do not fit each other */
  take(packet: number, batch: Batch): void {
    // What is outside the sequence has only this to tell whether it comes twice, or late.
    const isNew = packet > this.#highestPacket;
    if (isNew) this.#highestPacket = packet;
    this.#skipTo(batch.base);
    if (batch.asksAck) this.#unackedBytes++;
    if (batch.fragment !== undefined) {
      this.#takeFragment(batch.first, batch.fragment);
      return;
    }
    let sequence = batch.first;
    for (const { isVolatile, frame } of batch.frames) {
      if (isVolatile) {
        if (isNew) this.#events.onFrame(frame);
        continue;
      }
      this.#unackedBytes += frame.length;
      if (this.#isNext(sequence)) this.#accept(frame);
      sequence++;
    }
  }

  /** What is below `base` will not come any more. */
  #skipTo(base: number): void {
    if (base <= this.#taken + 1) return;
    const lost = base - 1 - this.#taken;
    this.#taken = base - 1;
    this.#dropPieces();
    this.#unackedBytes++;
    this.lostTotal += lost;
    this.#events.onLost(lost);
  }

  #isNext(sequence: number): boolean {
    if (sequence === this.#taken + 1) return true;
    if (sequence > this.#taken + 1) this.#hasGap = true;
    else this.doubles++;
    return false;
  }

  #accept(frame: Buffer): void {
    this.#taken++;
    this.#hasGap = false;
    this.#dropPieces();
    this.#events.onFrame(frame);
  }

  #takeFragment(sequence: number, { offset, frameBytes, bytes }: Fragment): void {
    this.#unackedBytes += bytes.length;
    if (!this.#isNext(sequence) || offset < this.#pieceBytes) return;
    if (offset > this.#pieceBytes) {
      this.#hasGap = true;
      return;
    }
    this.#pieces.push(Buffer.from(bytes));
    this.#pieceBytes += bytes.length;
    this.#hasGap = false;
    if (this.#pieceBytes < frameBytes) return;
    const frame = Buffer.concat(this.#pieces, this.#pieceBytes);
    if (frame.readUInt32BE(0) + lengthBytes === frameBytes) {
      this.#accept(frame);
      return;
    }
    // Whoever sends that will not send it better: the next may be good.
    this.#taken++;
    this.#dropPieces();
    throw new FrameError("bad-value", "pieces that are not one frame");
  }

  #dropPieces(): void {
    this.#pieces = [];
    this.#pieceBytes = 0;
  }
}
