/** What waits for one connection: its bounds, what is lost, and that every frame is counted once. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Outbox, type OutboxLimits, type PushResult } from "../../src/routing/outbox.js";

const limits: OutboxLimits = { maxBytes: 1_000, maxVolatileBytes: 400 };

/** A frame whose every byte is its number. */
function makeFrame(number: number, bytes: number): Buffer {
  return Buffer.alloc(bytes, number);
}

function push(outbox: Outbox, number: number, bytes: number, isVolatile = false): PushResult {
  return outbox.push(makeFrame(number, bytes), 0, bytes, isVolatile);
}

/** Numbers of the frames that are written next, in order: frames of one byte value each. */
function takeNumbers(outbox: Outbox, maxBytes = Number.POSITIVE_INFINITY): number[] {
  const numbers: number[] = [];
  for (const byte of Buffer.concat(outbox.take(maxBytes))) if (numbers.at(-1) !== byte) numbers.push(byte);
  return numbers;
}

interface ModelFrame {
  readonly number: number;
  readonly bytes: number;
  readonly isVolatile: boolean;
}

/** What an outbox promises, without blocks and without haste. */
class Model {
  urgent: ModelFrame[] = [];
  frames: ModelFrame[] = [];
  untold = 0;
  lostTotal = 0;
  droppedVolatile = 0;

  get bytes(): number {
    return this.frames.reduce((sum, frame) => sum + frame.bytes, 0);
  }

  push(frame: ModelFrame): PushResult {
    const limit = frame.isVolatile ? limits.maxVolatileBytes : limits.maxBytes;
    const isAlone = this.frames.length === 0;
    if (this.untold === 0 && (isAlone || this.bytes + frame.bytes <= limit)) {
      this.frames.push(frame);
      return "queued";
    }
    if (frame.isVolatile) {
      this.droppedVolatile++;
      return "dropped";
    }
    this.lose(1);
    return "lost";
  }

  lose(more: number): void {
    const volatile = this.frames.filter(({ isVolatile }) => isVolatile).length;
    const lost = this.frames.length - volatile + more;
    this.droppedVolatile += volatile;
    this.untold += lost;
    this.lostTotal += lost;
    this.frames = [];
  }
}

type Step =
  | { readonly type: "push"; readonly bytes: number; readonly isVolatile: boolean; readonly isReserved: boolean }
  | { readonly type: "urgent" }
  | { readonly type: "take" | "take-urgent" | "tell" | "clear-urgent" | "abandon" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      type: fc.constant("push" as const),
      bytes: fc.oneof(fc.integer({ min: 6, max: 300 }), fc.constantFrom(400, 401, 999, 1_000, 1_001)),
      isVolatile: fc.boolean(),
      isReserved: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ type: "urgent" as const }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom("take" as const, "tell" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constantFrom("take-urgent" as const, "clear-urgent" as const, "abandon" as const),
    }),
  },
);

function numbersOf(...lanes: ModelFrame[][]): number[] {
  return lanes.flat().map(({ number }) => number);
}

test("an outbox does what its model does, whatever comes, and never holds more than its bound", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const outbox = new Outbox(limits);
      const model = new Model();
      for (const [index, each] of steps.entries()) {
        const number = index + 1;
        switch (each.type) {
          case "push": {
            const { bytes, isVolatile, isReserved } = each;
            let result: PushResult;
            if (isReserved) {
              result = outbox.reserve(bytes, isVolatile);
              if (result === "queued") outbox.target.fill(number, outbox.at, outbox.at + bytes);
            } else {
              result = push(outbox, number, bytes, isVolatile);
            }
            assert.equal(result, model.push({ number, bytes, isVolatile }));
            break;
          }
          case "urgent":
            outbox.pushUrgent(makeFrame(number, 10));
            model.urgent.push({ number, bytes: 10, isVolatile: false });
            break;
          case "take":
            assert.deepEqual(takeNumbers(outbox), numbersOf(model.urgent, model.frames));
            model.urgent = [];
            model.frames = [];
            break;
          case "take-urgent":
            assert.equal(Buffer.concat(outbox.takeUrgent(1_000)).length, model.urgent.length * 10);
            model.urgent = [];
            break;
          case "tell":
            assert.equal(outbox.tellLoss(), model.untold);
            model.untold = 0;
            break;
          case "clear-urgent":
            outbox.clearUrgent();
            model.urgent = [];
            break;
          case "abandon":
            model.lose(0);
            model.urgent = [];
            assert.equal(outbox.abandon(), model.untold);
            model.untold = 0;
        }
        assert.equal(outbox.urgentBytes, model.urgent.length * 10);
        assert.equal(outbox.queuedBytes, model.urgent.length * 10 + model.bytes);
        assert.ok(model.frames.length <= 1 || outbox.queuedBytes - outbox.urgentBytes <= limits.maxBytes);
        assert.equal(outbox.isEmpty, outbox.queuedBytes === 0);
        assert.equal(outbox.untoldLoss, model.untold);
        assert.equal(outbox.lostTotal, model.lostTotal);
        assert.equal(outbox.droppedVolatile, model.droppedVolatile);
      }
    }),
    { numRuns: 400 },
  );
});

