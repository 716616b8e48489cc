/** Bodies of broadcasts: texts framed as ws frames them, and nothing else let through to clients. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type BroadcastPart,
  decodeWebSocketText,
  encodeWebSocketText,
  findText,
  measureBroadcastBody,
  partTypes,
  readBroadcastBody,
  valueParserId,
  writeBroadcastBody,
} from "../../src/protocol/broadcast-body.js";
import { FrameError } from "../../src/protocol/frame.js";

interface Sender {
  frame(data: Buffer, options: Record<string, unknown>): Buffer[];
}
/** What Engine.IO's server writes with: the type definitions leave its `frame` out. */
const { Sender } = createRequire(import.meta.url)("ws") as { Sender: Sender };

/** The frame that `ws` sends for an Engine.IO message without compression. */
function frameLikeWs(text: string): Buffer {
  const options = { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: true };
  return Buffer.concat(Sender.frame(Buffer.from(`4${text}`), options));
}

function encodeBody(parserId: number, parts: readonly BroadcastPart[], before = 0): Buffer {
  const bytes = Buffer.alloc(before + measureBroadcastBody(parts));
  writeBroadcastBody(bytes, before, parserId, parts);
  return bytes;
}

describe("a text is framed byte for byte as ws frames it, and comes back, at a length of", () => {
  for (const length of [
    0, 1, 2, 123, 124, 125, 126, 127, 128, 255, 256, 65_533, 65_534, 65_535, 65_536, 65_537, 70_000,
  ]) {
    test(`${length}`, () => {
      const text = "x".repeat(length);
      const frame = encodeWebSocketText(text);
      assert.ok(frame.equals(frameLikeWs(text)));
      assert.equal(decodeWebSocketText(frame), text);
      assert.equal(frame.length - findText(frame), length);
    });
  }
  const others: [string, string][] = [
    ["125 bytes in fewer characters", "é".repeat(62)],
    ["126 bytes in fewer characters", `${"é".repeat(62)}x`],
    ["65,536 bytes in fewer characters", `${"😀".repeat(16_383)}xyz`],
    ["a byte order mark", "\ufeff[]"],
  ];
  for (const [what, text] of others) {
    test(what, () => {
      assert.ok(encodeWebSocketText(text).equals(frameLikeWs(text)));
      assert.equal(decodeWebSocketText(encodeWebSocketText(text)), text);
    });
  }

  test("any text at all; half a pair becomes what ws makes of it", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
        (text) => {
          const frame = encodeWebSocketText(text);
          assert.ok(frame.equals(frameLikeWs(text)));
          assert.equal(decodeWebSocketText(frame), text.toWellFormed());
        },
      ),
    );
  });
});

describe("what is not such a frame is refused, since clients would get it as it is", () => {
  const long = Buffer.from("4".repeat(127));
  const cases: [string, Uint8Array[]][] = [
    ["nothing", []],
    ["one byte", [Uint8Array.of(0x81)]],
    ["no payload", [Uint8Array.of(0x81, 0)]],
    ["a frame of bytes", [Uint8Array.of(0x82, 1, 0x34)]],
    ["a frame that is not the last", [Uint8Array.of(0x01, 1, 0x34)]],
    ["a compressed frame", [Uint8Array.of(0xc1, 1, 0x34)]],
    ["a ping", [Uint8Array.of(0x89, 1, 0x34)]],
    ["another packet of Engine.IO", [Uint8Array.of(0x81, 1, 0x32)]],
    ["one byte too few", [Uint8Array.of(0x81, 3, 0x34, 0x32)]],
    ["one byte too many", [Uint8Array.of(0x81, 1, 0x34, 0x32)]],
    ["a masked frame", [Uint8Array.of(0x81, 0x81, 0x34)]],
    ["a masked frame with a length of 64 bits", [Uint8Array.of(0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 127), long]],
    ["a mark of masking where a length of 64 bits stands", [Uint8Array.of(0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 127), long]],
    ["a short length in 16 bits", [Uint8Array.of(0x81, 126, 0, 1, 0x34)]],
    ["a short length in 64 bits", [Uint8Array.of(0x81, 127, 0, 0, 0, 0, 0, 0, 0, 1, 0x34)]],
    ["a length of 16 bits in 64", [Uint8Array.of(0x81, 127, 0, 0, 0, 0, 0, 0, 0, 127), long]],
    ["an end inside the length of 16 bits", [Uint8Array.of(0x81, 126, 0)]],
    ["an end inside the length of 64 bits", [Uint8Array.of(0x81, 127, 0, 0, 0, 0, 0, 0)]],
    ["a length beyond what numbers are exact to", [Buffer.from("817fffffffffffffffff34", "hex")]],
  ];
  for (const [what, bytes] of cases) {
    test(what, () => {
      assert.throws(() => findText(Buffer.concat(bytes)), FrameError);
      assert.throws(() => decodeWebSocketText(Buffer.concat(bytes)), FrameError);
    });
  }

  test("a text that is not UTF-8", () => {
    assert.throws(() => decodeWebSocketText(Buffer.from([0x81, 2, 0x34, 0xff])), FrameError);
  });
});

