/** Broken and hostile bytes through everything that reads frames. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { decodeWebSocketText, partTypes, readBroadcastBody } from "../../src/protocol/broadcast-body.js";
import {
  decodeResponse,
  readCommand,
  readCommandRooms,
  readRequestHead,
  readResponsePlace,
  walkCommandRooms,
} from "../../src/protocol/exchange-frames.js";
import { FrameError } from "../../src/protocol/frame.js";
import { FrameSplitter } from "../../src/protocol/frame-splitter.js";
import { readInterestFrame } from "../../src/protocol/interest-frame.js";
import { decodeRoom } from "../../src/protocol/room-key.js";
import { RoutedView } from "../../src/protocol/routed-frame.js";
import { decodeRouterToWorker, decodeWorkerToRouter, readFrameKind } from "../../src/protocol/worker-port-frames.js";
import { framesOfRouters, framesOfWorkers, hello, makeHostileFrame, makeRandom } from "../support/hostile-bytes.js";

/** 50,000 inputs alone and 100,000 in streams; each run can be repeated by the seed that a failure prints. */
const runs = 100;
const inputsPerRun = 500;
const streamsPerRun = 125;
const framesPerStream = 8;
/** An input goes to every so many-th reader, which ones in turn; all of them on all inputs when there is time. */
const readerStride = process.env.TEST_SIZE === "full" ? 1 : 3;

const routed = new RoutedView();
// Refusals are made by the million here, and nobody reads where each of them came from.
const { stackTraceLimit } = Error;
before(() => {
  Error.stackTraceLimit = 0;
});
after(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

function readBody(bytes: Buffer, start: number, end: number): void {
  let copied = 0;
  for (const part of readBroadcastBody(bytes, start, end).parts) {
    copied += part.bytes.length;
    if (part.type === partTypes.webSocketText) attempt(() => decodeWebSocketText(part.bytes));
  }
  assert.ok(copied <= end - start, `${copied} bytes of parts from ${end - start}`);
}

/** Whatever reads frames, on bytes that may or may not be one; all of it stays within `start` and `end`. */
const readers: Record<string, (bytes: Buffer, start: number, end: number) => unknown> = {
  readFrameKind: (bytes, start) => readFrameKind(bytes, start),
  decodeWorkerToRouter,
  decodeRouterToWorker,
  decodeResponse,
  readResponsePlace,
  readBody,
  readCommand,
  readCommandRooms,
  readRequestHead,
  decodeRoom,
  readInterestFrame: (bytes, start, end) => {
    let changes = 0;
    const take = (_key: string, _isJoined: boolean, roomStart: number, roomEnd: number): void => {
      changes++;
      assert.ok(start <= roomStart && roomStart <= roomEnd && roomEnd <= end);
      attempt(() => decodeRoom(bytes, roomStart, roomEnd));
    };
    attempt(() => readInterestFrame(bytes, start, end, () => undefined, take));
    assert.ok(changes * 3 <= end - start, `${changes} changes in ${end - start} bytes`);
  },
  routedView: (bytes, start, end) => {
    routed.read(bytes, start, end);
    assert.ok(start < routed.namespaceStart && routed.namespaceStart <= routed.namespaceEnd);
    assert.ok(routed.namespaceEnd <= routed.bodyStart && routed.bodyStart <= end);
    attempt(() => routed.readNamespace());
    attempt(() => routed.readRooms());
    attempt(() => routed.checkRooms());
    const take = (roomStart: number, roomEnd: number): void => {
      assert.ok(routed.bodyStart < roomStart && roomStart <= roomEnd && roomEnd <= end);
    };
    attempt(() => walkCommandRooms(bytes, routed.bodyStart, end, take));
    for (const read of [readBody, readCommandRooms, readRequestHead, readCommand]) {
      attempt(() => read(bytes, routed.bodyStart, end));
    }
  },
};

/** Nothing but a FrameError may be thrown. */
function attempt(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
  }
}

const namedReaders = Object.entries(readers);
let turn = 0;

function readHostile(bytes: Buffer, start: number, end: number): void {
  turn++;
  for (const [index, [name, read]] of namedReaders.entries()) {
    if ((index + turn) % readerStride !== 0) continue;
    try {
      attempt(() => read(bytes, start, end));
    } catch (error) {
      const hex = bytes.toString("hex", start, end);
      throw new Error(`${name} threw ${String(error)} on ${hex}`, { cause: error });
    }
  }
}

/** A seed makes no smaller case of the same fault. */
const seeds = fc.noShrink(fc.integer());

test("whatever bytes come, nothing but a FrameError is thrown, and no reader leaves its frame", () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const random = makeRandom(seed);
      for (let input = 0; input < inputsPerRun; input++) {
        const hostile = makeHostileFrame(random);
        const before = random(2) * 3;
        // Whole frames on both sides, as in a chunk: a reader that leaves its own finds something that makes sense.
        const bytes = Buffer.concat([hello.subarray(0, before), hostile, hello]);
        readHostile(bytes, before, before + hostile.length);
      }
    }),
    { numRuns: runs },
  );
});

test("whatever stream comes, it is cut or refused, and no more memory is taken than has arrived", () => {
  const limit = 4_096;
  const { allocUnsafe } = Buffer;
  let largest = 0;
  Buffer.allocUnsafe = (size: number) => {
    largest = Math.max(largest, size);
    return allocUnsafe.call(Buffer, size);
  };
  try {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = makeRandom(seed);
        for (let stream = 0; stream < streamsPerRun; stream++) {
          const frames = Array.from({ length: framesPerStream }, () => makeHostileFrame(random));
          const bytes = Buffer.concat(frames);
          let frameBytes = 0;
          let arrived = 0;
          const splitter = new FrameSplitter((chunk, start, end) => {
            frameBytes += end - start;
            readHostile(chunk, start, end);
          }, limit);
          largest = 0;
          attempt(() => {
            while (arrived < bytes.length) {
              const chunk = bytes.subarray(arrived, arrived + 1 + random(300));
              arrived += chunk.length;
              splitter.push(chunk);
              assert.equal(frameBytes + splitter.heldBytes, arrived);
            }
          });
          assert.ok(largest <= arrived * 2 + 4_096, `${largest} bytes for ${arrived}`);
        }
      }),
      { numRuns: runs },
    );
  } finally {
    Buffer.allocUnsafe = allocUnsafe;
  }
});

describe("what is whole is read", () => {
  test("so that the frames that are broken above are near to ones that are not", () => {
    for (const frame of framesOfWorkers) {
      const isRouted = frame.length > 16 && readFrameKind(frame, 0) >= 32 && readFrameKind(frame, 0) < 35;
      if (isRouted) routed.read(frame, 0, frame.length);
      else decodeWorkerToRouter(frame, 0, frame.length);
    }
    for (const frame of framesOfRouters) assert.ok(decodeRouterToWorker(frame, 0, frame.length));
    assert.equal(decodeWorkerToRouter(hello, 0, hello.length)?.type, "hello");
  });
});
