/** Rooms of a forwarded socketsJoin, from its sending until each worker has said its truth. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { commands, encodeRoomsCommand } from "../../src/protocol/exchange-frames.js";
import { frameKinds } from "../../src/protocol/frame.js";
import type { RoomName } from "../../src/protocol/room-key.js";
import {
  encodeBroadcast,
  encodeCommand,
  encodeRouted,
  mustEncodeRoom,
  type RoutedParts,
} from "../support/fabric-frames.js";
import { RouterHarness, type TestWorker } from "../support/router-harness.js";

/** A makes sockets of others join; the others say when they have. */
function makeHost(options: ConstructorParameters<typeof RouterHarness>[0] = {}): {
  harness: RouterHarness;
  A: TestWorker;
  B: TestWorker;
  C: TestWorker;
} {
  const harness = new RouterHarness(options);
  const [A, B, C] = [harness.join("hostAA"), harness.join("hostAB"), harness.join("hostAC")];
  for (const worker of [A, B, C]) worker.read();
  return { harness, A, B, C };
}

function makeJoin(rooms: readonly RoomName[], parts: RoutedParts = {}): Buffer {
  return encodeCommand(commands.socketsJoin, rooms, parts);
}

/** Who of these gets a broadcast to a room, by place. */
function probe(from: TestWorker, to: readonly TestWorker[], room: RoomName, namespace = "/"): string[] {
  for (const worker of to) worker.read();
  from.send(encodeBroadcast({ rooms: [room], namespace }));
  return to.flatMap((worker) => worker.readBodies().map(() => worker.place));
}

describe("after a forwarded socketsJoin its rooms are wanted where it was sent to", () => {
  test("at once: the message behind it follows it, on the same way", () => {
    const { A, B, C } = makeHost();
    A.send(makeJoin(["r"], { rooms: [B.socketId()] }), encodeBroadcast({ rooms: ["r"], body: "hello" }));
    assert.deepEqual(
      B.read().map(({ type }) => type),
      ["command", "broadcast"],
    );
    assert.deepEqual(C.read(), []);
  });

  test("whoever sends to them", () => {
    const { A, B, C } = makeHost();
    A.send(makeJoin(["r"], { rooms: [B.socketId()] }));
    assert.deepEqual(probe(C, [A, B], "r"), ["hostAB"]);
  });

  test("in the namespace of the command only", () => {
    const { A, B } = makeHost();
    A.send(makeJoin(["r"], { rooms: [B.socketId()], namespace: "/chat" }));
    assert.deepEqual(probe(A, [B], "r"), []);
    assert.deepEqual(probe(A, [B], "r", "/chat"), ["hostAB"]);
  });

  test("at each worker that it was sent to, until that one has said its truth", () => {
    const { A, B, C } = makeHost();
    A.send(makeJoin(["r", 1]));
    assert.deepEqual(probe(A, [B, C], "r"), ["hostAB", "hostAC"]);
    B.say({ type: "joins-done", count: 1 });
    assert.deepEqual(probe(A, [B, C], 1), ["hostAC"]);
    C.want(["r"]);
    C.say({ type: "joins-done", count: 1 });
    assert.deepEqual(probe(A, [B, C], "r"), ["hostAC"]);
    assert.deepEqual(probe(A, [B, C], 1), []);
  });

  test("not at the worker that it came from", () => {
    const { A, C } = makeHost();
    A.send(makeJoin(["r"]));
    assert.deepEqual(probe(C, [A], "r"), []);
  });

  test("and for no other command", () => {
    const { A, B } = makeHost();
    A.send(encodeCommand(commands.socketsLeave, ["r"]), encodeCommand(commands.disconnectSockets, []));
    assert.deepEqual(probe(A, [B], "r"), []);
  });
});

describe("of several joins on their way", () => {
  test("each holds its own rooms until it is done", () => {
    const { A, B } = makeHost();
    for (const room of ["a", "b", "c"]) A.send(makeJoin([room]));
    const wanted = (): string[] => ["a", "b", "c"].filter((room) => probe(A, [B], room).length > 0);
    assert.deepEqual(wanted(), ["a", "b", "c"]);
    B.say({ type: "joins-done", count: 1 });
    assert.deepEqual(wanted(), ["b", "c"]);
    B.say({ type: "joins-done", count: 3 });
    assert.deepEqual(wanted(), []);
  });

  test("a room that two of them name is held until the last of these is done", () => {
    const { A, B, C } = makeHost();
    A.send(makeJoin(["r", "s"]));
    C.send(makeJoin(["t"]), makeJoin(["r"]));
    B.say({ type: "joins-done", count: 2 });
    assert.deepEqual([probe(A, [B], "r"), probe(A, [B], "s"), probe(A, [B], "t")], [["hostAB"], [], []]);
    B.say({ type: "joins-done", count: 3 });
    assert.deepEqual(probe(A, [B], "r"), []);
  });

  test("a count that was said before, or that is too high, changes nothing for later ones", () => {
    const { A, B } = makeHost();
    B.say({ type: "joins-done", count: 0xffff_ffff });
    A.send(makeJoin(["a"]));
    B.say({ type: "joins-done", count: 0 });
    assert.deepEqual(probe(A, [B], "a"), ["hostAB"]);
    B.say({ type: "joins-done", count: 1 }, { type: "joins-done", count: 1 });
    assert.deepEqual(probe(A, [B], "a"), []);
  });

  test("rooms of two namespaces whose names run into one another are held apart", () => {
    const { A, B } = makeHost();
    // Written one behind the other, with or without a zero between them, they are the same.
    const pairs = [
      ["/a", "b\0sc"],
      ["/a\0sb", "c"],
      ["/a", "sb"],
      ["/as", "b"],
    ] as const;
    for (const [namespace, room] of pairs) A.send(makeJoin([room], { rooms: [B.socketId()], namespace }));
    for (const [namespace, room] of pairs) assert.deepEqual(probe(A, [B], room, namespace), ["hostAB"]);
    B.say({ type: "joins-done", count: pairs.length });
    for (const [namespace, room] of pairs) assert.deepEqual(probe(A, [B], room, namespace), []);
  });
});

