import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { RelayedPolls } from "../../src/worker/relayed-polls.js";

describe("polls that came through siblings", () => {
  const leaving = new Set<number>();
  const released: string[] = [];
  let polls: RelayedPolls;

  beforeEach(() => {
    mock.timers.enable({ apis: ["setTimeout"] });
    leaving.clear();
    released.length = 0;
    polls = new RelayedPolls(
      (slot) => leaving.has(slot),
      (sid) => released.push(sid),
    );
  });
  afterEach(() => mock.timers.reset());

  test("are left alone while their siblings stay", () => {
    polls.note("a", 1);
    polls.look();
    mock.timers.tick(10_000);
    assert.deepEqual(released, []);
  });

  test("are answered when their sibling begins to leave, and no others", () => {
    polls.note("a", 1);
    polls.note("b", 2);
    leaving.add(2);
    polls.look();
    mock.timers.tick(50);
    assert.deepEqual(released, ["b"]);
  });

  test("are answered when they come through one that leaves already, as soon as they can be", () => {
    leaving.add(1);
    const end = polls.note("a", 1);
    assert.deepEqual(released, [], "Engine.IO has not seen it yet");
    mock.timers.tick(50);
    mock.timers.tick(50);
    assert.deepEqual(released, ["a", "a"], "something of the application's may stand between");
    end();
    mock.timers.tick(10_000);
    assert.deepEqual(released, ["a", "a"]);
    polls.note("c", 1);
    mock.timers.tick(50);
    assert.deepEqual(released.slice(2), ["c"]);
  });
});
