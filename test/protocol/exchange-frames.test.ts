/** Commands, requests, answers and announcements: what comes back, and what is refused. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  commands,
  decodeResponse,
  encodeResponse,
  encodeRoomsCommand,
  readCommand,
  readCommandRooms,
  readRequestHead,
  readResponsePlace,
  requestHeadBytes,
  requests,
  responses,
  walkCommandRooms,
  writeRequestHead,
} from "../../src/protocol/exchange-frames.js";
import { FrameError, frameKinds, lengthBytes } from "../../src/protocol/frame.js";
import { InterestFrameWriter, readInterestFrame } from "../../src/protocol/interest-frame.js";
import { encodeRoom, type RoomName } from "../../src/protocol/room-key.js";
import { readFrameKind } from "../../src/protocol/worker-port-frames.js";
import { encodeInterest, mustEncodeRoom } from "../support/fabric-frames.js";

const room = fc.oneof(fc.string({ unit: "grapheme", maxLength: 30 }), fc.double(), fc.integer());
const idCharacter = fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
const uid = fc.string({ unit: idCharacter, minLength: 20, maxLength: 20 });
const u32 = fc.nat(0xffff_ffff);

/** The bytes with others before and behind them, as in a block of frames. */
function surround(bytes: Buffer): { all: Buffer; start: number; end: number } {
  return {
    all: Buffer.concat([Buffer.alloc(5, 0xaa), bytes, Buffer.alloc(70, 0xaa)]),
    start: 5,
    end: 5 + bytes.length,
  };
}

describe("a command", () => {
  test("comes back with its rooms", () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(commands)), fc.array(room, { maxLength: 8 }), (command, rooms) => {
        const { all, start, end } = surround(encodeRoomsCommand(command, rooms.map(mustEncodeRoom)));
        assert.equal(readCommand(all, start, end), command);
        assert.deepEqual(
          readCommandRooms(all, start, end),
          rooms.map((name) => (name === 0 ? 0 : name)),
        );
      }),
    );
  });

  test("is refused when it is cut off, goes on, or says another count", () => {
    const body = encodeRoomsCommand(commands.socketsJoin, ["a", 1].map(mustEncodeRoom));
    const { all, start, end } = surround(body);
    const walk = (to: number) => () => walkCommandRooms(all, start, to, () => undefined);
    for (let to = start; to < end; to++) assert.throws(walk(to), FrameError, `cut at ${to - start}`);
    assert.throws(walk(end + 1), FrameError);
    for (const count of [0, 1, 3, 0xffff]) {
      all.writeUInt16BE(count, start + 1);
      assert.throws(walk(end), FrameError, `${count} rooms`);
    }
    assert.throws(() => readCommand(all, start, start), FrameError);
  });

  test("with a room that is none is refused where the room is read", () => {
    const body = encodeRoomsCommand(commands.socketsJoin, [Buffer.from("xyz")]);
    assert.throws(() => readCommandRooms(body, 0, body.length), FrameError);
  });
});

describe("a request's head", () => {
  test("comes back", () => {
    fc.assert(
      fc.property(uid, u32, fc.constantFrom(...Object.values(requests)), (asker, requestId, type) => {
        const body = Buffer.alloc(requestHeadBytes + 3, 0xaa);
        writeRequestHead(body, 0, asker, requestId, type);
        assert.deepEqual(readRequestHead(body, 0, body.length), { uid: asker, requestId, type });
        assert.equal(body[requestHeadBytes], 0xaa);
      }),
    );
  });

  test("is refused when it is cut off", () => {
    const body = Buffer.alloc(requestHeadBytes + 3);
    for (let end = 0; end < requestHeadBytes; end++) assert.throws(() => readRequestHead(body, 0, end), FrameError);
  });
});

