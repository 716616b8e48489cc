/** When rooms are announced, in which order, and who waits for that. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { InterestLog } from "../../src/routing/interest-log.js";
import { InterestHarness, namesOf } from "../support/interest-harness.js";

describe("a join", () => {
  test("is said at the next flush, once, whoever joins after that", () => {
    const harness = new InterestHarness();
    assert.equal(harness.join("a"), false);
    assert.equal(harness.join("a"), false);
    assert.deepEqual(namesOf(harness.flush()), ["+a"]);
    harness.join("a");
    assert.equal(harness.log.hasNews, false);
    assert.deepEqual(harness.flush(), []);
    assert.equal(harness.log.roomCount, 1);
  });

  test("of a text and of a number are two, of 0 and -0 are one", () => {
    const harness = new InterestHarness();
    for (const room of [1, "1", 0, -0, Number.NaN, Number.NaN, ""]) harness.join(room);
    const [said] = harness.flush();
    assert.ok(said?.type === "interest");
    assert.deepEqual(
      said.changes.map(({ room }) => room),
      [1, "1", 0, Number.NaN, ""],
    );
  });

  test("of a room that cannot be encoded waits for nothing and is not said", () => {
    const harness = new InterestHarness();
    const strange = [Symbol("a"), {}, null, undefined, true, 1n, "\ud800", "\udc00x", "x".repeat(32 * 1024 + 1)];
    for (const room of strange) {
      assert.equal(harness.join(room), true);
      harness.leave(room);
    }
    harness.tick(2_000);
    assert.deepEqual(harness.flush(), []);
    assert.equal(harness.log.roomCount, 0);
    assert.equal(harness.join("x".repeat(32 * 1024)), false);
  });

  test("of the same room in another namespace is another", () => {
    const harness = new InterestHarness();
    harness.join("a", "/");
    harness.join("a", "/chat");
    const said = harness.flush();
    assert.deepEqual(
      said.map((each) => each.type === "interest" && each.namespace),
      ["/", "/chat"],
    );
    harness.read();
    assert.equal(harness.join("a", "/"), true);
    assert.equal(harness.join("a", "/other"), false);
  });
});

describe("a leave", () => {
  test("is said after the cooldown, not before", () => {
    const harness = new InterestHarness();
    harness.join("a");
    harness.flush();
    harness.leave("a");
    assert.equal(harness.log.nextDueMs(), 1_000);
    harness.tick(999);
    assert.deepEqual(harness.flush(), []);
    harness.tick(1);
    assert.deepEqual(namesOf(harness.flush()), ["-a"]);
    assert.equal(harness.log.roomCount, 0);
    assert.equal(harness.log.nextDueMs(), Number.POSITIVE_INFINITY);
  });

  test("is not said when the room is joined again in the meantime, and the next begins a cooldown of its own", () => {
    const harness = new InterestHarness();
    harness.join("a");
    harness.flush();
    harness.read();
    harness.leave("a");
    harness.tick(900);
    assert.equal(harness.join("a"), true);
    harness.leave("a");
    harness.tick(100);
    assert.deepEqual(harness.flush(), []);
    harness.tick(900);
    assert.deepEqual(namesOf(harness.flush()), ["-a"]);
  });

  test("of one member is none while there is another", () => {
    const harness = new InterestHarness();
    harness.join("a");
    harness.join("a");
    harness.flush();
    harness.leave("a");
    assert.equal(harness.log.nextDueMs(), Number.POSITIVE_INFINITY);
    harness.leave("a");
    assert.equal(harness.log.nextDueMs(), 1_000);
  });

  test("said again and again is due when it was said first", () => {
    const harness = new InterestHarness();
    harness.join("a");
    harness.leave("a");
    harness.tick(600);
    harness.leave("a");
    harness.tick(400);
    assert.deepEqual(namesOf(harness.flush()), ["+a", "-a"]);
  });

  test("that is due is not said of a room that is wanted by then, however that came about", () => {
    let isWanted = false;
    const log = new InterestLog({ leaveCooldownMs: 1_000, maxRooms: 10 }, () => isWanted);
    log.join("/", "a");
    log.leave("/", "a", 0);
    isWanted = true;
    log.tick(1_000);
    assert.deepEqual([log.roomCount, log.nextDueMs()], [1, Number.POSITIVE_INFINITY]);
  });

  test("of a room that nobody joined, or of a namespace that nobody serves, is none", () => {
    const harness = new InterestHarness();
    harness.join("a");
    harness.leave("b");
    harness.leave("a", "/other");
    harness.tick(1_000);
    assert.deepEqual(namesOf(harness.flush()), ["+a"]);
  });

  test("and the join that follows it are said in that order, and the join has to be acknowledged anew", () => {
    const harness = new InterestHarness();
    harness.join("a");
    harness.flush();
    harness.read();
    harness.leave("a");
    harness.tick(1_000);
    assert.equal(harness.join("a"), false);
    assert.deepEqual(namesOf(harness.flush()), ["-a", "+a"]);
    assert.equal(harness.join("a"), false);
    harness.read();
    assert.equal(harness.join("a"), true);
  });
});

describe("who waits", () => {
  test("goes on when the router has taken the frame that says the join, and not by an earlier one", () => {
    const harness = new InterestHarness();
    const ended: string[] = [];
    harness.join("a");
    harness.wait("a", ended);
    harness.flush();
    harness.join("b");
    harness.wait("b", ended);
    harness.flush();
    assert.deepEqual(ended, []);
    harness.log.take(1);
    assert.deepEqual(ended, ["a"]);
    harness.log.take(1);
    assert.deepEqual(ended, ["a"]);
    harness.log.take(2);
    assert.deepEqual(ended, ["a", "b"]);
  });

  test("for a room that is announced but not acknowledged goes on with those who announced it", () => {
    const harness = new InterestHarness();
    const ended: string[] = [];
    harness.join("a");
    harness.wait("first", ended);
    harness.flush();
    assert.equal(harness.join("a"), false);
    harness.wait("second", ended);
    assert.deepEqual(harness.flush(), []);
    harness.read();
    assert.deepEqual(ended, ["first", "second"]);
  });

  test("for a room of one namespace goes on when the frames of all namespaces before it have been taken", () => {
    const harness = new InterestHarness();
    const ended: string[] = [];
    harness.join("a", "/chat");
    harness.join("a", "/");
    harness.wait("both", ended);
    harness.flush();
    harness.log.take(1);
    assert.deepEqual(ended, []);
    harness.log.take(2);
    assert.deepEqual(ended, ["both"]);
  });

  test("is acknowledged although nothing is left to say, when the join was undone before it was said", () => {
    const harness = new InterestHarness();
    const ended: string[] = [];
    harness.join("a");
    harness.wait("a", ended);
    harness.removeNamespace("/");
    assert.deepEqual(namesOf(harness.flush()), ["+a", "-a"]);
    harness.read();
    assert.deepEqual(ended, ["a"]);
  });

  test("goes on at the deadline, is counted as late, and is not called again", () => {
    const harness = new InterestHarness();
    const ended: string[] = [];
    harness.join("a");
    harness.wait("a", ended);
    harness.flush();
    harness.tick(999);
    assert.deepEqual([ended, harness.log.lateJoins], [[], 0]);
    assert.equal(harness.log.nextDueMs(), 1_000);
    harness.tick(1);
    assert.deepEqual([ended, harness.log.lateJoins], [["a"], 1]);
    harness.read();
    harness.tick(5_000);
    assert.deepEqual([ended, harness.log.lateJoins], [["a"], 1]);
  });

  test("is not served by a sequence that was never sent", () => {
    const harness = new InterestHarness();
    const ended: string[] = [];
    harness.log.take(1_000);
    harness.join("a");
    harness.wait("a", ended);
    harness.flush();
    assert.equal(harness.join("a"), false);
    assert.deepEqual(ended, []);
    harness.read();
    assert.deepEqual(ended, ["a"]);
  });
});

test("many rooms go in several frames, in order, and who waits waits for the last of them", () => {
  const harness = new InterestHarness({ maxRooms: 100_000 });
  harness.read();
  const rooms = Array.from({ length: 2_000 }, (_, index) => `room ${index} ${"x".repeat(100)}`);
  const ended: string[] = [];
  for (const room of rooms) harness.join(room);
  harness.wait("all", ended);
  const said = harness.flush();
  assert.ok(said.length > 3, `${said.length} frames`);
  assert.deepEqual(
    namesOf(said),
    rooms.map((room) => `+${room}`),
  );
  harness.read(said.length - 1);
  assert.deepEqual(ended, []);
  harness.read();
  assert.deepEqual(ended, ["all"]);
});

describe("a namespace that is served no more", () => {
  test("is left at once, all of it, and nothing of the others", () => {
    const harness = new InterestHarness();
    harness.join("a", "/");
    harness.join("a", "/chat");
    harness.join("b", "/chat");
    harness.flush();
    harness.leave("b", "/chat");
    harness.removeNamespace("/chat");
    assert.deepEqual(namesOf(harness.flush()), ["-a", "-b"]);
    assert.equal(harness.log.roomCount, 1);
    harness.tick(2_000);
    assert.deepEqual(harness.flush(), []);
    harness.removeNamespace("/chat");
    harness.removeNamespace("/never");
    assert.deepEqual(harness.flush(), []);
  });

  test("and is served again says the leave first", () => {
    const harness = new InterestHarness();
    harness.join("a");
    harness.flush();
    harness.removeNamespace("/");
    harness.join("a");
    assert.deepEqual(namesOf(harness.flush()), ["-a", "+a"]);
    harness.read();
    assert.ok(harness.delivers("a"));
  });
});
