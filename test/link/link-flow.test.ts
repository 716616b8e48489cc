/** How two link sessions share a carrier: windows, acknowledgements, long frames, ages, and nonsense. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LinkSession } from "../../src/link/link-session.js";
import { FrameError } from "../../src/protocol/frame.js";
import { type Datagram, decodeDatagram, encodeDatagram } from "../../src/protocol/link-datagram.js";
import { makeFrame, testLimits } from "../support/link-history.js";

/** Two sessions whose datagrams the test carries. */
class Pair {
  readonly a: LinkSession;
  readonly b: LinkSession;
  readonly taken: number[] = [];
  lost = 0;
  nowMs = 1_000;

  constructor(limits: Partial<typeof testLimits> = {}) {
    const settings = { ...testLimits, ...limits };
    this.a = new LinkSession(
      { ...settings, incarnation: "a", peerIncarnation: "b" },
      { onFrame: () => assert.fail("nobody sends to a"), onLost: () => {} },
    );
    this.b = new LinkSession(
      { ...settings, incarnation: "b", peerIncarnation: "a" },
      {
        onFrame: (frame) => this.taken.push(frame.readUInt32BE(6)),
        onLost: (frames) => {
          this.lost += frames;
        },
      },
    );
    for (const session of [this.a, this.b]) session.noteCarrier(true, this.nowMs);
  }

  push(...numbers: number[]): void {
    for (const number of numbers) this.a.push(makeFrame(number, 50), false, this.nowMs);
  }

  /** What a session has to say now. */
  take(session: LinkSession): Buffer[] {
    const datagrams: Buffer[] = [];
    for (let bytes = session.take(this.nowMs); bytes !== undefined; bytes = session.take(this.nowMs)) {
      datagrams.push(bytes);
    }
    return datagrams;
  }

  carry(datagrams: readonly Buffer[], to: LinkSession): void {
    for (const bytes of datagrams) to.receive(decodeDatagram(bytes), this.nowMs);
  }

  wait(ms: number): void {
    this.nowMs += ms;
    for (const session of [this.a, this.b]) session.tick(this.nowMs);
  }
}

describe("a link session", () => {
  test("puts what waits into as few datagrams as fit, and answers once for all of them", () => {
    const pair = new Pair();
    pair.push(1, 2, 3, 4, 5);
    const datagrams = pair.take(pair.a);
    assert.equal(datagrams.length, 2);
    pair.carry(datagrams, pair.b);
    assert.deepEqual(pair.taken, [1, 2, 3, 4, 5]);
    pair.wait(testLimits.ackDelayMs);
    const answers = pair.take(pair.b);
    assert.equal(answers.length, 1);
    pair.carry(answers, pair.a);
    assert.ok(pair.a.isSettled);
    assert.equal(pair.a.queuedBytes, 0);
    pair.wait(60_000);
    assert.deepEqual([pair.take(pair.a), pair.take(pair.b)], [[], []], "silence is silent");
    assert.equal(pair.a.nextDueMs(), Number.POSITIVE_INFINITY);
  });

  test("has no more on its way than the window", () => {
    const pair = new Pair();
    pair.push(...Array.from({ length: 30 }, (_, index) => index + 1));
    const bytes = pair.take(pair.a).flatMap((datagram) => decodeDatagram(datagram).frames).length * 50;
    assert.ok(bytes >= testLimits.maxInFlightBytes && bytes < testLimits.maxInFlightBytes + 50, `${bytes}`);
  });

  test("sends a frame that is longer than the window in pieces, each of them once", () => {
    const pair = new Pair({ maxBytes: 100_000 as 2_000 });
    pair.a.push(makeFrame(7, 5_000), false, pair.nowMs);
    let datagrams = 0;
    while (pair.taken.length === 0) {
      const sent = pair.take(pair.a);
      assert.ok(sent.length > 0, "it goes on when the first pieces are acknowledged");
      datagrams += sent.length;
      pair.carry(sent, pair.b);
      pair.wait(testLimits.ackDelayMs);
      pair.carry(pair.take(pair.b), pair.a);
    }
    assert.deepEqual([pair.taken, datagrams], [[7], 5_000 / testLimits.maxDatagramBytes]);
  });

  test("sends what is missing as soon as the gap is seen", () => {
    const pair = new Pair();
    pair.push(1, 2, 3, 4, 5, 6);
    const [, ...others] = pair.take(pair.a);
    pair.carry(others, pair.b);
    assert.deepEqual(pair.taken, []);
    pair.carry(pair.take(pair.b), pair.a);
    pair.carry(pair.take(pair.a), pair.b);
    assert.deepEqual(pair.taken, [1, 2, 3, 4, 5, 6]);
  });

  test("does not send it again and again when it is lost again: a while later at the soonest", () => {
    const pair = new Pair();
    pair.push(1, 2, 3, 4, 5, 6);
    pair.carry(pair.take(pair.a).slice(1), pair.b);
    pair.carry(pair.take(pair.b), pair.a);
    pair.carry(pair.take(pair.a).slice(1), pair.b);
    pair.carry(pair.take(pair.b), pair.a);
    assert.deepEqual(pair.take(pair.a), [], "the second report comes in the same moment");
    pair.wait(testLimits.resendMs / 4);
    pair.carry(pair.take(pair.a), pair.b);
    pair.carry(pair.take(pair.b), pair.a);
    pair.wait(testLimits.ackDelayMs);
    pair.carry(pair.take(pair.b), pair.a);
    pair.carry(pair.take(pair.a), pair.b);
    assert.deepEqual(pair.taken, [1, 2, 3, 4, 5, 6]);
  });

  test("goes on with the piece that is missing, and not from the beginning of the frame", () => {
    const pair = new Pair({ maxBytes: 100_000 as 2_000 });
    pair.a.push(makeFrame(7, 600), false, pair.nowMs);
    const [first, , third] = pair.take(pair.a) as [Buffer, Buffer, Buffer];
    pair.carry([first, third], pair.b);
    pair.carry(pair.take(pair.b), pair.a);
    const again = pair.take(pair.a).map((datagram) => decodeDatagram(datagram).fragment?.offset);
    assert.deepEqual(again, [200, 400]);
  });

  test("asks whoever does not answer with one datagram at a time, more and more rarely", () => {
    const pair = new Pair();
    pair.push(...Array.from({ length: 12 }, (_, index) => index + 1));
    pair.take(pair.a);
    const times: number[] = [];
    for (let ms = 0; ms < 2_000; ms += 10) {
      pair.wait(10);
      const datagrams = pair.take(pair.a);
      assert.ok(datagrams.length <= 1);
      if (datagrams.length > 0) times.push(ms + 10);
    }
    assert.deepEqual(times, [100, 300, 700, 1_100, 1_500, 1_900]);
  });

  test("gives up what is too old; both sides count it, and what follows comes", () => {
    const pair = new Pair();
    pair.push(1, 2, 3);
    pair.take(pair.a);
    pair.wait(testLimits.maxAgeMs - 100);
    pair.push(4);
    pair.wait(100);
    assert.equal(pair.a.givenUp, 3);
    for (let round = 0; round < 10; round++) {
      pair.carry(pair.take(pair.a), pair.b);
      pair.wait(testLimits.maxResendMs);
      pair.carry(pair.take(pair.b), pair.a);
    }
    assert.deepEqual([pair.taken, pair.lost, pair.b.missed, pair.a.lost], [[4], 3, 3, 3]);
  });

  test("counts no loss for what had come before it was given up", () => {
    const pair = new Pair();
    pair.push(1, 2, 3);
    pair.carry(pair.take(pair.a), pair.b);
    pair.a.giveUpAll();
    pair.wait(testLimits.ackDelayMs);
    pair.carry(pair.take(pair.b), pair.a);
    pair.push(4);
    pair.carry(pair.take(pair.a), pair.b);
    assert.deepEqual([pair.taken, pair.lost, pair.a.givenUp, pair.a.lost], [[1, 2, 3, 4], 0, 3, 0]);
  });

  test("keeps nothing volatile for a carrier that is away", () => {
    const pair = new Pair();
    pair.a.noteCarrier(false, pair.nowMs);
    assert.equal(pair.a.push(makeFrame(1, 50), true, pair.nowMs), false);
    pair.push(2);
    pair.a.noteCarrier(true, pair.nowMs);
    pair.carry(pair.take(pair.a), pair.b);
    assert.deepEqual([pair.taken, pair.a.droppedVolatile], [[2], 1]);
  });
});

