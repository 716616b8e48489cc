/** Cutting a stream into frames: however it arrives, the same frames, and no more memory than has arrived. */

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import fc from "fast-check";
import { FrameError, frameHeadBytes, lengthBytes } from "../../src/protocol/frame.js";
import { FrameSplitter } from "../../src/protocol/frame-splitter.js";

/** A frame of `bytes` bytes in all, told from others by its filling. */
function makeFrame(bytes: number, filling: number): Buffer {
  const frame = Buffer.alloc(bytes, filling);
  frame.writeUInt32BE(bytes - lengthBytes, 0);
  return frame;
}

/** Pushes the stream in the pieces that the cuts make; answers the frames. */
function split(stream: Buffer, cuts: readonly number[], limit?: number): { frames: Buffer[]; splitter: FrameSplitter } {
  const frames: Buffer[] = [];
  const splitter = new FrameSplitter((bytes, start, end) => {
    frames.push(Buffer.from(bytes.subarray(start, end)));
  }, limit);
  let from = 0;
  for (const to of [...cuts].sort((one, other) => one - other).concat(stream.length)) {
    const chunk = Buffer.from(stream.subarray(from, to));
    splitter.push(chunk);
    // The bytes belong to the caller again.
    chunk.fill(0xee);
    from = to;
  }
  return { frames, splitter };
}

const sizes = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: frameHeadBytes, max: 40 }) },
  { weight: 2, arbitrary: fc.integer({ min: 4_000, max: 9_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 140_000 }) },
);

test("however a stream is cut, the same frames come out, and nothing is held at the end", () => {
  const frames = fc
    .array(sizes, { maxLength: 8 })
    .map((all) => all.map((bytes, index) => makeFrame(bytes, 0x30 + index)));
  const cuts = fc.array(fc.nat(1_000_000), { maxLength: 20 });
  fc.assert(
    fc.property(frames, cuts, (sent, cutsAnywhere) => {
      const stream = Buffer.concat(sent);
      const inside = cutsAnywhere.map((cut) => cut % (stream.length + 1));
      const { frames: received, splitter } = split(stream, inside);
      assert.equal(splitter.heldBytes, 0);
      assert.equal(received.length, sent.length);
      assert.ok(received.every((frame, index) => frame.equals(sent[index] ?? Buffer.alloc(0))));
    }),
    { numRuns: 150 },
  );
});

test("byte by byte, the same frames come out, each with its last byte", () => {
  const sent = [makeFrame(6, 1), makeFrame(7, 2), makeFrame(100, 3), makeFrame(6, 4)];
  const received: Buffer[] = [];
  const splitter = new FrameSplitter((bytes, start, end) => received.push(Buffer.from(bytes.subarray(start, end))));
  for (const [index, frame] of sent.entries()) {
    for (const byte of frame) {
      assert.equal(received.length, index);
      splitter.push(Buffer.of(byte));
    }
  }
  assert.deepEqual(received, sent);
});

test("an empty chunk changes nothing, and a frame without a body is one", () => {
  const { frames } = split(makeFrame(frameHeadBytes, 0), [0, 0, 3, 3, 3, 6]);
  assert.equal(frames.length, 1);
});

describe("a length beyond the limits ends the stream as soon as it is known", () => {
  const limit = 1_000;
  const cases: [string, number][] = [
    ["one byte too long", limit - lengthBytes + 1],
    ["two gigabytes", 0x7fff_ffff],
    ["four gigabytes", 0xffff_ffff],
    ["nothing", 0],
    ["no flags", frameHeadBytes - lengthBytes - 1],
  ];
  for (const [what, length] of cases) {
    test(what, () => {
      const head = Buffer.alloc(lengthBytes);
      head.writeUInt32BE(length);
      for (let cut = 0; cut <= lengthBytes; cut++) {
        assert.throws(
          () => split(Buffer.concat([makeFrame(10, 1), head]), [10 + cut], limit),
          FrameError,
          `cut ${cut}`,
        );
      }
    });
  }

  test("a frame of exactly the limit passes", () => {
    assert.equal(split(makeFrame(limit, 1), [2, 500], limit).frames.length, 1);
  });

  test("frames before it are given on", () => {
    const seen: number[] = [];
    const splitter = new FrameSplitter((_bytes, start, end) => seen.push(end - start), limit);
    assert.throws(() => splitter.push(Buffer.concat([makeFrame(8, 1), makeFrame(9, 1), Buffer.alloc(4)])), FrameError);
    assert.deepEqual(seen, [8, 9]);
  });
});

describe("memory", () => {
  /** Sizes of the buffers that a function makes. */
  function watchAllocations(run: () => void): number[] {
    const sizesMade: number[] = [];
    const { allocUnsafe } = Buffer;
    const watch = mock.method(Buffer, "allocUnsafe", (size: number) => {
      sizesMade.push(size);
      return allocUnsafe.call(Buffer, size);
    });
    try {
      run();
    } finally {
      watch.mock.restore();
    }
    return sizesMade;
  }

  test("grows with what has arrived, never with what a length promises", () => {
    const frame = makeFrame(60 * 1024 * 1024, 1);
    const splitter = new FrameSplitter(() => assert.fail("the frame is not whole"));
    for (let arrived = 0; arrived < 400_000; ) {
      const bytes = 1 + ((arrived * 7) % 30_000);
      const chunk = frame.subarray(arrived, arrived + bytes);
      const made = watchAllocations(() => splitter.push(chunk));
      arrived += bytes;
      assert.equal(splitter.heldBytes, arrived);
      const largest = Math.max(0, ...made);
      assert.ok(largest <= arrived * 2 + 4_096, `${largest} bytes for ${arrived}`);
    }
  });

  test("is not copied again and again while a large frame arrives", () => {
    const frame = makeFrame(4 * 1024 * 1024, 1);
    let taken = 0;
    const splitter = new FrameSplitter((_bytes, start, end) => {
      taken = end - start;
    });
    const made = watchAllocations(() => {
      for (let at = 0; at < frame.length; at += 16_384) splitter.push(frame.subarray(at, at + 16_384));
    });
    assert.equal(taken, frame.length);
    assert.ok(made.length < 20, `${made.length} allocations`);
  });

  test("of a whole chunk of frames is not taken at all", () => {
    const stream = Buffer.concat(Array.from({ length: 100 }, (_, index) => makeFrame(100, index)));
    const splitter = new FrameSplitter(() => undefined);
    assert.deepEqual(
      watchAllocations(() => splitter.push(stream)),
      [],
    );
  });
});