describe("a response", () => {
  test("comes back, and leads to the place that asked", () => {
    const type = fc.constantFrom(...Object.values(responses));
    fc.assert(
      fc.property(uid, uid, u32, type, fc.uint8Array({ maxLength: 40 }), (toUid, fromUid, requestId, what, value) => {
        const { all, start, end } = surround(encodeResponse(toUid, fromUid, requestId, what, value));
        assert.equal(readFrameKind(all, start), frameKinds.response);
        assert.equal(all.readUInt32BE(start), end - start - lengthBytes);
        assert.equal(readResponsePlace(all, start, end), toUid.slice(0, 6));
        const { value: read, ...rest } = decodeResponse(all, start, end);
        assert.deepEqual(rest, { toUid, fromUid, requestId, type: what });
        assert.deepEqual(new Uint8Array(read), value);
      }),
    );
  });

  test("is refused by the router when it is refused by the worker it goes to", () => {
    const frame = encodeResponse("t".repeat(20), "f".repeat(20), 1, responses.answer, new Uint8Array(0));
    for (let end = 0; end < frame.length; end++) {
      assert.throws(() => decodeResponse(frame, 0, end), FrameError, `cut at ${end}`);
      assert.throws(() => readResponsePlace(frame, 0, end), FrameError, `cut at ${end}`);
    }
  });
});

interface Announcement {
  readonly sequence: number;
  readonly namespaceKey: string;
  readonly changes: readonly { readonly key: string; readonly isJoined: boolean }[];
}

function readInterest(bytes: Buffer, start: number, end: number): Announcement {
  const changes: { key: string; isJoined: boolean }[] = [];
  let namespaceKey: string | undefined;
  const begin = (key: string): void => {
    assert.equal(namespaceKey, undefined);
    namespaceKey = key;
  };
  const sequence = readInterestFrame(bytes, start, end, begin, (key, isJoined, roomStart, roomEnd) => {
    assert.equal(bytes.toString("latin1", roomStart, roomEnd), key);
    changes.push({ key, isJoined });
  });
  return { sequence, namespaceKey: namespaceKey ?? "none", changes };
}

function toKey(name: RoomName): string {
  return encodeRoom(name)?.toString("latin1") ?? "none";
}

describe("an announcement", () => {
  test("comes back change by change, in order", () => {
    const change = fc.record({ name: room, isJoined: fc.boolean() });
    const namespaces = fc.string({ unit: "grapheme", maxLength: 30 });
    fc.assert(
      fc.property(u32, namespaces, fc.array(change, { maxLength: 10 }), (sequence, namespace, changes) => {
        const writer = new InterestFrameWriter(sequence, namespace);
        for (const { name, isJoined } of changes) writer.add({ room: mustEncodeRoom(name), isJoined });
        const { all, start, end } = surround(writer.finish());
        assert.deepEqual(readInterest(all, start, end), {
          sequence,
          namespaceKey: Buffer.from(namespace).toString("latin1"),
          changes: changes.map(({ name, isJoined }) => ({ key: toKey(name), isJoined })),
        });
      }),
    );
  });

  test("of many rooms says when it is long enough, before it is longer than one room more", () => {
    const writer = new InterestFrameWriter(1, "/");
    const name = encodeRoom("x".repeat(1_000));
    assert.ok(name !== undefined);
    let count = 0;
    for (; !writer.isFull; count++) writer.add({ room: name, isJoined: true });
    const frame = writer.finish();
    assert.ok(frame.length < 50_000 && frame.length > 47_000, `${frame.length} bytes`);
    assert.equal(readInterest(frame, 0, frame.length).changes.length, count);
  });

  test("is refused when it is cut off, goes on, or says what it must not", () => {
    const frame = encodeInterest(7, "/chat", { joined: ["a", 1], left: ["b"] });
    for (let end = 0; end < frame.length; end++) {
      assert.throws(() => readInterest(frame, 0, end), FrameError, `cut at ${end}`);
    }
    const longer = Buffer.concat([frame, Buffer.alloc(1)]);
    assert.throws(() => readInterest(longer, 0, longer.length), FrameError);
    const countAt = frame.indexOf("/chat") + "/chat".length;
    for (const [at, hex] of [
      [countAt, "00000002"],
      [countAt, "00000004"],
      [countAt, "ffffffff"],
      [countAt + 4, "02"],
      [countAt + 4, "ff"],
      [countAt + 5, "ffff"],
    ] as const) {
      const changed = Buffer.from(frame);
      changed.write(hex, at, "hex");
      assert.throws(() => readInterest(changed, 0, changed.length), FrameError, `${hex} at ${at}`);
    }
  });
});
