/** What a worker says on a connection to its router, from the first frame on, and what it makes of what it hears. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { frameKinds } from "../../../src/protocol/frame.js";
import { portRefusals } from "../../../src/protocol/port-refusals.js";
import { readFrameKind } from "../../../src/protocol/worker-port-frames.js";
import { encodeBroadcast, encodeCommand, readInterest } from "../../support/fabric-frames.js";
import { createEndpoint, ownPlace, SessionHarness, uidOf } from "../../support/session-harness.js";

const message = encodeBroadcast({ rooms: ["room"], body: "hello" });
const welcome = { type: "welcome", version: 1, incarnation: "router-1" } as const;

function namesOf(harness: SessionHarness): string[] {
  return harness.read().map(({ type }) => type);
}

/** Rooms that are announced in what is written next. */
function readRooms(harness: SessionHarness): string[] {
  return harness
    .readFrames()
    .filter((frame) => readFrameKind(frame, 0) === frameKinds.interest)
    .flatMap((frame) => readInterest(frame).changes.map(({ room, isJoined }) => `${isJoined ? "+" : "-"}${room}`));
}

describe("a new connection", () => {
  test("begins with who we are, the namespaces, the rooms, and that these are all", () => {
    const harness = new SessionHarness();
    harness.session.add(createEndpoint("/"));
    harness.session.add(createEndpoint("/chat", { uid: uidOf(ownPlace, "chat"), parserId: 7 }));
    void harness.session.joined("/", ["a"], 0);
    void harness.session.joined("/chat", ["b"], 0);
    harness.session.connected(ownPlace);
    assert.deepEqual(harness.read(), [
      { type: "hello", version: 1, place: ownPlace, workerId: uidOf(ownPlace, "worker") },
      { type: "namespace-up", uid: uidOf(ownPlace, "adapter"), parserId: 0, namespace: "/" },
      { type: "namespace-up", uid: uidOf(ownPlace, "chat"), parserId: 7, namespace: "/chat" },
      { type: "interest" },
      { type: "interest" },
      { type: "interest-complete" },
    ]);
  });

  test("with nobody to serve says that much", () => {
    const harness = new SessionHarness();
    harness.session.connected(ownPlace);
    assert.deepEqual(namesOf(harness), ["hello", "interest-complete"]);
  });

  test("says nothing else before the welcome; what waited follows it, in order", () => {
    const harness = new SessionHarness();
    const sayNumber = (number: number): void => {
      harness.session.send(encodeBroadcast({ body: String(number) }));
    };
    sayNumber(1);
    harness.session.connected(ownPlace);
    sayNumber(2);
    assert.deepEqual(namesOf(harness), ["hello", "interest-complete"]);
    sayNumber(3);
    assert.equal(harness.session.hasWrites, false);
    const wakesBefore = harness.wakes;
    harness.hear(welcome);
    assert.equal(harness.wakes, wakesBefore + 1);
    assert.deepEqual(
      harness.readFrames().map((frame) => frame.toString("latin1", frame.length - 1)),
      ["1", "2", "3"],
    );
  });

  test("does tell the rooms of joins that come before the welcome: they are a part of who we are", () => {
    const harness = new SessionHarness();
    harness.session.add(createEndpoint("/"));
    harness.session.connected(ownPlace);
    harness.read();
    void harness.session.joined("/", ["a"], 0);
    assert.deepEqual(readRooms(harness), ["+a"]);
  });

  test("does not get what was urgent on the one before", () => {
    const harness = new SessionHarness();
    harness.connect();
    harness.hear({ type: "ping", token: 5 });
    harness.session.closed();
    harness.session.connected(ownPlace);
    assert.deepEqual(namesOf(harness), ["hello", "interest-complete"]);
  });

  test("counts the joins that it is sent from the beginning", () => {
    const harness = new SessionHarness();
    harness.session.add(createEndpoint("/"));
    harness.connect();
    harness.hearFrames(encodeCommand(1, ["a"]), encodeCommand(1, ["a"]));
    assert.deepEqual(harness.readOf("joins-done"), [{ type: "joins-done", count: 2 }]);
    harness.session.closed();
    harness.connect();
    harness.hearFrames(encodeCommand(1, ["a"]));
    assert.deepEqual(harness.readOf("joins-done"), [{ type: "joins-done", count: 1 }]);
  });
});

