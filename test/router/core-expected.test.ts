/** Workers that are expected back: what is kept for them, and what happens when they do not come. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { commands, encodeResponse, responses } from "../../src/protocol/exchange-frames.js";
import { frameFlags } from "../../src/protocol/frame.js";
import { encodeBroadcast, encodeCommand } from "../support/fabric-frames.js";
import { defaultSettings, RouterHarness, type TestWorker } from "../support/router-harness.js";

const { expectBackMs } = defaultSettings;

/** A router that has just begun: A is back, B is expected. */
function makeHost(options: ConstructorParameters<typeof RouterHarness>[0] = {}): {
  harness: RouterHarness;
  A: TestWorker;
} {
  const harness = new RouterHarness(options);
  for (const place of ["hostAA", "hostAB"]) harness.core.expect(place, harness.nowMs);
  const A = harness.join("hostAA");
  A.read();
  return { harness, A };
}

function sayTo(room: string, body: string, flags = 0): Buffer {
  return encodeBroadcast({ rooms: [room], body, flags });
}

describe("a worker that is expected back", () => {
  test("gets what was sent in between, in order, behind the welcome, whatever its rooms are", () => {
    const { harness, A } = makeHost();
    A.send(sayTo("r", "1"), sayTo("hostABssssssssssssss", "2"));
    A.send(encodeResponse("hostABuuuuuuuuuuuuuu", A.uid(), 1, responses.answer, Buffer.from("3")));
    const B = harness.open("hostAB");
    B.sayHello();
    A.send(encodeBroadcast({ namespace: "/none", body: "4" }));
    const seen = B.read();
    assert.deepEqual(seen[0], { type: "welcome", version: 1, incarnation: "router-1" });
    assert.deepEqual(
      seen.slice(1).map((each) => ("body" in each ? each.body : each.type)),
      ["1", "2", "3", "4"],
    );
    assert.equal(harness.core.counters.lostFrames, 0);
  });

  test("gets nothing volatile of that time", () => {
    const { harness, A } = makeHost();
    A.send(sayTo("r", "old", frameFlags.volatile), sayTo("r", "kept"));
    assert.equal(harness.core.counters.droppedVolatile, 1);
    const B = harness.open("hostAB");
    B.sayHello();
    A.send(sayTo("r", "new", frameFlags.volatile));
    assert.deepEqual(B.readBodies(), ["kept", "new"]);
  });

  test("is told what did not fit", () => {
    const { harness, A } = makeHost({ outbox: { maxBytes: 1_000, maxVolatileBytes: 500 } });
    for (let index = 0; index < 3; index++) A.send(sayTo("r", "x".repeat(400)));
    assert.deepEqual(harness.notesOf("overflowed"), [{ type: "overflowed", place: "hostAB" }]);
    const B = harness.open("hostAB");
    B.sayHello();
    assert.deepEqual(B.read().slice(1), [{ type: "lost", frames: 3, joinsSent: 0 }, { type: "members-reset" }]);
    B.serve("/");
    A.send(sayTo("r", "next"));
    assert.deepEqual(
      B.read().map(({ type }) => type),
      ["member-up", "broadcast"],
    );
    assert.equal(harness.core.counters.lostFrames, 3);
  });

  test("counts the joins that were kept for it like those that come later", () => {
    const { harness, A } = makeHost();
    A.send(encodeCommand(commands.socketsJoin, ["r"]));
    const B = harness.join("hostAB");
    assert.deepEqual(B.readBodies().length, 1);
    A.send(sayTo("r", "before"));
    B.say({ type: "joins-done", count: 1 });
    A.send(sayTo("r", "after"));
    assert.deepEqual(B.readBodies(), ["before"]);
  });

  test("is nobody's member, is not pinged, and is not said to be stalled", () => {
    const { harness, A } = makeHost();
    for (let tick = 0; tick < 6; tick++) {
      harness.tick(500);
      for (const { token } of A.readNews("ping")) A.say({ type: "pong", token });
    }
    assert.deepEqual([harness.notesOf("stalled"), A.read()], [[], []]);
    assert.deepEqual(harness.core.ports.map(({ place }) => place).sort(), ["hostAA", "hostAB"]);
  });

  test("may be expected twice, and when it is there: that changes nothing", () => {
    const { harness, A } = makeHost();
    A.send(sayTo("r", "kept"));
    harness.core.expect("hostAB", harness.nowMs);
    const B = harness.join("hostAB");
    harness.core.expect("hostAB", harness.nowMs);
    assert.deepEqual(B.readBodies(), ["kept"]);
    assert.equal(harness.closedByCore.has(B.id), false);
  });
});

