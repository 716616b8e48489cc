/** Rooms as they travel: what comes back, what is the same room, what cannot be one. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FrameError, maxRoomBytes } from "../../src/protocol/frame.js";
import { decodeRoom, encodeRoom, RoomEncoder, readRoomKey } from "../../src/protocol/room-key.js";

/** Any character; fast-check's own unit for that takes a second to make. */
const anyCharacter = fc
  .oneof(fc.integer({ min: 0, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10_ffff }))
  .map((code) => String.fromCodePoint(code));

/** Every kind of name that Socket.IO takes and that can travel: any text without half a pair, any number. */
const names = fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ unit: anyCharacter }), fc.double(), fc.integer());

function decode(bytes: Buffer): string | number {
  return decodeRoom(bytes, 0, bytes.length);
}

/** NaN that a computation leaves, which may differ in its bits from the constant. */
function makeNaN(bits: readonly number[]): number {
  return new DataView(Uint8Array.from(bits).buffer).getFloat64(0);
}

test("every room comes back as it was, and as what Socket.IO's own sets would take for the same", () => {
  fc.assert(
    fc.property(names, (name) => {
      const bytes = encodeRoom(name);
      assert.ok(bytes !== undefined);
      assert.ok(new Set([name]).has(decode(bytes)));
      assert.equal(typeof decode(bytes), typeof name);
    }),
  );
});

test("two rooms have the same key when they are the same room, and only then", () => {
  const few = fc.oneof(
    fc.constantFrom(0, -0, 1, Number.NaN, -Number.NaN, Infinity, -Infinity, "", "0", "1", "NaN", "n", "s"),
    names,
  );
  fc.assert(
    fc.property(few, few, (one, other) => {
      const [oneBytes, otherBytes] = [encodeRoom(one), encodeRoom(other)];
      assert.ok(oneBytes !== undefined && otherBytes !== undefined);
      const areSame = readRoomKey(oneBytes, 0, oneBytes.length) === readRoomKey(otherBytes, 0, otherBytes.length);
      assert.equal(areSame, new Set([one]).has(other));
    }),
  );
});

test("not a number is one room, whatever its bits", () => {
  const computed = Number("0") / Number("0");
  const withPayload = makeNaN([0xff, 0xf8, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(encodeRoom(computed), encodeRoom(Number.NaN));
  assert.deepEqual(encodeRoom(withPayload), encodeRoom(Number.NaN));
});

describe("what cannot be a room of another worker has no bytes", () => {
  const cases: [string, unknown][] = [
    ["the first half of a pair", "\ud83d"],
    ["the second half of a pair", "\ude00"],
    ["half a pair inside a text", "room \ud83d of many"],
    ["halves in the wrong order", "\ude00\ud83d"],
    ["a text one byte above the limit", "x".repeat(maxRoomBytes + 1)],
    ["a text above the limit in UTF-8 only", "é".repeat(maxRoomBytes / 2 + 1)],
    ["an object", { room: 1 }],
    ["a symbol", Symbol("room")],
    ["a big number", 1n],
    ["a truth", true],
    ["nothing", undefined],
    ["null", null],
    ["a String object", new String("room")],
  ];
  for (const [what, room] of cases) {
    test(what, () => {
      assert.equal(encodeRoom(room), undefined);
      const encoder = new RoomEncoder();
      assert.equal(encoder.encode(room), undefined);
      assert.equal(encoder.encode(room), undefined);
    });
  }
});

describe("at the edges a room comes back", () => {
  const cases: [string, string | number][] = [
    ["the empty text", ""],
    ["a text of exactly the limit", "x".repeat(maxRoomBytes)],
    ["a text of exactly the limit in UTF-8", "é".repeat(maxRoomBytes / 2)],
    ["64 bytes, the longest that is read as ASCII", "x".repeat(64)],
    ["65 bytes", "x".repeat(65)],
    ["63 bytes of ASCII and one letter beyond", `${"x".repeat(62)}é`],
    ["a byte order mark", "\ufeffroom"],
    ["a zero", "\0"],
    ["a character of four bytes", "😀"],
    ["the replacement character, which is no half of a pair", "\ufffd"],
    ["the smallest number", Number.MIN_VALUE],
    ["the largest number", Number.MAX_VALUE],
    ["infinity", Infinity],
    ["minus infinity", -Infinity],
    ["not a number", Number.NaN],
    ["a number above what integers are exact to", 2 ** 53 + 2],
  ];
  for (const [what, room] of cases) {
    test(what, () => {
      const bytes = encodeRoom(room);
      assert.ok(bytes !== undefined);
      assert.equal(decode(bytes), room);
    });
  }

  test("minus zero is zero", () => {
    assert.deepEqual(encodeRoom(-0), encodeRoom(0));
  });
});

describe("bytes that are no room are refused", () => {
  const cases: [string, number[]][] = [
    ["none", []],
    ["an unknown type", [0x00]],
    ["an unknown type before text", [0x74, 0x61]],
    ["a number of seven bytes", [0x6e, 0, 0, 0, 0, 0, 0, 0]],
    ["a number of nine bytes", [0x6e, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["a number without bytes", [0x6e]],
    ["a text that is not UTF-8", [0x73, 0xff]],
    ["a text that ends inside a character", [0x73, 0x61, 0xc3]],
    ["half a pair, encoded", [0x73, 0xed, 0xa0, 0xbd]],
    ["a character in more bytes than it needs", [0x73, 0xc0, 0x80]],
    ["a long text that is not UTF-8", [0x73, ...Buffer.from("x".repeat(80)), 0xff]],
  ];
  for (const [what, raw] of cases) {
    test(what, () => {
      // What stands behind the room must not be read as part of it.
      const bytes = Buffer.from([...raw, 0x73, 0x61, 0x62]);
      assert.throws(() => decodeRoom(bytes, 0, raw.length), FrameError);
      assert.throws(() => decodeRoom(Buffer.from(raw), 0, raw.length), FrameError);
    });
  }

  test("and the refusal leaves nothing behind: the next room is read as it is", () => {
    const good = encodeRoom("é".repeat(40));
    assert.ok(good !== undefined);
    for (let round = 0; round < 3; round++) {
      assert.throws(() => decode(Buffer.from([0x73, 0x61, 0xe2, 0x82])), FrameError);
      assert.equal(decode(good), "é".repeat(40));
    }
  });
});

test("an encoder that remembers gives the bytes of one that does not, whatever it has seen", () => {
  const room = fc.oneof(names, fc.constantFrom<unknown>(0, -0, Number.NaN, "\ud83d", {}, undefined, "x".repeat(100)));
  fc.assert(
    fc.property(fc.array(room, { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), (rooms, maxKnown) => {
      const encoder = new RoomEncoder(maxKnown);
      for (const each of [...rooms, ...rooms]) assert.deepEqual(encoder.encode(each), encodeRoom(each));
    }),
  );
});
