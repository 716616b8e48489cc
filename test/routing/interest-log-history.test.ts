/** What a worker announces, whatever happens: a router that applies it knows at each moment what it must. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeRoom } from "../../src/protocol/room-key.js";
import { InterestHarness } from "../support/interest-harness.js";

const namespaces = ["/", "/chat"];
/** Some are one room, some only look like it, and the last can be announced to nobody. */
const rooms: readonly unknown[] = ["a", "b", "c", "1", 1, 0, -0, Number.NaN, "", "é", "\ud800", Symbol("room"), {}];

type Step =
  | { readonly type: "join" | "leave"; readonly namespace: string; readonly room: unknown }
  | { readonly type: "remove"; readonly namespace: string }
  | { readonly type: "tick" | "read"; readonly amount: number }
  | { readonly type: "flush" | "restart" | "stop" };

const namespace = fc.constantFrom(...namespaces);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constantFrom("join" as const, "leave" as const),
      namespace,
      room: fc.constantFrom(...rooms),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("flush" as const) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("tick" as const), amount: fc.integer({ min: 0, max: 600 }) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("read" as const), amount: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("remove" as const), namespace }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom("restart" as const, "stop" as const) }) },
);

interface Wait {
  readonly room: unknown;
  readonly namespace: string;
  readonly deadlineMs: number;
  ends: number;
  /** The member that waited has left. */
  isVain: boolean;
}

/** A worker that does these things, looked at after each of them. */
class History {
  readonly #harness: InterestHarness;
  readonly #waits: Wait[] = [];
  #lateJoins = 0;
  #isConnected = true;

  constructor(maxRooms: number) {
    this.#harness = new InterestHarness({ maxRooms });
  }

  do(each: Step): void {
    const harness = this.#harness;
    switch (each.type) {
      case "join":
        this.#join(each.room, each.namespace);
        break;
      case "leave":
        harness.leave(each.room, each.namespace);
        break;
      case "remove":
        harness.removeNamespace(each.namespace);
        break;
      case "tick":
        this.#lateJoins += this.#waits.filter(
          ({ ends, deadlineMs }) => ends === 0 && deadlineMs <= harness.nowMs + each.amount,
        ).length;
        harness.tick(each.amount);
        assert.equal(harness.log.lateJoins, this.#lateJoins);
        break;
      case "flush":
        if (!this.#isConnected) break;
        harness.flush();
        assert.equal(harness.log.hasNews, false);
        break;
      case "read":
        harness.read(each.amount);
        break;
      case "stop":
        this.#isConnected = false;
        harness.stop();
        break;
      case "restart":
        this.#isConnected = true;
        harness.restart();
    }
    for (const wait of this.#waits) wait.isVain ||= !harness.hasMember(wait.room, wait.namespace);
    assert.ok(harness.log.nextDueMs() > harness.nowMs || each.type !== "tick");
  }

  #join(room: unknown, namespace: string): void {
    const harness = this.#harness;
    const isAnnouncable = encodeRoom(room) !== undefined;
    if (harness.join(room, namespace)) {
      if (isAnnouncable) assert.ok(harness.delivers(room, namespace), "a join that waits for nothing is known");
      return;
    }
    assert.ok(isAnnouncable, "nobody waits for what cannot be announced");
    const wait: Wait = { room, namespace, deadlineMs: harness.nowMs + 1_000, ends: 0, isVain: false };
    this.#waits.push(wait);
    harness.log.wait(wait.deadlineMs, () => {
      wait.ends++;
      if (harness.nowMs >= wait.deadlineMs) return;
      assert.ok(wait.isVain || harness.delivers(room, namespace), "who waited goes on when the router knows");
    });
  }

  /** Everything that is to be said is said and read. */
  settle(): void {
    const harness = this.#harness;
    if (!this.#isConnected) this.do({ type: "restart" });
    harness.flush();
    harness.read();
    assert.deepEqual(harness.compareWithTruth(), { missing: [], tooMany: [] });
    for (const { ends } of this.#waits) assert.equal(ends, 1, "each wait has ended, once");
  }
}

test("after each flush the router knows every room with a member, and no other but those that were left lately", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(step, { maxLength: 15 }), { maxLength: 6 }),
      fc.constantFrom(3, 6, 1_000),
      (parts, maxRooms) => {
        const history = new History(maxRooms);
        for (const part of parts) {
          for (const each of part) history.do(each);
          history.settle();
        }
      },
    ),
    { numRuns: 1_000 },
  );
});
