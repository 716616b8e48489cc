/** What `await socket.join()` waits for, and when rooms that are left are let go. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createEndpoint, ownPlace, SessionHarness } from "../../support/session-harness.js";

function connect(settings: ConstructorParameters<typeof SessionHarness>[0] = {}): SessionHarness {
  const harness = new SessionHarness(settings);
  harness.session.add(createEndpoint("/"));
  harness.connect();
  return harness;
}

/** What is true of a promise now, once everything that has been decided has been told. */
async function stateOf(promise: Promise<void> | undefined): Promise<"ended" | "waits"> {
  return await Promise.race([
    Promise.resolve(promise).then(() => "ended" as const),
    new Promise<"waits">((resolve) => setImmediate(() => resolve("waits"))),
  ]);
}

test("a join waits for the router's acknowledgement, and one of the same room after that for nothing", async () => {
  const harness = connect();
  const first = harness.session.joined("/", ["a", "b"], 0);
  const second = harness.session.joined("/", ["b"], 0);
  harness.read();
  assert.deepEqual([await stateOf(first), await stateOf(second)], ["waits", "waits"]);
  harness.hear({ type: "interest-taken", sequence: 1 });
  assert.deepEqual([await stateOf(first), await stateOf(second)], ["ended", "ended"]);
  assert.equal(harness.session.joined("/", ["b", "a"], 0), undefined);
  assert.deepEqual(harness.read(), []);
});

test("a join of rooms that are known and of one that is not waits", async () => {
  const harness = connect();
  void harness.session.joined("/", ["a"], 0);
  harness.read();
  harness.hear({ type: "interest-taken", sequence: 1 });
  assert.equal(await stateOf(harness.session.joined("/", ["a", "new", "a"], 0)), "waits");
});

test("a join of what can be announced to nobody waits for nothing", () => {
  const harness = connect();
  assert.equal(harness.session.joined("/", [Symbol("a"), {}, "\ud800"], 0), undefined);
  assert.equal(harness.session.joined("/", [], 0), undefined);
});

test("a join waits for no longer than the limit, which the process is asked to watch; late ones are counted", async () => {
  const harness = connect();
  const join = harness.session.joined("/", ["a"], 500);
  harness.read();
  assert.ok(harness.scheduledMs.includes(1_500));
  assert.equal(harness.session.nextDueMs(), 1_500);
  harness.session.tick(1_499);
  assert.equal(await stateOf(join), "waits");
  harness.session.tick(1_500);
  assert.equal(await stateOf(join), "ended");
  assert.equal(harness.session.lateJoins, 1);
});

test("a join outlives the connection: the next router acknowledges it", async () => {
  const harness = connect();
  const join = harness.session.joined("/", ["a"], 0);
  harness.read();
  harness.session.closed();
  harness.session.connected(ownPlace);
  harness.read();
  assert.equal(await stateOf(join), "waits");
  harness.hear({ type: "interest-taken", sequence: 2 });
  assert.equal(await stateOf(join), "ended");
  assert.equal(harness.session.lateJoins, 0);
});

test("a room that is left is let go a second later, which the process is asked to watch and is woken for", () => {
  const harness = connect();
  void harness.session.joined("/", ["a"], 0);
  harness.read();
  harness.session.left("/", ["a"], 100);
  assert.ok(harness.scheduledMs.includes(1_100));
  harness.session.tick(1_099);
  assert.equal(harness.session.hasWrites, false);
  const wakesBefore = harness.wakes;
  harness.session.tick(1_100);
  assert.equal(harness.wakes, wakesBefore + 1);
  assert.deepEqual(harness.read(), [{ type: "interest" }]);
  assert.equal(harness.session.announcedRooms, 0);
});

test("a namespace that goes takes its rooms with it, in the same write", () => {
  const harness = connect();
  const chat = createEndpoint("/chat");
  harness.session.add(chat);
  void harness.session.joined("/chat", ["a"], 0);
  harness.read();
  harness.session.remove(chat);
  assert.deepEqual(
    harness.read().map(({ type }) => type),
    ["namespace-down", "interest"],
  );
});

test("more rooms than the limit: everything is asked for, and acknowledged as a join is", async () => {
  const harness = connect({ maxRooms: 2 });
  const join = harness.session.joined("/", ["a", "b", "c"], 0);
  assert.deepEqual(harness.read(), [{ type: "flood-me", isOn: true }, { type: "interest" }]);
  harness.hear({ type: "interest-taken", sequence: 1 });
  assert.equal(await stateOf(join), "ended");
});