describe("nonsense is refused:", () => {
  const datagram: Datagram = {
    from: "a",
    to: "b",
    packet: 1,
    acked: 0,
    ackedBytes: 0,
    hasGap: false,
    highestPacket: 0,
    lostTotal: 0,
    base: 1,
    first: 1,
    frames: [{ isVolatile: false, frame: makeFrame(1, 20) }],
    fragment: undefined,
    asksAck: false,
  };
  const cases: [string, Partial<Datagram>][] = [
    ["an acknowledgement of what was never sent", { acked: 1 }],
    ["another sender", { from: "c" }],
    ["another receiver", { to: "c" }],
    ["a first frame below the base", { base: 5, first: 4 }],
    ["a packet without a number", { packet: 0 }],
    ["a piece beyond the end of its frame", { fragment: { offset: 10, frameBytes: 12, bytes: Buffer.alloc(3) } }],
    [
      "a frame that is longer than frames may be",
      { fragment: { offset: 0, frameBytes: 2 ** 31, bytes: Buffer.alloc(3) } },
    ],
    ["a piece of what is too short for a frame", { fragment: { offset: 0, frameBytes: 1, bytes: Buffer.alloc(1) } }],
    ["pieces that are no frame", { fragment: { offset: 0, frameBytes: 12, bytes: Buffer.alloc(12) } }],
  ];
  for (const [what, change] of cases) {
    test(what, () => {
      const pair = new Pair();
      const bytes = encodeDatagram({ ...datagram, ...change });
      assert.throws(() => pair.carry([bytes], pair.b), FrameError);
      // And it has harmed nothing.
      pair.push(1);
      if (what !== "pieces that are no frame") {
        pair.carry(pair.take(pair.a), pair.b);
        assert.deepEqual(pair.taken, [1]);
      }
    });
  }

  test("every datagram that is cut short, and every one of another version", () => {
    const bytes = encodeDatagram(datagram);
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length);
      // Up to its first frame it is whole: an acknowledgement.
      if (length === bytes.length - 21) assert.deepEqual(decodeDatagram(cut).frames, []);
      else assert.throws(() => decodeDatagram(cut), FrameError, `${length} bytes`);
    }
    bytes[0] = 2;
    assert.throws(() => decodeDatagram(bytes), /version 2/);
  });
});
