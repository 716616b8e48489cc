/** Frames in blocks: whole, in order, counted, and the memory of the blocks used again. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { blockBytes, FrameQueue } from "../../src/routing/frame-queue.js";

/** A frame that can be told from others: its number over and over. */
function makeFrame(number: number, bytes: number): Buffer {
  const frame = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at++) frame[at] = (number * 31 + at) & 0xff;
  return frame;
}

function pushAll(queue: FrameQueue, frames: readonly Buffer[]): void {
  for (const frame of frames) queue.push(frame, 0, frame.length);
}

function takeAll(queue: FrameQueue, maxBytes: number): Buffer {
  const all: Buffer[] = [];
  while (queue.queuedBytes > 0) {
    const blocks: Buffer[] = [];
    queue.take(maxBytes, blocks);
    all.push(Buffer.concat(blocks));
    for (const block of blocks) queue.release(block);
  }
  return Buffer.concat(all);
}

const sizes = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 6, max: 300 }) },
  { weight: 2, arbitrary: fc.integer({ min: 20_000, max: blockBytes - 1 }) },
  { weight: 1, arbitrary: fc.constantFrom(blockBytes - 1, blockBytes, blockBytes + 1, 3 * blockBytes) },
);

type Step =
  | { readonly type: "push" | "reserve"; readonly bytes: number; readonly isVolatile: boolean }
  | { readonly type: "take"; readonly maxBytes: number }
  | { readonly type: "written" }
  | { readonly type: "clear" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constantFrom("push" as const, "reserve" as const),
      bytes: sizes,
      isVolatile: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("take" as const), maxBytes: fc.nat(4 * blockBytes) }) },
  { weight: 2, arbitrary: fc.constant({ type: "written" as const }) },
  { weight: 1, arbitrary: fc.constant({ type: "clear" as const }) },
);

interface Waiting {
  readonly frame: Buffer;
  readonly isVolatile: boolean;
}

function sum(frames: readonly Waiting[]): number {
  return frames.reduce((bytes, { frame }) => bytes + frame.length, 0);
}

test("whatever is pushed, taken, written and cleared, whole frames come out in order, and the counts are right", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const queue = new FrameQueue();
      let waiting: Waiting[] = [];
      /** Blocks that are being written, with what they must hold until they are given back. */
      const inFlight: { blocks: Buffer[]; expected: Buffer }[] = [];
      for (const [number, each] of steps.entries()) {
        if (each.type === "push" || each.type === "reserve") {
          const frame = makeFrame(number, each.bytes);
          if (each.type === "push") {
            const around = Buffer.concat([Buffer.alloc(3), frame, Buffer.alloc(3)]);
            queue.push(around, 3, 3 + frame.length, each.isVolatile);
          } else {
            queue.reserve(frame.length, each.isVolatile);
            frame.copy(queue.target, queue.at);
          }
          waiting.push({ frame, isVolatile: each.isVolatile });
        } else if (each.type === "take") {
          const blocks: Buffer[] = [];
          const taken = queue.take(each.maxBytes, blocks);
          const bytes = Buffer.concat(blocks);
          assert.equal(taken, bytes.length);
          const gone: Waiting[] = [];
          while (sum(gone) < taken) gone.push(...waiting.splice(0, 1));
          assert.ok(bytes.equals(Buffer.concat(gone.map(({ frame }) => frame))), "a frame is torn or out of order");
          assert.ok(taken <= each.maxBytes || blocks.length === 1, `${taken} bytes in ${blocks.length} blocks`);
          if (waiting.length > 0 && blocks.length === 0) assert.fail("nothing was taken");
          inFlight.push({ blocks, expected: bytes });
        } else if (each.type === "written") {
          const written = inFlight.shift();
          for (const block of written?.blocks ?? []) queue.release(block);
        } else {
          assert.equal(queue.clear(), waiting.length);
          waiting = [];
        }
        assert.equal(queue.queuedFrames, waiting.length);
        assert.equal(queue.queuedVolatileFrames, waiting.filter(({ isVolatile }) => isVolatile).length);
        assert.equal(queue.queuedBytes, sum(waiting));
        for (const { blocks, expected } of inFlight) {
          assert.ok(Buffer.concat(blocks).equals(expected), "bytes changed while they were being written");
        }
      }
    }),
    { numRuns: 120 },
  );
});

test("many small frames leave in a few blocks", () => {
  const queue = new FrameQueue();
  pushAll(
    queue,
    Array.from({ length: 2_000 }, (_, number) => makeFrame(number, 100)),
  );
  const blocks: Buffer[] = [];
  queue.take(Number.POSITIVE_INFINITY, blocks);
  assert.equal(blocks.length, Math.ceil(2_000 / Math.floor(blockBytes / 100)));
});

describe("a frame of", () => {
  for (const bytes of [blockBytes - 1, blockBytes, blockBytes + 1, 10 * blockBytes]) {
    test(`${bytes} bytes passes between small ones`, () => {
      const queue = new FrameQueue();
      const frames = [makeFrame(1, 10), makeFrame(2, bytes), makeFrame(3, 10)];
      pushAll(queue, frames);
      assert.ok(takeAll(queue, 1).equals(Buffer.concat(frames)));
    });
  }
});

test("a view of other bytes than a Buffer's is taken in as well", () => {
  const queue = new FrameQueue();
  queue.push(Uint8Array.of(9, 1, 2, 3, 9), 1, 4);
  assert.deepEqual(takeAll(queue, 1), Buffer.of(1, 2, 3));
});

describe("memory", () => {
  test("of a block that was written is used again", () => {
    const queue = new FrameQueue();
    const memory = new Set<ArrayBufferLike>();
    for (let round = 0; round < 10; round++) {
      pushAll(queue, [makeFrame(round, 100)]);
      const blocks: Buffer[] = [];
      queue.take(1, blocks);
      for (const block of blocks) memory.add(block.buffer);
      for (const block of blocks) queue.release(block);
    }
    assert.equal(memory.size, 1);
  });

  test("that two queues share is used again by either", () => {
    const spare: Buffer[] = [];
    const [one, other] = [new FrameQueue(spare), new FrameQueue(spare)];
    const blocks: Buffer[] = [];
    pushAll(one, [makeFrame(1, 100)]);
    one.take(1, blocks);
    for (const block of blocks) one.release(block);
    pushAll(other, [makeFrame(2, 100)]);
    const others: Buffer[] = [];
    other.take(1, others);
    assert.equal(others[0]?.buffer, blocks[0]?.buffer);
    assert.deepEqual(others[0], makeFrame(2, 100));
  });

  test("of other sizes and of strangers is not kept", () => {
    const spare: Buffer[] = [];
    const queue = new FrameQueue(spare);
    for (const bytes of [10, blockBytes - 1, blockBytes + 1]) queue.release(Buffer.alloc(bytes));
    assert.equal(spare.length, 0);
  });

  test("is kept for a few blocks only", () => {
    const spare: Buffer[] = [];
    const queue = new FrameQueue(spare);
    pushAll(
      queue,
      Array.from({ length: 50 }, (_, number) => makeFrame(number, blockBytes)),
    );
    takeAll(queue, Number.POSITIVE_INFINITY);
    assert.ok(spare.length <= 4, `${spare.length} blocks`);
  });

  test("of a large frame is let go when the frame has left or is given up", () => {
    const queue = new FrameQueue();
    for (const end of [() => takeAll(queue, 1), () => queue.clear()]) {
      queue.push(Buffer.alloc(10 * blockBytes), 0, 10 * blockBytes);
      end();
      assert.equal(queue.target.length, 0);
    }
  });
});
