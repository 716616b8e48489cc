/** What does not fit: volatile frames first, and losses told and counted. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { commands, encodeResponse, responses } from "../../src/protocol/exchange-frames.js";
import { frameFlags } from "../../src/protocol/frame.js";
import { encodeBroadcast, encodeCommand, encodeRequest } from "../support/fabric-frames.js";
import { RouterHarness, type Seen, type TestWorker } from "../support/router-harness.js";

const limits = { maxBytes: 10_000, maxVolatileBytes: 4_000 };

/** A sends, B reads when the test wants it to; C is there for news of it. */
function makeHost(outbox = limits): { harness: RouterHarness; A: TestWorker; B: TestWorker; C: TestWorker } {
  const harness = new RouterHarness({ outbox });
  const [A, B, C] = [harness.join("hostAA"), harness.join("hostAB"), harness.join("hostAC")];
  B.want(["r"]);
  for (const worker of [A, B, C]) worker.read();
  Object.assign(harness.core.counters, { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0 });
  return { harness, A, B, C };
}

/** A broadcast of about 1,000 bytes to B, told from others by how it begins. */
function makeLarge(name: string, flags = 0): Buffer {
  return encodeBroadcast({ rooms: ["r"], flags, body: name.padEnd(960, ".") });
}

function names(seen: readonly Seen[]): string[] {
  return seen.map((each) => ("body" in each ? (each.body.split(".")[0] ?? "") : each.type));
}

test("a frame counts once in and once out for each worker it goes to, and its bytes when they are written", () => {
  const { harness, A, B, C } = makeHost();
  C.want(["r"]);
  C.read();
  const { counters } = harness.core;
  const before = { ...counters };
  const frame = makeLarge("one");
  A.send(frame);
  assert.equal(counters.framesIn - before.framesIn, 1);
  assert.equal(counters.framesOut - before.framesOut, 2);
  assert.equal(counters.bytesIn - before.bytesIn, frame.length);
  assert.equal(counters.bytesOut - before.bytesOut, 0);
  B.read();
  C.read();
  assert.equal(counters.bytesOut - before.bytesOut, 2 * frame.length);
});

test("a worker is woken once for all that waits, and again only after it has been written to", () => {
  const { harness, A, B } = makeHost();
  harness.wakes.length = 0;
  for (let count = 0; count < 5; count++) A.send(encodeBroadcast({ rooms: ["r"] }));
  assert.deepEqual(harness.wakes, [B.id]);
  B.read();
  A.send(encodeBroadcast({ rooms: ["r"] }));
  assert.deepEqual(harness.wakes, [B.id, B.id]);
});

describe("volatile frames", () => {
  test("are dropped first, and what must be kept still fits", () => {
    const { harness, A, B } = makeHost();
    for (let index = 0; index < 6; index++) A.send(makeLarge(`v${index}`, frameFlags.volatile));
    for (let index = 0; index < 5; index++) A.send(makeLarge(`k${index}`), makeLarge("late", frameFlags.volatile));
    assert.deepEqual(names(B.read()), ["v0", "v1", "v2", "v3", "k0", "k1", "k2", "k3", "k4"]);
    assert.deepEqual([harness.core.counters.droppedVolatile, harness.core.counters.lostFrames], [7, 0]);
    assert.deepEqual(harness.notesOf("overflowed"), []);
  });

  test("that waited when all was given up count as dropped, not as lost", () => {
    const { harness, A, B } = makeHost();
    A.send(makeLarge("v", frameFlags.volatile));
    for (let index = 0; index < 10; index++) A.send(makeLarge(`k${index}`));
    assert.deepEqual([harness.core.counters.droppedVolatile, harness.core.counters.lostFrames], [1, 10]);
    assert.deepEqual(B.readNews("lost"), [{ type: "lost", frames: 10, joinsSent: 0 }]);
  });

  test("are broadcasts only: a command or a request that says it is volatile is kept, since it is counted on", () => {
    const { harness, A, B } = makeHost();
    for (let index = 0; index < 5; index++) A.send(makeLarge(`k${index}`));
    const flags = frameFlags.volatile;
    A.send(
      encodeCommand(commands.socketsJoin, ["x"], { rooms: ["r"], flags }),
      encodeRequest(A.uid(), 1, { rooms: ["r"], flags }),
    );
    assert.deepEqual(
      B.read()
        .slice(5)
        .map(({ type }) => type),
      ["command", "request"],
    );
    assert.equal(harness.core.counters.droppedVolatile, 0);
  });
});

