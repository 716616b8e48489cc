/** Which workers a frame goes to: rooms, addresses, and those who get everything. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RoomName } from "../../src/protocol/room-key.js";
import { encodeBroadcast, encodeCommand } from "../support/fabric-frames.js";
import { RouterHarness, type TestWorker } from "../support/router-harness.js";

/** Four workers that serve "/", and who of them has which room. */
function makeHost(options: ConstructorParameters<typeof RouterHarness>[0] = {}): {
  harness: RouterHarness;
  workers: Record<"A" | "B" | "C" | "D", TestWorker>;
  sendFrom: (name: "A" | "B" | "C" | "D", parts: Parameters<typeof encodeBroadcast>[0]) => string[];
} {
  const harness = new RouterHarness(options);
  const workers = {
    A: harness.join("hostAA"),
    B: harness.join("hostAB"),
    C: harness.join("hostAC"),
    D: harness.join("hostAD"),
  };
  const sendFrom = (name: keyof typeof workers, parts: Parameters<typeof encodeBroadcast>[0]): string[] => {
    for (const worker of Object.values(workers)) worker.read();
    workers[name].send(encodeBroadcast(parts));
    return Object.entries(workers).flatMap(([each, worker]) => worker.readBodies().map(() => each));
  };
  return { harness, workers, sendFrom };
}

describe("a broadcast goes to the workers that have members of its rooms, once to each", () => {
  const cases: [string, { rooms?: readonly RoomName[]; except?: readonly RoomName[]; namespace?: string }, string[]][] =
    [
      ["to one room of two workers", { rooms: ["r"] }, ["B", "C"]],
      ["to two rooms that one worker has both of", { rooms: ["r", "s"] }, ["B", "C"]],
      ["to one room named twice", { rooms: ["s", "s"] }, ["C"]],
      ["to a room that nobody has", { rooms: ["nobody"] }, []],
      ["to a room that only the sender has", { rooms: ["own"] }, []],
      ["to the number and not the text of it", { rooms: [1] }, ["D"]],
      ["to the text and not the number of it", { rooms: ["1"] }, ["B"]],
      ["to the room without a name", { rooms: [""] }, ["D"]],
      ["although the room is excepted there too: the worker decides", { rooms: ["r"], except: ["r"] }, ["B", "C"]],
      ["to a room of that name in another namespace", { rooms: ["r"], namespace: "/chat" }, ["D"]],
      ["to no room: to all that serve the namespace", {}, ["B", "C", "D"]],
      ["to no room of a namespace that one serves", { namespace: "/chat" }, ["D"]],
      ["to no room of a namespace that nobody serves", { namespace: "/none" }, []],
      ["to no room, however many are excepted", { except: ["r", "s"] }, ["B", "C", "D"]],
    ];
  for (const [what, parts, expected] of cases) {
    test(what, () => {
      const { workers, sendFrom } = makeHost();
      workers.A.want(["own", "r"]);
      workers.B.want(["r", "1"]);
      workers.C.want(["r", "s"]);
      workers.D.serve("/chat", 1);
      workers.D.want([1, ""]);
      workers.D.want(["r"], "/chat");
      assert.deepEqual(sendFrom("A", parts), expected);
    });
  }

  test("and no more when the last member has left", () => {
    const { workers, sendFrom } = makeHost();
    workers.B.want(["r"]);
    workers.C.want(["r"]);
    workers.B.leave(["r", "never joined"]);
    assert.deepEqual(sendFrom("A", { rooms: ["r"] }), ["C"]);
  });

  test("with the very bytes that were sent, in the order in which they were sent", () => {
    const { workers } = makeHost();
    workers.B.want(["r"]);
    const bodies = Array.from({ length: 50 }, (_, index) => `€${index}`);
    workers.A.send(...bodies.map((body) => encodeBroadcast({ rooms: ["r"], body })));
    assert.deepEqual(workers.B.readBodies(), bodies);
  });

  test("whatever else goes by rooms goes the same way", () => {
    const { workers } = makeHost();
    workers.B.want(["r"]);
    workers.A.send(encodeCommand(2, ["x"], { rooms: ["r"] }));
    assert.deepEqual(
      Object.values(workers).map((worker) => worker.readBodies().length),
      [0, 1, 0, 0],
    );
  });
});

describe("a room that is an address", () => {
  const cases: [string, string, string[]][] = [
    ["goes to the worker that it names", "hostACssssssssssssss", ["C"]],
    ["of another namespace's socket goes there too (Engine.IO 3)", "/chat#hostACssssssssssssss", ["C"]],
    ["of a slot without a worker goes to nobody", "hostAZssssssssssssss", []],
    ["of another host goes to nobody", "tsohACssssssssssssss", []],
    ["of the sender goes to nobody", "hostAAssssssssssssss", []],
    ["one character short is a name like others", "hostACsssssssssssss", []],
    ["one character long is a name like others", "hostACsssssssssssssss", []],
    ["behind something else than a hash is a name like others", "/chat/hostACssssssssssssss", []],
    ["twice, one behind the other, leads to the last", "hostABssssssssssssss#hostACssssssssssssss", ["C"]],
    ["behind a character of more bytes than one is found", "/€#hostACssssssssssssss", ["C"]],
  ];
  for (const [what, room, expected] of cases) {
    test(what, () => assert.deepEqual(makeHost().sendFrom("A", { rooms: [room] }), expected));
  }

  test("goes to its worker and to whoever announced a room of that name, once to each", () => {
    const { workers, sendFrom } = makeHost();
    const room = "hostACssssssssssssss";
    workers.B.want([room]);
    workers.C.want([room]);
    assert.deepEqual(sendFrom("A", { rooms: [room] }), ["B", "C"]);
    assert.deepEqual(sendFrom("D", { rooms: [room, "hostACzzzzzzzzzzzzzz"] }), ["B", "C"]);
  });

  test("as bytes of a number is no address", () => {
    const { sendFrom } = makeHost();
    assert.deepEqual(sendFrom("A", { rooms: [20, 1e300] }), []);
  });

  test("of a worker that has gone goes to nobody, and to the new one of that slot", () => {
    const { harness, workers, sendFrom } = makeHost();
    workers.C.close();
    assert.deepEqual(sendFrom("A", { rooms: ["hostACssssssssssssss"] }), []);
    const next = harness.join("hostAC");
    next.read();
    workers.A.send(encodeBroadcast({ rooms: ["hostACssssssssssssss"], body: "late" }));
    assert.deepEqual(next.readBodies(), ["late"]);
  });
});

