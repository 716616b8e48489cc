/** `socketsJoin` commands are counted as the router counts them: once for each frame, whoever serves the namespace. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { commands } from "../../../src/protocol/exchange-frames.js";
import { FrameError } from "../../../src/protocol/frame.js";
import { encodeCommand } from "../../support/fabric-frames.js";
import { createEndpoint, ownPlace, SessionHarness, uidOf } from "../../support/session-harness.js";

function countJoinsDone(harness: SessionHarness): number[] {
  return harness.readOf("joins-done").map(({ count }) => count);
}

describe("socketsJoin commands that come to a worker", () => {
  const join = (room: string, namespace = "/"): Buffer =>
    encodeCommand(commands.socketsJoin, [room], { namespace, rooms: ["everybody"] });

  test("one adapter serves the namespace: each counts once", () => {
    const harness = new SessionHarness();
    harness.session.add(createEndpoint("/"));
    harness.connect();
    harness.hearFrames(join("a"), join("b"));
    assert.deepEqual(countJoinsDone(harness), [2]);
  });

  test("two adapters serve the namespace: each counts once nevertheless, or the router would settle what has not come", () => {
    const harness = new SessionHarness();
    harness.session.add(createEndpoint("/", { uid: uidOf(ownPlace, "first") }));
    harness.session.add(createEndpoint("/", { uid: uidOf(ownPlace, "second") }));
    harness.connect();
    harness.hearFrames(join("a"));
    assert.deepEqual(countJoinsDone(harness), [1]);
  });

  test("nobody serves the namespace any more: it counts too, or the router would expect its rooms for ever", () => {
    const harness = new SessionHarness();
    harness.session.add(createEndpoint("/"));
    harness.connect();
    harness.hearFrames(join("a", "/closed"));
    assert.deepEqual(countJoinsDone(harness), [1]);
  });

  test("a listener of the application throws: it counts, and the error is the application's", () => {
    const harness = new SessionHarness();
    const failure = new Error("of the application");
    harness.session.add(
      createEndpoint("/", {
        takeCommand: () => {
          throw failure;
        },
      }),
    );
    harness.connect();
    harness.hearFrames(join("a"));
    assert.deepEqual(countJoinsDone(harness), [1]);
    assert.deepEqual(harness.raised, [failure]);
  });

  test("it cannot be read: it counts, since the router has counted it, and later ones would never be settled", () => {
    const harness = new SessionHarness();
    harness.session.add(
      createEndpoint("/", {
        takeCommand: () => {
          throw new FrameError("bad-room", "a room is neither text nor number");
        },
      }),
    );
    harness.connect();
    harness.hearFrames(join("a"));
    assert.deepEqual(countJoinsDone(harness), [1]);
    assert.deepEqual(harness.notes.at(-1), { type: "unreadable", reason: "a room is neither text nor number" });
  });

  test("other commands do not count", () => {
    const harness = new SessionHarness();
    harness.session.add(createEndpoint("/"));
    harness.connect();
    harness.hearFrames(encodeCommand(commands.socketsLeave, ["a"]));
    assert.deepEqual(countJoinsDone(harness), []);
  });
});