describe("a worker that does not come back", () => {
  test("is given up when its time is over, with what was kept for it, and frames for it go nowhere then", () => {
    const { harness, A } = makeHost();
    A.send(sayTo("r", "1"), sayTo("r", "2"), sayTo("r", "3", frameFlags.volatile));
    harness.tick(expectBackMs - 1);
    assert.deepEqual(harness.notesOf("not-back"), []);
    harness.tick(1);
    assert.deepEqual(harness.notesOf("not-back"), [{ type: "not-back", place: "hostAB", lostFrames: 2 }]);
    assert.equal(harness.core.counters.lostFrames, 2);
    const { framesOut } = harness.core.counters;
    A.send(sayTo("hostABssssssssssssss", "4"), sayTo("r", "5"));
    assert.deepEqual([harness.core.counters.lostFrames, harness.core.counters.framesOut], [2, framesOut]);
    const late = harness.join("hostAB");
    assert.deepEqual(late.readBodies(), []);
  });

  test("is told so when it comes later than that: how much was given up, and that there may have been more", () => {
    for (const kept of [["1", "2"], []]) {
      const { harness, A } = makeHost();
      for (const body of kept) A.send(sayTo("r", body));
      harness.tick(expectBackMs);
      A.send(sayTo("r", "later"));
      const late = harness.open("hostAB");
      late.sayHello();
      assert.deepEqual(late.read().slice(1), [{ type: "lost", frames: kept.length, joinsSent: 0 }]);
      const told = kept.length === 0 ? [] : [{ type: "loss-told", place: "hostAB", lostFrames: kept.length }];
      assert.deepEqual(harness.notesOf("loss-told"), told);
      late.close();
      // Once is enough.
      assert.deepEqual(harness.join("hostAB").readNews("lost"), []);
    }
  });

  test("is told nothing of what its predecessor missed, whose process has ended", () => {
    const { harness, A } = makeHost();
    A.send(sayTo("r", "1"));
    harness.tick(expectBackMs);
    harness.core.forget("hostAB", harness.nowMs);
    assert.deepEqual(harness.join("hostAB").readNews("lost"), []);
  });

  test("is given up with each frame counted once, also those that had not fitted before", () => {
    const { harness, A } = makeHost({ outbox: { maxBytes: 1_000, maxVolatileBytes: 500 } });
    for (let index = 0; index < 4; index++) A.send(sayTo("r", "x".repeat(400)));
    assert.equal(harness.core.counters.lostFrames, 4);
    harness.tick(expectBackMs);
    assert.deepEqual(harness.notesOf("not-back"), [{ type: "not-back", place: "hostAB", lostFrames: 4 }]);
    assert.equal(harness.core.counters.lostFrames, 4);
  });

  test("is forgotten at once when its process is known to have ended", () => {
    const { harness, A } = makeHost();
    A.send(sayTo("r", "1"));
    harness.core.forget("hostAB", harness.nowMs);
    assert.deepEqual(
      harness.core.ports.map(({ place }) => place),
      ["hostAA"],
    );
    harness.tick(expectBackMs);
    assert.deepEqual(harness.notesOf("not-back"), []);
  });
});

test("everything is released when nobody comes back", () => {
  const harness = new RouterHarness();
  for (const place of ["hostAA", "hostAB"]) harness.core.expect(place, harness.nowMs);
  harness.tick(expectBackMs);
  const { ports, interestSize } = harness.core;
  assert.deepEqual([ports, interestSize], [[], 0]);
});
