/** What a worker and its router say to each other: every type comes back, and nothing else is taken for one. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FrameError, frameKinds, lengthBytes } from "../../src/protocol/frame.js";
import { portRefusals, shouldReconnectNow } from "../../src/protocol/port-refusals.js";
import {
  decodeRouterToWorker,
  decodeWorkerToRouter,
  encodeRouterToWorker,
  encodeWorkerToRouter,
  placeLength,
  type RouterToWorker,
  readFrameKind,
  uidLength,
  type WorkerToRouter,
} from "../../src/protocol/worker-port-frames.js";

const idCharacter = fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
const uid = fc.string({ unit: idCharacter, minLength: uidLength, maxLength: uidLength });
const place = fc.string({ unit: idCharacter, minLength: placeLength, maxLength: placeLength });
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const text = fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("", "/", "\ufeff/chat", "x".repeat(65_535)));

/** One arbitrary per type, so that a type without one does not compile. */
type Arbitraries<Message extends { type: string }> = {
  readonly [Type in Message["type"]]: fc.Arbitrary<Omit<Extract<Message, { type: Type }>, "type">>;
};

const toRouter: Arbitraries<WorkerToRouter> = {
  hello: fc.record({ version: u16, place, workerId: uid }),
  "namespace-up": fc.record({ uid, parserId: u32, namespace: text }),
  "namespace-down": fc.record({ uid }),
  "interest-complete": fc.record({}),
  "flood-me": fc.record({ isOn: fc.boolean() }),
  pong: fc.record({ token: u32 }),
  "joins-done": fc.record({ count: u32 }),
  unsent: fc.record({ frames: u32 }),
};

const toWorker: Arbitraries<RouterToWorker> = {
  welcome: fc.record({ version: u16, incarnation: text }),
  refused: fc.record({ code: fc.constantFrom(...Object.values(portRefusals).map(({ code }) => code)), reason: text }),
  "member-up": fc.record({ uid, parserId: u32, namespace: text }),
  "member-down": fc.record({ uid, namespace: text }),
  "members-reset": fc.record({}),
  "place-down": fc.record({ place }),
  "place-stalled": fc.record({ place }),
  "place-resumed": fc.record({ place }),
  "interest-taken": fc.record({ sequence: u32 }),
  ping: fc.record({ token: u32 }),
  routed: fc.record({ uid, requestId: u32, askedUids: fc.array(uid, { maxLength: 5 }) }),
  "routed-at": fc.record({
    uid,
    requestId: u32,
    hostKey: place.map((name) => name.slice(0, 4)),
    askedUids: fc.array(uid, { maxLength: 5 }),
  }),
  "host-unreachable": fc.record({ hostKey: place.map((name) => name.slice(0, 4)) }),
  lost: fc.record({ frames: u32, joinsSent: u32 }),
};

interface Direction {
  readonly name: string;
  readonly arbitraries: Record<string, fc.Arbitrary<object>>;
  readonly encode: (message: never) => Buffer;
  readonly decode: (bytes: Buffer, start: number, end: number) => object | undefined;
  /** A later version may say more in this one. */
  readonly open: string;
}

const directions: Direction[] = [
  {
    name: "a worker says to its router",
    arbitraries: toRouter,
    encode: encodeWorkerToRouter,
    decode: decodeWorkerToRouter,
    open: "hello",
  },
  {
    name: "a router says to its worker",
    arbitraries: toWorker,
    encode: encodeRouterToWorker,
    decode: decodeRouterToWorker,
    open: "welcome",
  },
];

for (const { name, arbitraries, encode, decode, open } of directions) {
  describe(`what ${name}`, () => {
    for (const [type, arbitrary] of Object.entries(arbitraries)) {
      const frames = arbitrary.map((rest) => {
        const message = { ...rest, type };
        return { message, frame: encode(message as never) };
      });

      test(`${type} comes back, between other bytes too`, () => {
        fc.assert(
          fc.property(frames, fc.nat(9), ({ message, frame }, before) => {
            assert.equal(frame.readUInt32BE(0), frame.length - lengthBytes);
            const bytes = Buffer.concat([Buffer.alloc(before, 0xaa), frame, Buffer.alloc(30, 0xaa)]);
            assert.deepEqual(decode(bytes, before, before + frame.length), message);
          }),
          { numRuns: 50 },
        );
      });

      test(`${type} is refused when it is cut off${type === open ? "" : ", or when more follows"}`, () => {
        fc.assert(
          fc.property(frames, ({ message, frame }) => {
            const ends = new Set([frame.length - 1, frame.length - 2, frame.length >> 1, 7, 6]);
            for (const end of ends) {
              if (end >= 6 && end < frame.length)
                assert.throws(() => decode(frame, 0, end), FrameError, `cut at ${end}`);
            }
            const longer = Buffer.concat([frame, Buffer.alloc(1)]);
            if (type === open) assert.deepEqual(decode(longer, 0, longer.length), message);
            else assert.throws(() => decode(longer, 0, longer.length), FrameError);
          }),
          { numRuns: 25 },
        );
      });
    }

    test("other kinds are none of these, and are not errors", () => {
      const mine = new Set(Object.keys(arbitraries));
      for (let kind = 0; kind < 256; kind++) {
        const frame = Buffer.alloc(80);
        frame[lengthBytes] = kind;
        let type: unknown;
        try {
          type = (decode(frame, 0, frame.length) as { type: string } | undefined)?.type;
        } catch (error) {
          assert.ok(error instanceof FrameError);
          continue;
        }
        assert.ok(type === undefined || mine.has(String(type)), `kind ${kind} is ${String(type)}`);
      }
    });
  });
}

test("a kind is sent in one direction only, so that each side refuses what only the other says", () => {
  for (const [name, kind] of Object.entries(frameKinds)) {
    const frame = Buffer.alloc(80);
    frame[lengthBytes] = kind;
    const readers = [decodeWorkerToRouter, decodeRouterToWorker].filter((decode) => {
      try {
        return decode(frame, 0, frame.length) !== undefined;
      } catch {
        return true;
      }
    });
    const isOfRouters = kind === frameKinds.routedAt;
    const passesThrough = !isOfRouters && (kind >= frameKinds.broadcast || kind === frameKinds.interest);
    assert.equal(readers.length, passesThrough ? 0 : 1, name);
  }
});

test("a list of asked uids that is longer than its frame is refused before it is made", () => {
  const frame = encodeRouterToWorker({ type: "routed", uid: "u".repeat(uidLength), requestId: 1, askedUids: [] });
  frame.writeUInt16BE(0xffff, frame.length - 2);
  assert.throws(() => decodeRouterToWorker(frame, 0, frame.length), FrameError);
});

test("a frame without a kind is refused", () => {
  assert.throws(() => readFrameKind(Buffer.alloc(lengthBytes), 0), FrameError);
  assert.equal(readFrameKind(encodeRouterToWorker({ type: "members-reset" }), 0), frameKinds.membersReset);
});

describe("refusals", () => {
  test("have codes of their own, none of them zero", () => {
    const codes = Object.values(portRefusals).map(({ code }) => code);
    assert.equal(new Set<number>(codes).size, codes.length);
    assert.ok(codes.every((code) => code > 0));
  });

  for (const [name, { code, reconnect }] of Object.entries(portRefusals)) {
    test(`after ${name} a worker comes back ${reconnect}`, () => {
      assert.equal(shouldReconnectNow(code), reconnect === "now");
    });
  }

  test("after one of a later version it takes its time", () => assert.equal(shouldReconnectNow(999), false));
});
