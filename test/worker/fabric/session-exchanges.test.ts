/** Members, requests, losses: what a session makes of what comes through its router. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { commands, responses } from "../../../src/protocol/exchange-frames.js";
import type { RouterToWorker } from "../../../src/protocol/worker-port-frames.js";
import { encodeBroadcast, encodeCommand, encodeRequest } from "../../support/fabric-frames.js";
import { answer, ask, connect, other } from "../../support/serving-session.js";
import { createEndpoint, ownPlace, type SessionHarness, uidOf } from "../../support/session-harness.js";

const another = uidOf("hostAC", "two");
const message = encodeBroadcast({ body: "hello" });

function up(uid: string, namespace = "/", parserId = 0): RouterToWorker {
  return { type: "member-up", uid, parserId, namespace };
}

describe("members", () => {
  test("come and go, one by one, with their worker, and all at once", () => {
    const { harness } = connect();
    const { session } = harness;
    harness.hear(up(other), up(uidOf("hostAB", "second")), up(another));
    assert.equal(session.countMembers("/"), 3);
    harness.hear({ type: "member-down", uid: another, namespace: "/" });
    assert.equal(session.countMembers("/"), 2);
    harness.hear({ type: "place-down", place: "hostAB" });
    assert.equal(session.countMembers("/"), 0);
    harness.hear(up(other), up(other), { type: "members-reset" }, up(another));
    assert.equal(session.countMembers("/"), 1);
    session.closed();
    assert.equal(session.countMembers("/"), 0);
  });

  test("of namespaces that are not served here are not counted", () => {
    const { harness } = connect();
    harness.hear(up(other, "/chat"));
    assert.equal(harness.session.countMembers("/chat"), 0);
  });

  test("of a namespace that is served no more are forgotten", () => {
    const { harness } = connect();
    const chat = createEndpoint("/chat");
    harness.session.add(chat);
    harness.hear(up(other, "/chat"), up(other));
    harness.session.remove(chat);
    assert.deepEqual([harness.session.countMembers("/chat"), harness.session.countMembers("/")], [0, 1]);
    assert.deepEqual(
      harness.read().map(({ type }) => type),
      ["namespace-up", "namespace-down"],
    );
  });

  test("share a parser or do not", () => {
    const { harness } = connect();
    assert.equal(harness.session.doAllParse("/", 0), true);
    harness.hear(up(other), up(another, "/", 7));
    assert.equal(harness.session.doAllParse("/", 0), false);
    harness.hear({ type: "member-down", uid: another, namespace: "/" });
    assert.equal(harness.session.doAllParse("/", 0), true);
  });
});

describe("a request", () => {
  test("ends when all who were asked have answered", () => {
    const { harness } = connect();
    const told = ask(harness);
    harness.hearFrames(answer(1, "ack", responses.ack), answer(1, "value"), answer(1, "too late"));
    assert.deepEqual([told, harness.session.pendingRequests], [["ack", "value", "complete"], 0]);
  });

  for (const news of [
    { type: "place-down", place: "hostAB" },
    { type: "place-stalled", place: "hostAB" },
    { type: "member-down", uid: other, namespace: "/" },
  ] as const) {
    test(`does not wait for a member after ${news.type}`, () => {
      const { harness } = connect();
      const told = ask(harness);
      harness.hear({ type: "place-resumed", place: "hostAB" }, news);
      assert.deepEqual(told, ["complete"]);
    });
  }

  test("ends when its time is up, which the process is asked to watch", () => {
    const { harness } = connect();
    const told = ask(harness, 700);
    assert.equal(harness.session.nextDueMs(), 700);
    assert.ok(harness.scheduledMs.includes(700));
    harness.session.tick(700);
    assert.deepEqual(told, ["timed-out"]);
  });

  test("ends with the connection, and when something of it may have been thrown away", () => {
    for (const lose of [
      ({ session }: SessionHarness) => session.closed(),
      (harness: SessionHarness) => harness.hear({ type: "lost", frames: 1, joinsSent: 0 }),
    ]) {
      const { harness } = connect();
      const told = ask(harness);
      lose(harness);
      assert.deepEqual([told, harness.session.pendingRequests], [["router-lost"], 0]);
    }
  });
});

test("a loss is noted and counted, and the joins that were in it count as carried out", () => {
  const { harness } = connect();
  harness.hearFrames(encodeCommand(commands.socketsJoin, ["a"]));
  harness.hear({ type: "lost", frames: 40, joinsSent: 6 });
  harness.hearFrames(encodeCommand(commands.socketsJoin, ["b"]));
  assert.deepEqual(harness.notes.at(-1), { type: "missed", frames: 40 });
  assert.equal(harness.session.counters.missedFrames, 40);
  assert.deepEqual(harness.readOf("joins-done"), [{ type: "joins-done", count: 7 }]);
});

describe("two adapters that serve one namespace", () => {
  test("both get what comes for it, each under its own uid, until one goes", () => {
    const { harness, seen } = connect();
    const second = createEndpoint("/", {
      uid: uidOf(ownPlace, "second"),
      takeBroadcast: () => void seen.push("second"),
      isRoomWanted: (room) => room === "a",
    });
    harness.session.add(second);
    harness.session.add(second);
    assert.deepEqual(harness.readOf("namespace-up").length, 1);
    harness.hear(up(other));
    harness.hearFrames(message);
    harness.session.remove(second);
    harness.hearFrames(message);
    assert.deepEqual(seen, ["hello", "second", "hello"]);
    assert.equal(harness.session.countMembers("/"), 1);
  });

  test("keep a room that one of them wants", () => {
    const { harness } = connect();
    let isWanted = true;
    harness.session.add(createEndpoint("/", { uid: uidOf(ownPlace, "second"), isRoomWanted: () => isWanted }));
    void harness.session.joined("/", ["a"], 0);
    harness.session.left("/", ["a"], 0);
    harness.session.tick(5_000);
    assert.equal(harness.session.announcedRooms, 1);
    isWanted = false;
    harness.session.left("/", ["a"], 5_000);
    harness.session.tick(6_000);
    assert.equal(harness.session.announcedRooms, 0);
  });
});

test("what comes for a namespace that nobody serves here is passed over", () => {
  const { harness, seen } = connect();
  harness.hearFrames(encodeBroadcast({ namespace: "/other", body: "x" }), encodeRequest(other, 1), message);
  assert.deepEqual(seen, [`request 1 1 of ${other}`, "hello"]);
});
