/** One history of two link sessions and the carrier between them, on virtual time, with the truth of what was sent. */

import assert from "node:assert/strict";
import { LinkSession, type LinkSettings } from "../../src/link/link-session.js";
import { decodeDatagram } from "../../src/protocol/link-datagram.js";

type Side = 0 | 1;

export type Step =
  | { readonly type: "push"; readonly side: Side; readonly bytes: number }
  | { readonly type: "volatile"; readonly side: Side }
  | { readonly type: "wait"; readonly ms: number }
  | { readonly type: "carrier"; readonly side: Side; readonly isUp: boolean }
  | { readonly type: "restart"; readonly side: Side }
  | { readonly type: "give-up"; readonly side: Side };

export interface Fate {
  readonly isLost: boolean;
  readonly isDoubled: boolean;
  readonly delayMs: number;
}

export const testLimits = {
  maxBytes: 2_000,
  maxAgeMs: 3_000,
  maxInFlightBytes: 600,
  maxDatagramBytes: 200,
  resendMs: 100,
  maxResendMs: 400,
  ackDelayMs: 10,
} as const;

/** Long enough for everything to be said again a few times. */
const settleMs = 60_000;
/** Some for each frame and each repetition: more would be a storm. */
const maxDatagrams = 5_000;

/** One process's end, and what it has been told and given. */
class End {
  readonly incarnation: string;
  session: LinkSession | undefined;
  /** Pushed into the session that is there now, and those of them that the other end has got. */
  pushed: number[] = [];
  received: number[] = [];
  toldLost = 0;

  constructor(incarnation: string) {
    this.incarnation = incarnation;
  }
}

interface InFlight {
  readonly to: Side;
  readonly bytes: Buffer;
  readonly atMs: number;
  readonly number: number;
}

export class History {
  nowMs = 1_000;
  received = 0;
  lost = 0;
  readonly #fates: readonly Fate[];
  readonly #ends: [End, End];
  readonly #isUp: [boolean, boolean] = [true, true];
  #network: InFlight[] = [];
  #datagrams = 0;
  #incarnations = 0;
  #lastNumber = 0;
  /** All that ever arrived at a side, from whichever process: nothing may come twice. */
  readonly #everReceived: [Set<number>, Set<number>] = [new Set(), new Set()];
  readonly #volatile = new Set<number>();
  #isLossy = true;

  constructor(fates: readonly Fate[]) {
    this.#fates = fates;
    this.#ends = [new End(this.#name()), new End(this.#name())];
    this.#connect(0);
    this.#connect(1);
  }

  take(step: Step): void {
    switch (step.type) {
      case "push":
        this.#push(step.side, step.bytes);
        break;
      case "volatile":
        this.#pushVolatile(step.side);
        break;
      case "wait":
        this.#runUntil(this.nowMs + step.ms);
        break;
      case "carrier":
        this.#isUp[step.side] = step.isUp;
        this.#ends[step.side].session?.noteCarrier(step.isUp, this.nowMs);
        break;
      case "restart":
        this.#restart(step.side);
        break;
      case "give-up":
        this.#ends[step.side].session?.giveUpAll();
        break;
    }
    this.#flush();
  }

  /** The carrier is well from now on: everything must come to rest, and add up. */
  settle(): void {
    this.#isLossy = false;
    for (const side of [0, 1] as const) this.take({ type: "carrier", side, isUp: true });
    this.#runUntil(this.nowMs + settleMs);
    assert.equal(this.#network.length, 0, "the carrier is never quiet");
    for (const side of [0, 1] as const) this.#checkEnd(side);
  }

  #checkEnd(side: Side): void {
    const { session, pushed } = this.#ends[side];
    const other = this.#ends[side === 0 ? 1 : 0];
    assert.ok(session !== undefined && other.session !== undefined);
    assert.ok(session.isSettled, `side ${side} is not settled`);
    assert.equal(session.queuedBytes, 0, `side ${side} keeps something`);
    const own = new Set(pushed);
    const arrived = other.received.filter((number) => own.has(number));
    assert.equal(
      other.session.missed,
      pushed.length - arrived.length,
      `what side ${side} sent and the other has missed`,
    );
    assert.equal(other.toldLost, other.session.missed, "the loss is told");
    assert.equal(session.lost, other.session.missed, "both count the same");
    assert.ok(session.givenUp >= session.lost, "nothing is lost that was not given up");
    this.received += arrived.length;
    this.lost += session.lost;
  }