describe("without a connection", () => {
  test("nothing is written, and nobody is woken", () => {
    const harness = new SessionHarness();
    harness.session.add(createEndpoint("/"));
    harness.session.send(message);
    void harness.session.joined("/", ["a"], 0);
    harness.session.closed();
    harness.session.received(message);
    assert.deepEqual([harness.wakes, harness.session.hasWrites, harness.session.takeWrites()], [0, false, []]);
  });

  test("volatile messages are dropped and counted, others kept", () => {
    const harness = new SessionHarness();
    assert.equal(harness.session.reserve(message.length, true), "dropped");
    assert.equal(harness.session.send(message), "queued");
    harness.connect();
    assert.equal(harness.session.reserve(message.length, true), "queued");
    harness.read();
    harness.session.closed();
    assert.equal(harness.session.reserve(message.length, true), "dropped");
    assert.equal(harness.session.counters.droppedVolatile, 2);
  });

  test("the end of one that was never there, or has ended before, is none", () => {
    const harness = new SessionHarness();
    harness.session.closed();
    harness.connect();
    harness.session.closed();
    harness.session.closed();
    assert.equal(harness.session.isWelcome, false);
  });
});

describe("an outbox that overflows", () => {
  const outbox = { maxBytes: 2 * message.length, maxVolatileBytes: message.length };

  test("while there is no connection: noted once, counted, and told after the welcome", () => {
    const harness = new SessionHarness({ outbox });
    for (let count = 0; count < 5; count++) harness.session.send(message);
    assert.deepEqual(harness.notes, [{ type: "overflowed" }]);
    assert.equal(harness.session.counters.unsentFrames, 5);
    harness.session.connected(ownPlace);
    assert.deepEqual(namesOf(harness), ["hello", "interest-complete"]);
    assert.equal(harness.session.send(message), "queued");
    harness.hear(welcome);
    assert.deepEqual(harness.read(), [{ type: "unsent", frames: 5 }, { type: "broadcast" }]);
    assert.deepEqual(namesOf(harness), []);
  });

  test("is told although nothing else is to be said", () => {
    const harness = new SessionHarness({ outbox });
    for (let count = 0; count < 3; count++) harness.session.send(message);
    harness.connect();
    harness.session.closed();
    for (let count = 0; count < 3; count++) harness.session.send(message);
    harness.session.connected(ownPlace);
    harness.read();
    harness.hear(welcome);
    assert.deepEqual(harness.read(), [{ type: "unsent", frames: 3 }]);
  });

  test("is told once, to the router that lets us in, however many refuse", () => {
    const harness = new SessionHarness({ outbox });
    for (let count = 0; count < 3; count++) harness.session.send(message);
    harness.session.connected(ownPlace);
    harness.read();
    harness.hear({ type: "refused", code: portRefusals.unknownVersion.code, reason: "no" });
    harness.session.closed();
    harness.connect();
    harness.session.send(message);
    assert.equal(harness.session.counters.unsentFrames, 3);
    harness.session.closed();
    harness.connect();
    assert.deepEqual(harness.readOf("unsent"), []);
  });

  test("because of one long message behind another: the next ones are sent as if nothing had been", () => {
    const harness = new SessionHarness({ outbox });
    harness.connect();
    const long = encodeBroadcast({ body: "x".repeat(1_000) });
    assert.equal(harness.session.send(long), "queued");
    assert.deepEqual(namesOf(harness), ["broadcast"]);
    const wakesBefore = harness.wakes;
    harness.session.reserve(message.length, true);
    assert.equal(harness.session.send(long), "lost");
    assert.equal(harness.wakes, wakesBefore + 1);
    assert.deepEqual(harness.read(), [{ type: "unsent", frames: 1 }]);
    assert.equal(harness.session.send(message), "queued");
    assert.deepEqual(namesOf(harness), ["broadcast"]);
  });

  test("counts the volatile messages that it takes with it as dropped", () => {
    const harness = new SessionHarness({ outbox });
    harness.connect();
    assert.equal(harness.session.reserve(message.length, true), "queued");
    harness.session.send(message);
    harness.session.send(message);
    const { unsentFrames, droppedVolatile } = harness.session.counters;
    assert.deepEqual([unsentFrames, droppedVolatile], [2, 1]);
  });
});