describe("what does not fit", () => {
  test("is told once, where it is missing, with the members anew behind it, and then the stream goes on", () => {
    const { harness, A, B, C } = makeHost();
    for (let index = 0; index < 9; index++) A.send(makeLarge(`k${index}`));
    C.serve("/", 1);
    A.send(...["fits", "over", "after"].map((name) => makeLarge(name)), makeLarge("volatile", frameFlags.volatile));
    assert.deepEqual(harness.notesOf("overflowed"), [{ type: "overflowed", place: "hostAB" }]);
    const seen = B.read();
    // Nine frames and the news of C's second adapter were waiting, and three more came.
    assert.deepEqual(seen[0], { type: "lost", frames: 13, joinsSent: 0 });
    assert.deepEqual(seen[1], { type: "members-reset" });
    const members = seen.slice(2).map((each) => (each.type === "member-up" ? each.uid : each.type));
    assert.deepEqual(members.sort(), [A.uid(0), C.uid(0), C.uid(1)]);
    assert.deepEqual(harness.notesOf("loss-told"), [{ type: "loss-told", place: "hostAB", lostFrames: 13 }]);
    assert.deepEqual([harness.core.counters.lostFrames, harness.core.counters.droppedVolatile], [13, 1]);

    A.send(makeLarge("again"));
    assert.deepEqual(names(B.read()), ["again"]);
    assert.equal(harness.core.counters.lostFrames, 13);
  });

  test("is lost for the slow worker alone", () => {
    const { harness, A, B, C } = makeHost();
    C.want(["r"]);
    const seenByC: string[] = [];
    for (let index = 0; index < 30; index++) {
      A.send(makeLarge(`k${index}`));
      seenByC.push(...names(C.read().filter(({ type }) => type === "broadcast")));
    }
    assert.equal(seenByC.length, 30);
    assert.equal(B.readNews("lost")[0]?.frames, 30);
    assert.equal(harness.core.counters.lostFrames, 30);
  });

  test("is told again when it happens again", () => {
    const { A, B } = makeHost();
    for (const count of [11, 15]) {
      for (let index = 0; index < count; index++) A.send(makeLarge(`k${index}`));
      assert.equal(B.readNews("lost")[0]?.frames, count);
    }
  });

  test("is told of workers that are stalled, too: to wait for them would be in vain", () => {
    const { harness, A, B, C } = makeHost();
    for (let ticks = 0; ticks < 6; ticks++) {
      harness.tick(500);
      for (const worker of [A, B]) {
        for (const { token } of worker.readNews("ping")) worker.say({ type: "pong", token });
      }
    }
    for (let index = 0; index < 11; index++) A.send(makeLarge(`k${index}`));
    assert.deepEqual(B.readNews("place-stalled"), [{ type: "place-stalled", place: C.place }]);
  });

  test("does not hold up what is urgent", () => {
    const { A, B } = makeHost();
    for (let index = 0; index < 11; index++) A.send(makeLarge(`k${index}`));
    const sequence = B.want(["s"]);
    assert.deepEqual(B.read()[0], { type: "interest-taken", sequence });
  });

  test("passes when it is one frame that is longer than the bound by itself; behind others it does not fit", () => {
    const { A, B } = makeHost();
    B.read();
    const long = encodeBroadcast({ rooms: ["r"], body: "x".repeat(limits.maxBytes) });
    A.send(long);
    assert.equal(B.readBodies().length, 1);
    A.send(makeLarge("before"), long);
    assert.equal(B.readNews("lost")[0]?.frames, 2);
    A.send(makeLarge("next"));
    assert.deepEqual(names(B.read()), ["next"]);
  });

  test("may be an answer: it is counted like the rest", () => {
    const { A, B } = makeHost();
    for (let index = 0; index < 10; index++) A.send(makeLarge(`k${index}`));
    A.send(encodeResponse(B.uid(), A.uid(), 1, responses.answer, Buffer.alloc(900)));
    assert.equal(B.readNews("lost")[0]?.frames, 11);
  });
});

test("every broadcast is delivered, lost or dropped: whenever a worker reads, the counts add up", () => {
  const { harness, A, B } = makeHost();
  let [kept, volatile, delivered, told] = [0, 0, 0, 0];
  for (let round = 0; round < 400; round++) {
    const isVolatile = (round * 7) % 5 === 0;
    A.send(makeLarge(`${round}`, isVolatile ? frameFlags.volatile : 0));
    if (isVolatile) volatile++;
    else kept++;
    if ((round * 13) % 29 !== 0 && round !== 399) continue;
    for (const seen of B.read()) {
      if (seen.type === "broadcast") delivered++;
      else if (seen.type === "lost") told += seen.frames;
    }
  }
  const { lostFrames, droppedVolatile } = harness.core.counters;
  assert.ok(lostFrames > 0 && droppedVolatile > 0);
  assert.equal(lostFrames, told);
  assert.equal(delivered + lostFrames + droppedVolatile, kept + volatile);
});

test("everything is released when workers go with full outboxes", () => {
  const { harness, A, B, C } = makeHost();
  for (let index = 0; index < 11; index++) A.send(makeLarge(`k${index}`));
  B.close();
  assert.deepEqual(harness.notesOf("port-down"), [{ type: "port-down", place: "hostAB", lostFrames: 11 }]);
  for (const worker of [A, C]) worker.close();
  assert.deepEqual([harness.core.ports, harness.core.interestSize], [[], 0]);
});