test("every body comes back with its parser and parts, wherever it stands, and ends where it was measured to", () => {
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ type: partTypes.bytes, bytes })),
    fc.string({ unit: "grapheme", maxLength: 80 }).map((text) => {
      return { type: partTypes.webSocketText, bytes: new Uint8Array(encodeWebSocketText(text)) };
    }),
  );
  const parserId = fc.constantFrom(0, 1, 0x7fff_ffff, valueParserId);
  fc.assert(
    fc.property(parserId, fc.array(part, { minLength: 1, maxLength: 5 }), fc.nat(9), (id, parts, before) => {
      const bytes = encodeBody(id, parts, before);
      const body = readBroadcastBody(bytes, before, bytes.length);
      assert.equal(body.parserId, id);
      assert.deepEqual(
        body.parts.map(({ type, bytes: partBytes }) => ({ type, bytes: new Uint8Array(partBytes) })),
        parts,
      );
    }),
  );
});

test("a part has bytes of its own: the frame may be used again", () => {
  const bytes = encodeBody(0, [{ type: partTypes.webSocketText, bytes: encodeWebSocketText("2[]") }]);
  const { parts } = readBroadcastBody(bytes, 0, bytes.length);
  bytes.fill(0);
  assert.equal(decodeWebSocketText(parts[0]?.bytes ?? Buffer.alloc(0)), "2[]");
});

describe("a body is refused", () => {
  const one = encodeBody(0, [{ type: partTypes.bytes, bytes: Uint8Array.of(1, 2, 3) }]);
  const text = { type: partTypes.webSocketText, bytes: encodeWebSocketText("2[]") };
  const change = (at: number, value: number): Buffer => {
    const bytes = Buffer.from(one);
    bytes[at] = value;
    return bytes;
  };
  const cases: [string, Buffer][] = [
    ["without parts", encodeBody(0, [])],
    ["with a part of an unknown type", change(6, 2)],
    ["with one part fewer than it says", change(5, 2)],
    ["with as many parts missing as can be said", Buffer.from("00000000ffff", "hex")],
    ["with a part that is longer than what is left", change(10, 4)],
    ["with a part of four gigabytes", change(7, 0xff)],
    ["with a text that is not framed", encodeBody(0, [{ type: partTypes.webSocketText, bytes: Buffer.from("42[]") }])],
    [
      "with a text behind whole ones whose frame is cut",
      encodeBody(0, [text, { ...text, bytes: text.bytes.subarray(0, 2) }]),
    ],
    ["with bytes after the last part", Buffer.concat([one, Buffer.alloc(1)])],
    ["with bytes between its parts", change(10, 2)],
  ];
  for (const [what, bytes] of cases) {
    test(what, () => assert.throws(() => readBroadcastBody(bytes, 0, bytes.length), FrameError));
  }

  test("cut off at any byte, although more bytes stand behind it", () => {
    for (let end = 0; end < one.length; end++) {
      assert.throws(() => readBroadcastBody(one, 0, end), FrameError, `cut at ${end}`);
    }
  });
});
