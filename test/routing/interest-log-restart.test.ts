/** What is said when the connection is new, and when there are more rooms than it is worth announcing. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { InterestHarness, namesOf, type Said } from "../support/interest-harness.js";

function joinMany(harness: InterestHarness, count: number): void {
  for (let index = 0; index < count; index++) harness.join(`room ${index}`);
}

function leaveMany(harness: InterestHarness, count: number): void {
  for (let index = 0; index < count; index++) harness.leave(`room ${index}`);
  harness.tick(1_000);
}

function sequencesOf(said: readonly Said[]): number[] {
  return said.flatMap((each) => (each.type === "interest" ? [each.sequence] : []));
}

describe("a new connection", () => {
  test("begins with the whole truth: what was said, what was not, and what is left but cooling", () => {
    const harness = new InterestHarness();
    harness.join("said");
    harness.join("cooling");
    harness.join("left");
    harness.flush();
    harness.leave("left");
    harness.tick(1_000);
    harness.leave("cooling");
    harness.join("unsaid");
    harness.join("other", "/chat");
    assert.deepEqual(namesOf(harness.restart()), ["+said", "+cooling", "+unsaid", "+other", "complete"]);
    assert.deepEqual(harness.flush(), []);
  });

  test("goes on with the sequence, so that no acknowledgement of the former fits", () => {
    const harness = new InterestHarness();
    harness.join("a");
    assert.deepEqual(sequencesOf(harness.flush()), [1]);
    assert.deepEqual(sequencesOf(harness.restart()), [2]);
    harness.join("b");
    assert.deepEqual(sequencesOf(harness.flush()), [3]);
  });

  test("with nothing to announce says nothing", () => {
    const harness = new InterestHarness();
    assert.deepEqual(namesOf(harness.restart()), ["complete"]);
  });

  test("takes over those who wait: the new router has to acknowledge", () => {
    const harness = new InterestHarness();
    const ended: string[] = [];
    harness.join("a");
    harness.wait("said", ended);
    harness.flush();
    harness.join("b");
    harness.wait("unsaid", ended);
    harness.restart();
    assert.deepEqual(ended, []);
    assert.equal(harness.join("a"), false);
    harness.read();
    assert.deepEqual(ended, ["said", "unsaid"]);
  });

  test("acknowledges those who wait for rooms that are gone", () => {
    const harness = new InterestHarness();
    const ended: string[] = [];
    harness.join("a");
    harness.wait("a", ended);
    harness.stop();
    harness.removeNamespace("/");
    const said = harness.restart();
    assert.deepEqual([namesOf(said), sequencesOf(said).length], [["complete"], 1]);
    harness.read();
    assert.deepEqual(ended, ["a"]);
  });
});

describe("while there is no connection", () => {
  test("joins wait until the router of the next has taken them, or for the limit", () => {
    const harness = new InterestHarness();
    const ended: string[] = [];
    harness.stop();
    assert.equal(harness.join("a"), false);
    harness.wait("early", ended);
    harness.tick(1_000);
    assert.deepEqual([ended, harness.log.lateJoins], [["early"], 1]);
    assert.equal(harness.join("a"), false);
    harness.wait("patient", ended);
    harness.restart();
    assert.deepEqual(ended, ["early"]);
    harness.read();
    assert.deepEqual(ended, ["early", "patient"]);
  });

  test("nothing is kept of what comes and goes", () => {
    const harness = new InterestHarness();
    harness.stop();
    for (let round = 0; round < 100; round++) {
      harness.join(`room ${round}`);
      harness.leave(`room ${round}`);
      harness.tick(1_000);
    }
    harness.join("a", "/chat");
    harness.removeNamespace("/chat");
    assert.deepEqual([harness.log.hasNews, harness.log.roomCount], [false, 0]);
    assert.deepEqual(namesOf(harness.restart()), ["complete"]);
  });
});

describe("more rooms than the limit", () => {
  test("are not announced: everything is asked for instead", () => {
    const harness = new InterestHarness({ maxRooms: 4 });
    joinMany(harness, 4);
    harness.flush();
    assert.equal(harness.log.isFlooded, false);
    harness.join("one more");
    assert.deepEqual(namesOf(harness.flush()), ["flood on"]);
    assert.deepEqual([harness.log.isFlooded, harness.log.roomCount], [true, 5]);
    harness.join("and another");
    assert.deepEqual(namesOf(harness.flush()), []);
  });

  test("let nobody go on before the router floods, whatever else it acknowledges", () => {
    const harness = new InterestHarness({ maxRooms: 4 });
    const ended: string[] = [];
    joinMany(harness, 4);
    harness.flush();
    harness.join("one more");
    harness.wait("one more", ended);
    const [, mark] = harness.flush();
    // The four, which were on their way when the fifth came.
    harness.log.take(1);
    assert.deepEqual(ended, []);
    assert.equal(harness.join("one more"), false);
    assert.ok(mark?.type === "interest");
    harness.log.take(mark.sequence);
    assert.deepEqual(ended, ["one more"]);
    assert.equal(harness.join("one more"), true);
  });

  test("and those who join then are acknowledged without a word", () => {
    const harness = new InterestHarness({ maxRooms: 4 });
    const ended: string[] = [];
    joinMany(harness, 5);
    harness.flush();
    harness.read();
    assert.equal(harness.join("late"), false);
    harness.wait("late", ended);
    const said = harness.flush();
    assert.deepEqual([namesOf(said), sequencesOf(said).length], [[], 1]);
    harness.read();
    assert.deepEqual(ended, ["late"]);
    assert.equal(harness.join("late"), true);
  });

  test("stay flooded until there are half as many, and then the truth comes before the end of the flood", () => {
    const harness = new InterestHarness({ maxRooms: 4 });
    joinMany(harness, 5);
    harness.flush();
    leaveMany(harness, 2);
    assert.deepEqual(namesOf(harness.flush()), []);
    assert.equal(harness.log.isFlooded, true);
    harness.leave("room 2");
    harness.tick(1_000);
    assert.deepEqual(namesOf(harness.flush()), ["+room 3", "+room 4", "flood off"]);
    assert.equal(harness.log.isFlooded, false);
    joinMany(harness, 2);
    assert.deepEqual(namesOf(harness.flush()), ["+room 0", "+room 1"]);
  });

  test("are not announced to a new router either, which floods at once, and acknowledges who waits", () => {
    const harness = new InterestHarness({ maxRooms: 4 });
    const ended: string[] = [];
    joinMany(harness, 5);
    harness.wait("all", ended);
    assert.deepEqual(namesOf(harness.restart()), ["flood on", "complete"]);
    assert.deepEqual(ended, []);
    harness.read();
    assert.deepEqual(ended, ["all"]);
    for (let index = 0; index < 5; index++) assert.equal(harness.join(`room ${index}`), true);
  });

  test("that are gone by the next connection are forgotten there", () => {
    const harness = new InterestHarness({ maxRooms: 4 });
    joinMany(harness, 5);
    harness.flush();
    harness.stop();
    leaveMany(harness, 1);
    assert.deepEqual(namesOf(harness.restart()), ["+room 1", "+room 2", "+room 3", "+room 4", "complete"]);
    assert.equal(harness.log.isFlooded, false);
  });

  test("of a namespace that goes are gone at once", () => {
    const harness = new InterestHarness({ maxRooms: 4 });
    joinMany(harness, 5);
    harness.join("a", "/chat");
    harness.flush();
    harness.removeNamespace("/");
    assert.deepEqual(namesOf(harness.flush()), ["+a", "flood off"]);
  });
});
