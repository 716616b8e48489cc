/** Writing and reading the bytes of a frame: what is written is read, and nothing beyond the end. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ByteReader, decodeUtf8 } from "../../src/protocol/byte-reader.js";
import { ByteWriter } from "../../src/protocol/byte-writer.js";
import { FrameError, type FrameFault, frameHeadBytes, frameKinds, lengthBytes } from "../../src/protocol/frame.js";

/** Matches a FrameError of one fault: callers count by it. */
function isFault(fault: FrameFault): (error: unknown) => boolean {
  return (error) => error instanceof FrameError && error.fault === fault;
}

type Field =
  | { readonly type: "u8" | "u16" | "u32"; readonly value: number }
  | { readonly type: "text" | "ascii"; readonly value: string }
  | { readonly type: "raw"; readonly value: Uint8Array };

const field: fc.Arbitrary<Field> = fc.oneof(
  fc.nat(0xff).map((value) => ({ type: "u8" as const, value })),
  fc.nat(0xffff).map((value) => ({ type: "u16" as const, value })),
  fc.nat(0xffff_ffff).map((value) => ({ type: "u32" as const, value })),
  fc.string({ unit: "grapheme", maxLength: 60 }).map((value) => ({ type: "text" as const, value })),
  fc.string({ unit: "grapheme-ascii", maxLength: 60 }).map((value) => ({ type: "ascii" as const, value })),
  fc.uint8Array({ maxLength: 60 }).map((value) => ({ type: "raw" as const, value })),
);

function write(writer: ByteWriter, { type, value }: Field): void {
  switch (type) {
    case "u8":
    case "u16":
    case "u32":
      writer[type](value);
      break;
    case "text":
    case "ascii":
      writer[type](value);
      break;
    case "raw":
      writer.raw(value);
  }
}

function read(reader: ByteReader, { type, value }: Field): Field["value"] {
  switch (type) {
    case "ascii":
      return reader.ascii(value.length);
    case "raw": {
      const at = reader.skip(value.length);
      return new Uint8Array(reader.bytes.subarray(at, at + value.length));
    }
    default:
      return reader[type]();
  }
}

test("what is written is read again, in order and to the last byte, however small the writer began", () => {
  fc.assert(
    fc.property(fc.array(field, { maxLength: 12 }), fc.nat(200), fc.nat(9), (fields, expectedBytes, before) => {
      const writer = new ByteWriter(frameKinds.hello, 7, expectedBytes);
      for (const each of fields) write(writer, each);
      const length = writer.length;
      const frame = writer.finish();
      assert.equal(frame.length, length);
      assert.equal(frame.readUInt32BE(0), frame.length - lengthBytes);
      assert.deepEqual([frame[lengthBytes], frame[lengthBytes + 1]], [frameKinds.hello, 7]);

      const bytes = Buffer.concat([Buffer.alloc(before, 0xaa), frame, Buffer.alloc(70, 0xaa)]);
      const reader = new ByteReader(bytes, before + frameHeadBytes, before + frame.length);
      for (const each of fields) assert.deepEqual(read(reader, each), each.value);
      assert.equal(reader.left, 0);
      reader.finish();
    }),
  );
});

test("a value that was written before can be changed, also after the writer has grown", () => {
  const writer = new ByteWriter(frameKinds.interest, 0, 6);
  const at = writer.length;
  writer.u32(0).raw(new Uint8Array(1_000));
  assert.equal(writer.patchU32(at, 0xffff_ffff).finish().readUInt32BE(at), 0xffff_ffff);
});

describe("a reader never goes beyond the end of its frame, although there are more bytes", () => {
  const bytes = Buffer.alloc(100);
  const cases: [string, number, (reader: ByteReader) => unknown][] = [
    ["for 8 bits", 0, (reader) => reader.u8()],
    ["for 16 bits", 1, (reader) => reader.u16()],
    ["for 32 bits", 3, (reader) => reader.u32()],
    ["for ASCII", 19, (reader) => reader.ascii(20)],
    ["for the length of a text", 1, (reader) => reader.text()],
    ["for bytes to pass over", 5, (reader) => reader.skip(6)],
    ["for more bytes than numbers of 32 bits say", 5, (reader) => reader.skip(2 ** 40)],
  ];
  for (const [what, left, readOne] of cases) {
    test(what, () => assert.throws(() => readOne(new ByteReader(bytes, 10, 10 + left)), isFault("truncated")));
  }

  test("for a text whose length is more than what is left", () => {
    const reader = new ByteReader(Buffer.from("0003616263", "hex"), 0, 4);
    assert.throws(() => reader.text(), isFault("truncated"));
  });

  test("for a frame that ends before it begins", () => {
    assert.throws(() => new ByteReader(bytes, 6, 4).u8(), isFault("truncated"));
    assert.equal(new ByteReader(bytes, 6, 4).rest().length, 0);
  });

  test("and what is left over is an error", () => {
    const reader = new ByteReader(bytes, 0, 3);
    reader.u16();
    assert.throws(() => reader.finish(), isFault("trailing-bytes"));
    assert.equal(reader.rest().length, 1);
    reader.finish();
  });
});

describe("a text is UTF-8 or an error", () => {
  const cases: [string, string][] = [
    ["a byte that no text has", "ff"],
    ["a character cut short", "e282"],
    ["half a pair", "eda0bd"],
    ["a character in more bytes than it needs", "c080"],
    ["a character beyond the last", "f4908080"],
  ];
  for (const [what, hex] of cases) {
    test(what, () => {
      const bytes = Buffer.from(hex, "hex");
      assert.throws(() => decodeUtf8(bytes, 0, bytes.length), isFault("bad-text"));
      // A decoder that keeps its state would spoil the next.
      assert.equal(decodeUtf8(Buffer.from("ok €"), 0, 6), "ok €");
    });
  }

  test("a byte order mark stays", () => assert.equal(decodeUtf8(Buffer.from("\ufeffa"), 0, 4), "\ufeffa"));
});

test("kinds of frames differ from one another, and fit their byte", () => {
  const kinds = Object.values(frameKinds);
  assert.equal(new Set(kinds).size, kinds.length);
  assert.ok(kinds.every((kind) => kind > 0 && kind < 256));
});
