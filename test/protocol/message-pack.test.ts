import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { decode, encode } from "notepack.io";
import { FrameError } from "../../src/protocol/frame.js";
import { checkMessagePack } from "../../src/protocol/message-pack.js";

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");
const isGood = (payload: Buffer): boolean => {
  try {
    checkMessagePack(payload);
    return true;
  } catch (error) {
    assert.ok(error instanceof FrameError, String(error));
    return false;
  }
};

describe("MessagePack with true lengths", () => {
  test("whatever the encoder of the emitter writes passes", () => {
    fc.assert(
      fc.property(fc.anything({ withDate: true, withTypedArray: false, withBigInt: false }), (value) => {
        let encoded: Buffer;
        try {
          encoded = Buffer.from(encode(value));
        } catch {
          return;
        }
        assert.ok(isGood(encoded));
      }),
      { numRuns: 500 },
    );
    for (const length of [31, 32, 255, 256, 65_535, 65_536]) {
      assert.ok(isGood(Buffer.from(encode("x".repeat(length)))), `a text of ${length}`);
      assert.ok(isGood(Buffer.from(encode(Buffer.alloc(length)))), `${length} bytes`);
      assert.ok(isGood(Buffer.from(encode(new Array(length).fill(1)))), `a list of ${length}`);
      assert.ok(isGood(Buffer.from(encode(new ArrayBuffer(length)))), `an ArrayBuffer of ${length}`);
    }
    for (const value of [undefined, new Date(), -1, 2 ** 40, -(2 ** 40), 1.5, { a: [{ b: Buffer.of(1) }] }]) {
      assert.ok(isGood(Buffer.from(encode(value))));
    }
  });

  const bad: Record<string, string> = {
    "nothing at all": "",
    "an extension of 2 GiB": "c9 7f ff ff ff 00",
    "a list of 33 million": "dd 01 ff ff ff c0",
    "lists of all that is left, in one another": "dc 00 04 dc 00 04 dc 00 01 c0 c0",
    "a map without its values": "82 a1 61",
    "a text longer than the rest": "d9 05 61",
    "a length that is cut": "db 00 00",
    "a type that is none": "c1",
    "a second value": "c0 c0",
  };
  for (const [what, hex] of Object.entries(bad)) {
    test(`${what} is refused`, () => assert.equal(isGood(bytes(hex)), false));
  }

  test("500 levels are too deep, and end no process", () => {
    assert.ok(isGood(Buffer.concat([Buffer.alloc(400, 0x91), Buffer.of(0xc0)])));
    assert.ok(!isGood(Buffer.concat([Buffer.alloc(100_000, 0x91), Buffer.of(0xc0)])));
  });

  test("garbage is refused, or is what the decoder can read", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (garbage) => {
        const payload = Buffer.from(garbage);
        if (!isGood(payload)) return;
        try {
          decode(payload);
        } catch (error) {
          // Dates that are none, and the like: an error, at once.
          assert.ok(error instanceof Error);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
