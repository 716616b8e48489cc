/** Frames on their way through regions: what is put before them is found again, and what cannot be is refused. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FrameError, frameFlags, frameKinds, lengthBytes } from "../../src/protocol/frame.js";
import { encodeRegionalFrame, findInnerOf, readRegionalHead } from "../../src/protocol/regional-frame.js";

function makeInner(content: Uint8Array, kind: number = frameKinds.broadcast, flags = 0): Buffer {
  const inner = Buffer.alloc(lengthBytes + 2 + content.length);
  inner.writeUInt32BE(inner.length - lengthBytes, 0);
  inner[lengthBytes] = kind;
  inner[lengthBytes + 1] = flags;
  inner.set(content, lengthBytes + 2);
  return inner;
}

/** @param before bytes that are not the frame's */
function encode(incarnation: string, inner: Buffer, sequence = 1, before = 0): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(before, 0xff), inner]);
  const frame = encodeRegionalFrame(Buffer.from(incarnation), sequence, bytes, before, bytes.length);
  assert.ok(frame !== undefined);
  return frame;
}

describe("a regional frame", () => {
  test("says who sent it, and holds what was sent", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom("ü", "a".repeat(64)), fc.string({ minLength: 1, maxLength: 16 })),
        fc.nat(2 ** 31 - 1),
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(9),
        (incarnation, sequence, content, before) => {
          const inner = makeInner(content);
          const frame = encode(incarnation, inner, sequence, before);
          const head = readRegionalHead(frame, 0, frame.length);
          assert.deepEqual([head.incarnation, head.sequence], [incarnation, sequence]);
          assert.deepEqual(frame.subarray(head.innerStart), inner);
          assert.equal(findInnerOf(Buffer.from(incarnation), frame, 0, frame.length), head.innerStart);
        },
      ),
    );
  });

  test("of another router is refused", () => {
    const frame = encode("0.abc", makeInner(Buffer.from("x")));
    for (const other of ["0.abd", "0.ab", "0.abcd", "1.abc", ""]) {
      assert.throws(() => findInnerOf(Buffer.from(other), frame, 0, frame.length), FrameError, other);
    }
  });

  test("is as volatile as the frame within", () => {
    const flagsOf = (flags: number): number | undefined =>
      encode("0.a", makeInner(Buffer.alloc(0), frameKinds.broadcast, flags))[lengthBytes + 1];
    assert.equal(flagsOf(frameFlags.volatile), frameFlags.volatile);
    assert.equal(flagsOf(0), 0);
  });

  test("that was cut, or holds another, is refused", () => {
    const frame = encode("0.a", makeInner(Buffer.from("content")));
    const nested = encode("0.a", frame);
    const own = Buffer.from("0.a");
    for (const read of [
      (bytes: Buffer) => readRegionalHead(bytes, 0, bytes.length),
      (bytes: Buffer) => findInnerOf(own, bytes, 0, bytes.length),
    ]) {
      for (let end = 6; end < frame.length; end++) assert.throws(() => read(frame.subarray(0, end)), FrameError);
      assert.throws(() => read(nested), FrameError);
      read(frame);
    }
  });
});
