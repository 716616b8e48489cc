import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type BusMessage,
  busMessageKinds,
  decodeBusMessage,
  encodeBusMessage,
  isBusMessage,
} from "../../src/protocol/bus-messages.js";
import { FrameError, lengthBytes } from "../../src/protocol/frame.js";
import { datagramVersion } from "../../src/protocol/link-datagram.js";

const from = { hostKey: "ab-_", instance: "run", incarnation: "router" };
const examples: readonly BusMessage[] = [
  { type: "hello", ...from, version: 1, name: "mäschine 10.0.0.1:3000", isServing: true, asksHello: false, head: 7 },
  { type: "hello", ...from, version: 65_535, name: "x", isServing: false, asksHello: true, head: 0 },
  { type: "heartbeat", ...from, head: 2 ** 47, asksTaken: true },
  { type: "bye", ...from },
  { type: "want-snapshot", ...from, to: "other", snapshotId: 0xff_ff_ff_ff, part: 8 },
  { type: "taken", ...from, to: "other", sequence: 12 },
];

/** Their frames may end anywhere: what is in them is read later. */
const framed: readonly BusMessage[] = [
  { type: "announcement", ...from, sequence: 3, frames: Buffer.from("frames") },
  { type: "announcement", ...from, sequence: 3, frames: Buffer.alloc(0) },
  {
    type: "snapshot-part",
    ...from,
    to: "other",
    snapshotId: 1,
    part: 0,
    isLast: true,
    sequence: 9,
    frames: Buffer.from("frames"),
  },
];

describe("what hosts say on the bus", () => {
  for (const message of examples) {
    test(`${message.type} comes back as it was, and cut short it is refused`, () => {
      const bytes = encodeBusMessage(message);
      assert.deepEqual(decodeBusMessage(bytes), message);
      for (let length = 0; length < bytes.length; length++) {
        const cut = Buffer.from(bytes.subarray(0, length));
        if (length >= lengthBytes) cut.writeUInt32BE(length - lengthBytes, 0);
        assert.throws(() => decodeBusMessage(cut), FrameError, `${length} bytes`);
      }
    });
  }

  for (const message of framed) {
    test(`${message.type} comes back as it was`, () => {
      const bytes = encodeBusMessage(message);
      assert.deepEqual(decodeBusMessage(bytes), message);
      assert.ok(isBusMessage(bytes));
    });
  }

  test("a datagram is told from them by its first byte", () => {
    assert.ok(!isBusMessage(Buffer.of(datagramVersion)));
  });

  test("of a later version may say more, and kinds that are not known are left alone", () => {
    const [hello] = examples as [BusMessage];
    const longer = Buffer.concat([encodeBusMessage(hello), Buffer.from("more")]);
    longer.writeUInt32BE(longer.length - lengthBytes, 0);
    assert.deepEqual(decodeBusMessage(longer), hello);
    longer[lengthBytes] = 99;
    assert.equal(decodeBusMessage(longer), undefined);
  });

  const faults: [string, Partial<BusMessage>][] = [
    ["a host key of 5 characters", { hostKey: "abcde" }],
    ["a host key with a space", { hostKey: "ab d" }],
    ["no instance", { instance: "" }],
    ["an endless incarnation", { incarnation: "x".repeat(65) }],
  ];
  for (const [what, fault] of faults) {
    test(`with ${what} is refused`, () => {
      const bytes = encodeBusMessage({ type: "heartbeat", ...from, ...fault } as BusMessage);
      assert.throws(() => decodeBusMessage(bytes), FrameError);
    });
  }

  test("is read without harm whatever the bytes are", () => {
    const kinds = Object.values(busMessageKinds);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 80 }), fc.constantFrom(...kinds), (content, kind) => {
        const bytes = Buffer.concat([Buffer.alloc(lengthBytes), content]);
        bytes.writeUInt32BE(content.length, 0);
        bytes[lengthBytes] = kind;
        try {
          decodeBusMessage(bytes);
        } catch (error) {
          if (!(error instanceof FrameError)) throw error;
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