  #name(): string {
    return `process-${++this.#incarnations}`;
  }

  /** Makes the session of a side with what is the other side now. */
  #connect(side: Side): void {
    const end = this.#ends[side];
    const other = this.#ends[side === 0 ? 1 : 0];
    const settings: LinkSettings = { ...testLimits, incarnation: end.incarnation, peerIncarnation: other.incarnation };
    const former = end.session;
    end.session = new LinkSession(settings, {
      onFrame: (frame) => this.#noteFrame(side, frame),
      onLost: (frames) => {
        end.toldLost += frames;
      },
    });
    end.received = [];
    end.toldLost = 0;
    end.session.noteCarrier(this.#isUp[side], this.nowMs);
    const waiting = former === undefined ? 0 : former.moveTo(end.session);
    assert.ok(waiting >= 0);
    // What is the new session's is what waits in it: the last that were pushed, in order.
    const moved = former === undefined ? 0 : this.#countMoved(end, waiting);
    end.pushed = moved === 0 ? [] : end.pushed.slice(-moved);
  }

  #countMoved(end: End, uncertain: number): number {
    const { session } = end;
    assert.ok(session !== undefined && uncertain <= end.pushed.length);
    return session.queuedFrames;
  }

  /** A process begins anew and knows of nothing; the other learns of it, and makes a new session. */
  #restart(side: Side): void {
    const other = side === 0 ? 1 : 0;
    this.#ends[side] = new End(this.#name());
    this.#connect(side);
    this.#connect(other);
  }

  #push(side: Side, bytes: number): void {
    const end = this.#ends[side];
    const number = ++this.#lastNumber;
    end.pushed.push(number);
    end.session?.push(makeFrame(number, bytes), false, this.nowMs);
    const limit = Math.max(testLimits.maxBytes, bytes) + testLimits.maxInFlightBytes + 100;
    assert.ok((end.session?.queuedBytes ?? 0) <= limit, `${end.session?.queuedBytes} bytes wait`);
  }

  #pushVolatile(side: Side): void {
    const number = ++this.#lastNumber;
    this.#volatile.add(number);
    this.#ends[side].session?.push(makeFrame(number, 30), true, this.nowMs);
  }

  #noteFrame(side: Side, frame: Buffer): void {
    const number = frame.readUInt32BE(6);
    assert.deepEqual(frame, makeFrame(number, frame.length), `the bytes of frame ${number}`);
    assert.ok(!this.#everReceived[side].has(number), `frame ${number} came twice`);
    this.#everReceived[side].add(number);
    if (this.#volatile.has(number)) return;
    const { received } = this.#ends[side];
    assert.ok(number > (received.at(-1) ?? 0), `frame ${number} came after ${received.at(-1)}`);
    received.push(number);
  }

  /** Sends what the sessions have to say. */
  #flush(): void {
    for (const side of [0, 1] as const) {
      const { session } = this.#ends[side];
      for (let bytes = session?.take(this.nowMs); bytes !== undefined; bytes = session?.take(this.nowMs)) {
        this.#send(side === 0 ? 1 : 0, bytes);
      }
    }
  }

  #send(to: Side, bytes: Buffer): void {
    const number = this.#datagrams++;
    assert.ok(number < maxDatagrams, "there is no end of datagrams");
    if (!this.#isLossy) {
      this.#network.push({ to, bytes, atMs: this.nowMs + 1, number });
      return;
    }
    const { isLost, isDoubled, delayMs } = this.#fates[mix(number) % this.#fates.length] as Fate;
    if (!isLost) this.#network.push({ to, bytes, atMs: this.nowMs + delayMs, number });
    if (isDoubled) this.#network.push({ to, bytes, atMs: this.nowMs + 2 * delayMs + 3, number });
  }

  #runUntil(endMs: number): void {
    for (;;) {
      const arrivalMs = Math.min(...this.#network.map(({ atMs }) => atMs));
      const dueMs = Math.min(...this.#ends.map(({ session }) => session?.nextDueMs() ?? Number.POSITIVE_INFINITY));
      const nextMs = Math.max(this.nowMs, Math.min(arrivalMs, dueMs));
      if (nextMs > endMs) break;
      // Time goes on: whoever is due again at once would be due for ever.
      this.nowMs = nextMs;
      this.#arrive();
      for (const { session } of this.#ends) session?.tick(this.nowMs);
      this.#flush();
      if (dueMs <= nextMs && this.#ends.some(({ session }) => (session?.nextDueMs() ?? 0) < this.nowMs)) {
        assert.fail("something is due, and stays so");
      }
    }
    this.nowMs = endMs;
  }

  #arrive(): void {
    const due = this.#network.filter(({ atMs }) => atMs <= this.nowMs);
    if (due.length === 0) return;
    this.#network = this.#network.filter(({ atMs }) => atMs > this.nowMs);
    due.sort((one, other) => one.atMs - other.atMs || one.number - other.number);
    for (const { to, bytes } of due) {
      const { session, incarnation } = this.#ends[to];
      const datagram = decodeDatagram(bytes);
      // Of a former process, or for one: the caller knows whom it speaks with.
      if (session === undefined || datagram.to !== incarnation || datagram.from !== session.peerIncarnation) continue;
      if (this.#isUp[to]) session.receive(datagram, this.nowMs);
    }
  }
}

/** So that no history is the same fate for the same frame for ever. */
function mix(number: number): number {
  return Math.imul(number, 2_654_435_761) >>> 8;
}

/** A frame as the fabric's: its length, a kind, flags, and here a number. */
export function makeFrame(number: number, bytes: number): Buffer {
  const frame = Buffer.alloc(Math.max(bytes, 10));
  for (let at = 10; at < bytes; at++) frame[at] = (number + at) & 0xff;
  frame.writeUInt32BE(frame.length - 4, 0);
  frame.writeUInt32BE(number, 6);
  return frame;
}