describe("what the worker has announced by itself", () => {
  test("stays when the join is done", () => {
    const { A, B } = makeHost();
    B.want(["r"]);
    A.send(makeJoin(["r"]));
    B.say({ type: "joins-done", count: 1 });
    assert.deepEqual(probe(A, [B], "r"), ["hostAB"]);
  });

  test("and taken back is wanted all the same while a join is on its way", () => {
    const { A, B } = makeHost();
    B.want(["r"]);
    A.send(makeJoin(["r"]));
    B.leave(["r"]);
    assert.deepEqual(probe(A, [B], "r"), ["hostAB"]);
    B.say({ type: "joins-done", count: 1 });
    assert.deepEqual(probe(A, [B], "r"), []);
  });
});

describe("a join that is lost", () => {
  const outbox = { maxBytes: 2_000, maxVolatileBytes: 500 };

  test("is counted where the loss is told, so that the worker's count goes on from there", () => {
    const { A, B } = makeHost({ outbox });
    B.want(["full"]);
    B.read();
    A.send(makeJoin(["a"], { rooms: [B.socketId()] }));
    for (let count = 0; count < 3; count++) A.send(encodeBroadcast({ rooms: ["full"], body: "x".repeat(900) }));
    const [lost] = B.readNews("lost");
    assert.deepEqual(lost, { type: "lost", frames: 4, joinsSent: 1 });
    B.say({ type: "joins-done", count: 1 });
    assert.deepEqual(probe(A, [B], "a"), []);
    A.send(makeJoin(["b"]));
    B.read();
    assert.deepEqual(probe(A, [B], "b"), ["hostAB"]);
    B.say({ type: "joins-done", count: 2 });
    assert.deepEqual(probe(A, [B], "b"), []);
  });

  test("leaves no rooms behind, however many come while the worker does not read", () => {
    const { harness, A, B } = makeHost({ outbox });
    for (let room = 0; room < 2_000; room++) A.send(makeJoin([room], { rooms: [B.socketId()] }));
    const port = harness.core.ports.find(({ place }) => place === B.place);
    assert.ok(port !== undefined && port.expectedRooms.size < 100, `${port?.expectedRooms.size} rooms`);
    const [lost] = B.readNews("lost");
    assert.equal(lost?.frames, 2_000);
    B.say({ type: "joins-done", count: lost?.joinsSent ?? 0 });
    assert.equal(port.expectedRooms.size, 0);
  });
});

describe("a join that is none", () => {
  const good = encodeRoomsCommand(commands.socketsJoin, ["a", "b"].map(mustEncodeRoom));
  const cases: [string, Buffer][] = [
    ["with a room cut off", good.subarray(0, good.length - 1)],
    ["with bytes behind its rooms", Buffer.concat([good, Buffer.alloc(1)])],
    ["without rooms", good.subarray(0, 1)],
  ];
  for (const [what, body] of cases) {
    test(`${what} is refused, and nobody is expected to have taken it`, () => {
      const { harness, A, B, C } = makeHost();
      A.send(encodeRouted(frameKinds.command, { body }));
      assert.ok(harness.closedByCore.has(A.id));
      assert.deepEqual(
        harness.core.ports.map(({ joinsSent, expectedRooms }) => [joinsSent, expectedRooms.size]),
        [
          [0, 0],
          [0, 0],
        ],
      );
      C.send(makeJoin(["c"]));
      assert.deepEqual(B.readBodies().length, 1);
      B.say({ type: "joins-done", count: 1 });
      assert.deepEqual([probe(C, [B], "c"), probe(C, [B], "a")], [[], []]);
    });
  }
});

test("a worker that comes anew counts anew, and what was expected of the one before is forgotten", () => {
  const { harness, A, B } = makeHost();
  A.send(makeJoin(["a"]), makeJoin(["b"]));
  B.close();
  const next = harness.join("hostAB");
  assert.deepEqual(probe(A, [next], "a"), []);
  A.send(makeJoin(["c"]));
  assert.deepEqual(probe(A, [next], "c"), ["hostAB"]);
  next.say({ type: "joins-done", count: 1 });
  assert.deepEqual(probe(A, [next], "c"), []);
});