test("a ping is answered with its token, before what waits", () => {
  const harness = new SessionHarness();
  harness.connect();
  harness.session.send(message);
  harness.hear({ type: "ping", token: 77 });
  assert.deepEqual(harness.read(), [{ type: "pong", token: 77 }, { type: "broadcast" }]);
});

test("after a socketsJoin, the rooms that it brought are told, then that it is done, in one write", () => {
  const harness = new SessionHarness();
  const endpoint = createEndpoint("/", { takeCommand: () => void harness.session.joined("/", ["a"], 0) });
  harness.session.add(endpoint);
  harness.connect();
  harness.hearFrames(encodeCommand(1, ["a"]));
  const blocks = harness.session.takeWrites();
  assert.equal(harness.session.hasWrites, false);
  harness.session.written(blocks);
  const text = Buffer.concat(blocks);
  assert.deepEqual([text[4], text[text.length - 7]], [frameKinds.interest, 0]);
  assert.equal(readFrameKind(text, text.length - 12), frameKinds.joinsDone);
});

describe("a refusal", () => {
  for (const [name, { code, reconnect }] of Object.entries(portRefusals)) {
    test(`${name}: the process hears of it, and whether to try again at once`, () => {
      const harness = new SessionHarness();
      harness.session.connected(ownPlace);
      harness.hear({ type: "refused", code, reason: "because" });
      assert.deepEqual(harness.refusals, [{ code, reason: "because", shouldReconnectNow: reconnect === "now" }]);
    });
  }

  test("for a reason that only a later version knows: not at once", () => {
    const harness = new SessionHarness();
    harness.session.connected(ownPlace);
    harness.hear({ type: "refused", code: 99 as 1, reason: "because" });
    assert.equal(harness.refusals[0]?.shouldReconnectNow, false);
  });
});

describe("a connection that is welcome", () => {
  function reconnect(harness: SessionHarness, incarnation: string): void {
    harness.session.closed();
    harness.notes.length = 0;
    harness.connect(incarnation);
  }

  test("is noted, and the first is no more than that", () => {
    const harness = new SessionHarness();
    harness.session.add(createEndpoint("/"));
    harness.connect();
    assert.deepEqual(harness.notes, [{ type: "welcome" }]);
    assert.equal(harness.session.isWelcome, true);
  });

  test("to the same router as before: what it had for us in between is gone", () => {
    const harness = new SessionHarness();
    harness.session.add(createEndpoint("/"));
    harness.connect();
    reconnect(harness, "router-1");
    assert.deepEqual(harness.notes, [{ type: "reconnected" }, { type: "welcome" }]);
  });

  test("to a new router: nobody knows what the former took with it", () => {
    const harness = new SessionHarness();
    harness.session.add(createEndpoint("/"));
    harness.connect();
    reconnect(harness, "router-2");
    assert.deepEqual(harness.notes, [{ type: "router-restarted" }, { type: "welcome" }]);
    reconnect(harness, "router-2");
    assert.deepEqual(harness.notes, [{ type: "reconnected" }, { type: "welcome" }]);
  });

  test("after a time in which there was nobody to serve: nothing was missed", () => {
    const harness = new SessionHarness();
    const endpoint = createEndpoint("/");
    harness.session.add(endpoint);
    harness.connect();
    harness.session.remove(endpoint);
    harness.session.closed();
    harness.session.add(endpoint);
    reconnect(harness, "router-1");
    assert.deepEqual(harness.notes, [{ type: "welcome" }]);
  });
});