describe("a worker gets everything", () => {
  test("until its announcements are complete, whatever it serves", () => {
    const { harness, workers } = makeHost();
    const late = harness.join("hostAE", { namespaces: [], isComplete: false });
    workers.B.want(["r"]);
    workers.A.send(encodeBroadcast({ rooms: ["r"], body: "1" }), encodeBroadcast({ namespace: "/none", body: "2" }));
    assert.deepEqual(late.readBodies(), ["1", "2"]);
    late.want(["x"]);
    late.say({ type: "interest-complete" });
    workers.A.send(encodeBroadcast({ rooms: ["r"], body: "3" }), encodeBroadcast({ rooms: ["x"], body: "4" }));
    assert.deepEqual(late.readBodies(), ["4"]);
  });

  test("while it asks for it, and what it has said since then holds when it stops", () => {
    const { harness, workers, sendFrom } = makeHost();
    workers.B.want(["before"]);
    workers.B.say({ type: "flood-me", isOn: true });
    assert.equal(harness.core.interestSize, 0);
    assert.deepEqual(sendFrom("A", { rooms: ["anything"] }), ["B"]);
    assert.deepEqual(sendFrom("B", { rooms: ["anything"] }), []);
    workers.B.want(["since"]);
    assert.deepEqual(sendFrom("A", { rooms: ["since", "anything"] }), ["B"]);
    workers.B.say({ type: "flood-me", isOn: false });
    assert.deepEqual(sendFrom("A", { rooms: ["since"] }), ["B"]);
    assert.deepEqual(sendFrom("A", { rooms: ["before", "anything"] }), []);
    assert.deepEqual([harness.notesOf("flooded").length, harness.notesOf("not-flooded").length], [1, 1]);
  });

  test("when it asks twice as when it asks once", () => {
    const { harness, workers, sendFrom } = makeHost();
    workers.B.say({ type: "flood-me", isOn: true }, { type: "flood-me", isOn: true });
    workers.B.say({ type: "flood-me", isOn: false });
    assert.deepEqual(sendFrom("A", { rooms: ["anything"] }), []);
    assert.equal(harness.notesOf("flooded").length, 1);
  });

  test("when it announces more rooms than the router keeps of one", () => {
    const { harness, workers, sendFrom } = makeHost({ maxRoomsPerPort: 10 });
    workers.B.want(Array.from({ length: 10 }, (_, index) => `room ${index}`));
    assert.deepEqual(sendFrom("A", { rooms: ["anything"] }), []);
    workers.B.want(["one more"]);
    assert.deepEqual(sendFrom("A", { rooms: ["anything"] }), ["B"]);
    assert.equal(harness.core.interestSize, 0);
    assert.deepEqual(harness.notesOf("flooded"), [{ type: "flooded", place: "hostAB" }]);
  });

  test("and counts for that the rooms that it has, not those that it has had", () => {
    const { harness, workers } = makeHost({ maxRoomsPerPort: 10 });
    for (let round = 0; round < 30; round++) {
      workers.B.want([`room ${round}`, "always"]);
      workers.B.leave([`room ${round}`]);
    }
    assert.deepEqual([harness.core.interestSize, harness.notesOf("flooded").length], [1, 0]);
  });
});

test("what is announced is acknowledged with the highest sequence, before what waits, once for all that came", () => {
  const { workers } = makeHost();
  workers.B.want(["r"]);
  workers.B.read();
  workers.A.send(encodeBroadcast({ rooms: ["r"], body: "waits" }));
  workers.B.want(["s"]);
  const sequence = workers.B.want(["t"]);
  const [first, ...rest] = workers.B.read();
  assert.deepEqual(first, { type: "interest-taken", sequence });
  assert.deepEqual(rest, [{ type: "broadcast", body: "waits" }]);
});

test("a worker that announces and never reads fills no queue with acknowledgements", () => {
  const { harness, workers } = makeHost();
  for (let round = 0; round < 5_000; round++) workers.B.want(["r"]);
  const port = harness.core.ports.find(({ place }) => place === "hostAB");
  assert.ok(port !== undefined && port.outbox.queuedBytes < 1_000, `${port?.outbox.queuedBytes} bytes`);
  assert.deepEqual(workers.B.readNews("interest-taken"), [{ type: "interest-taken", sequence: 5_000 }]);
});

test("everything is released when the workers have gone", () => {
  const { harness, workers, sendFrom } = makeHost();
  for (const worker of Object.values(workers)) worker.want(["r", 1, worker.place]);
  workers.B.serve("/chat", 1);
  workers.C.say({ type: "flood-me", isOn: true });
  for (const worker of Object.values(workers)) worker.close();
  assert.deepEqual([harness.core.interestSize, harness.core.ports], [0, []]);
  assert.deepEqual(sendFrom("A", { rooms: ["r"] }), []);
});