test("what is volatile is dropped first, while the rest still fits", () => {
  const outbox = new Outbox(limits);
  assert.equal(push(outbox, 1, 390), "queued");
  assert.equal(push(outbox, 2, 11, true), "dropped");
  assert.equal(push(outbox, 3, 10, true), "queued");
  assert.equal(push(outbox, 4, 600), "queued");
  assert.equal(push(outbox, 5, 1, true), "dropped");
  assert.deepEqual(takeNumbers(outbox), [1, 3, 4]);
  assert.deepEqual([outbox.droppedVolatile, outbox.lostTotal, outbox.untoldLoss], [2, 0, 0]);
});

test("when the rest does not fit, all that waits is lost at once, each frame counted once", () => {
  const outbox = new Outbox(limits);
  push(outbox, 1, 500);
  push(outbox, 2, 500);
  assert.equal(push(outbox, 3, 6), "lost");
  assert.deepEqual([outbox.untoldLoss, outbox.queuedBytes], [3, 0]);
});

test("a volatile frame that is given up with the others counts as dropped, not as lost", () => {
  const outbox = new Outbox(limits);
  push(outbox, 1, 100, true);
  push(outbox, 2, 900);
  assert.equal(push(outbox, 3, 900), "lost");
  assert.deepEqual([outbox.untoldLoss, outbox.lostTotal, outbox.droppedVolatile], [2, 2, 1]);
});

test("after a loss nothing is kept until the receiver has been told, however much room there is", () => {
  const outbox = new Outbox(limits);
  push(outbox, 0, 6);
  assert.equal(push(outbox, 1, 1_001), "lost");
  assert.equal(push(outbox, 2, 6), "lost");
  assert.equal(push(outbox, 3, 6, true), "dropped");
  assert.equal(outbox.tellLoss(), 3);
  assert.equal(push(outbox, 4, 6), "queued");
  assert.deepEqual(takeNumbers(outbox), [4]);
  assert.equal(outbox.lostTotal, 3);
});

describe("what is urgent", () => {
  test("overtakes what waits, and keeps its own order", () => {
    const outbox = new Outbox(limits);
    push(outbox, 1, 10);
    outbox.pushUrgent(makeFrame(2, 10));
    push(outbox, 3, 10);
    outbox.pushUrgent(makeFrame(4, 10));
    assert.deepEqual(takeNumbers(outbox), [2, 4, 1, 3]);
  });

  test("survives the loss of the rest, and is not counted with it", () => {
    const outbox = new Outbox(limits);
    outbox.pushUrgent(makeFrame(1, 10));
    push(outbox, 2, 1_000);
    push(outbox, 3, 10);
    assert.deepEqual(takeNumbers(outbox), [1]);
    assert.equal(outbox.untoldLoss, 2);
  });

  test("takes no room from the rest", () => {
    const outbox = new Outbox(limits);
    for (let count = 0; count < 200; count++) outbox.pushUrgent(makeFrame(1, 10));
    assert.equal(push(outbox, 2, 1_000), "queued");
  });

  test("uses the memory of what was written again", () => {
    const outbox = new Outbox(limits);
    const memory = new Set<ArrayBufferLike>();
    for (let round = 0; round < 10; round++) {
      outbox.pushUrgent(makeFrame(round, 10));
      const blocks = outbox.take(1_000);
      for (const block of blocks) memory.add(block.buffer);
      outbox.release(blocks);
    }
    assert.equal(memory.size, 1);
  });
});

test("giving everything up counts what waited and what was lost before, and leaves nothing", () => {
  const outbox = new Outbox(limits);
  push(outbox, 1, 1_001);
  push(outbox, 2, 10);
  assert.equal(outbox.abandon(), 2);
  assert.equal(outbox.lostTotal, 2);
  push(outbox, 3, 10);
  push(outbox, 4, 10, true);
  outbox.pushUrgent(makeFrame(5, 10));
  assert.equal(outbox.abandon(), 1);
  assert.deepEqual([outbox.lostTotal, outbox.untoldLoss, outbox.isEmpty, outbox.droppedVolatile], [3, 0, true, 1]);
  assert.equal(outbox.abandon(), 0);
});
