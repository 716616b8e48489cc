/** The header by which frames are forwarded: what comes back, and what cannot be a header. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FrameError, frameFlags, frameHeadBytes, frameKinds, lengthBytes } from "../../src/protocol/frame.js";
import { encodeRoom, type RoomName } from "../../src/protocol/room-key.js";
import { measureRoutedFrame, RoutedView, routedHeadBytes, writeRoutedHeader } from "../../src/protocol/routed-frame.js";
import { encodeBroadcast, encodeRouted } from "../support/fabric-frames.js";

const room = fc.oneof(fc.string({ unit: "grapheme", maxLength: 30 }), fc.double(), fc.integer());
const rooms = fc.array(room, { maxLength: 6 });
const parts = fc.record(
  {
    flags: fc.nat(0xff),
    namespace: fc.string({ unit: "grapheme", maxLength: 30 }),
    rooms,
    except: rooms,
    body: fc.uint8Array({ maxLength: 50 }),
  },
  { noNullPrototype: true },
);
const kind = fc.constantFrom(frameKinds.broadcast, frameKinds.command, frameKinds.request);

function view(frame: Buffer, start = 0, end = frame.length): RoutedView {
  const routed = new RoutedView();
  routed.read(frame, start, end);
  return routed;
}

/** Rooms as the router walks them: their bytes, in order. */
function walkRooms(routed: RoutedView): string[] {
  const keys: string[] = [];
  let at = routed.roomsStart;
  for (let left = routed.roomCount; left > 0; left--) {
    const end = routed.endOfRoom(at);
    keys.push(routed.bytes.toString("hex", at + 2, end));
    at = end;
  }
  return keys;
}

function toHex(name: RoomName): string {
  return encodeRoom(name)?.toString("hex") ?? "none";
}

test("a frame comes back with all it carries, wherever it stands", () => {
  const routed = new RoutedView();
  fc.assert(
    fc.property(kind, parts, fc.nat(9), (frameKind, frameParts, before) => {
      const frame = encodeRouted(frameKind, frameParts);
      const bytes = Buffer.concat([Buffer.alloc(before, 0xaa), frame, Buffer.alloc(9, 0xaa)]);
      // One view is used again and again: nothing of the frame before may stay.
      routed.read(bytes, before, before + frame.length);
      assert.equal(frame.readUInt32BE(0), frame.length - lengthBytes);
      assert.deepEqual([routed.kind, routed.flags], [frameKind, frameParts.flags]);
      assert.equal(routed.readNamespace(), frameParts.namespace);
      assert.equal(routed.readNamespaceKey(), Buffer.from(frameParts.namespace).toString("latin1"));
      assert.deepEqual(walkRooms(routed), frameParts.rooms.map(toHex));
      assert.deepEqual(routed.readRooms(), { rooms: new Set(frameParts.rooms), except: new Set(frameParts.except) });
      assert.deepEqual(new Uint8Array(bytes.subarray(routed.bodyStart, routed.end)), frameParts.body);
    }),
  );
});

test("a frame that is written into the middle of a block touches nothing around it", () => {
  const namespace = Buffer.from("/chat");
  const [one, other] = [encodeRoom("a"), encodeRoom(1)];
  assert.ok(one !== undefined && other !== undefined);
  const bytes = measureRoutedFrame(namespace, [one], [other], 3);
  const block = Buffer.alloc(bytes + 20, 0xaa);
  const kindAndFlags = { kind: frameKinds.broadcast, flags: frameFlags.volatile };
  const bodyAt = writeRoutedHeader(block, 10, { ...kindAndFlags, namespace, rooms: [one], except: [other], bytes });
  block.write("xyz", bodyAt);
  assert.equal(bodyAt + 3, 10 + bytes);
  assert.ok(block.subarray(0, 10).every((byte) => byte === 0xaa));
  assert.ok(block.subarray(10 + bytes).every((byte) => byte === 0xaa));
  assert.deepEqual(view(block, 10, 10 + bytes).readRooms(), { rooms: new Set(["a"]), except: new Set([1]) });
});

test("as many rooms as a frame can say come back", () => {
  const names = Array.from({ length: 65_535 }, (_, index) => index);
  const frame = encodeBroadcast({ rooms: names, except: ["x"] });
  const { rooms: read, except } = view(frame).readRooms();
  assert.equal(read.size, 65_535);
  assert.deepEqual(except, new Set(["x"]));
});

test("a cut anywhere in the header is refused, although more bytes stand behind it", () => {
  const frame = encodeBroadcast({ namespace: "/chat", rooms: ["a", 1], except: ["b"] });
  for (let end = 0; end < frame.length; end++) {
    assert.throws(() => view(frame, 0, end), FrameError, `cut at ${end}`);
  }
});

describe("a header that cannot be is refused", () => {
  const good = encodeBroadcast({ namespace: "/chat", rooms: ["a", "b"], except: ["c"], body: "body" });
  const firstRoomAt = routedHeadBytes + "/chat".length;
  const change16 = (at: number, value: number): Buffer => {
    const frame = Buffer.from(good);
    frame.writeUInt16BE(value, at);
    return frame;
  };
  const bodyAt = good.readUInt32BE(frameHeadBytes + 6);
  const change32 = (value: number): Buffer => {
    const frame = Buffer.from(good);
    frame.writeUInt32BE(value, frameHeadBytes + 6);
    return frame;
  };
  const cases: [string, Buffer][] = [
    ["a namespace that goes into the body", change16(frameHeadBytes, 30)],
    ["a namespace that goes beyond the frame", change16(frameHeadBytes, 0xffff)],
    ["a body that begins in the head", change32(0)],
    ["a body that begins before the namespace", change32(routedHeadBytes - 1)],
    ["a body that begins in the namespace", change32(routedHeadBytes + 1)],
    ["a body that begins in a room", change32(firstRoomAt + 1)],
    ["a body that begins one byte early", change32(bodyAt - 1)],
    ["a body that begins one byte late", change32(bodyAt + 1)],
    ["a body that begins beyond the frame", change32(good.length + 1)],
    ["a body that begins in four gigabytes", change32(0xffff_ffff)],
    ["one room more than there is", change16(frameHeadBytes + 2, 3)],
    ["one room fewer than there is", change16(frameHeadBytes + 2, 1)],
    ["as many rooms as can be said", change16(frameHeadBytes + 2, 0xffff)],
    ["as many excepted rooms as can be said", change16(frameHeadBytes + 4, 0xffff)],
    ["a room that goes beyond the frame", change16(firstRoomAt, 0xffff)],
    ["a room without bytes", change16(firstRoomAt, 0)],
  ];
  for (const [what, frame] of cases) {
    test(what, () => {
      assert.throws(() => view(frame).readRooms(), FrameError);
    });
  }

  test("a namespace that is not UTF-8", () => {
    const frame = Buffer.from(good);
    frame[routedHeadBytes] = 0xff;
    assert.throws(() => view(frame).readNamespace(), FrameError);
  });

  test("what comes behind the rooms is not the router's business: it walks them although an exception is broken", () => {
    const frame = Buffer.from(good);
    frame[bodyAt - 2] = 0xff;
    assert.deepEqual(walkRooms(view(frame)), [toHex("a"), toHex("b")]);
    assert.throws(() => view(frame).readRooms(), FrameError);
  });
});
