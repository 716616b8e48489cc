/** Listeners that throw, and bytes that cannot be read: what a session lets suffer from them, and what not. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { commands } from "../../../src/protocol/exchange-frames.js";
import { FrameError } from "../../../src/protocol/frame.js";
import { encodeBroadcast, encodeCommand, encodeRequest } from "../../support/fabric-frames.js";
import { answer, ask, connect, other } from "../../support/serving-session.js";
import { createEndpoint, type SessionHarness } from "../../support/session-harness.js";

const message = encodeBroadcast({ body: "hello" });

function fail(): never {
  throw new Error("of the application");
}

function messagesOf(errors: readonly unknown[]): string[] {
  return errors.map((error) => (error as Error).message);
}

describe("code of the application that throws does not harm what comes behind", () => {
  test("in a listener of a message", () => {
    for (const part of ["takeBroadcast", "takeCommand", "takeRequest"] as const) {
      const { harness, seen } = connect({ [part]: fail });
      const frames = [message, encodeCommand(commands.socketsLeave, []), encodeRequest(other, 1)];
      harness.hearFrames(...frames, ...frames);
      assert.deepEqual([seen.length, messagesOf(harness.raised)], [4, ["of the application", "of the application"]]);
    }
  });

  test("for one of two adapters: the other gets its part", () => {
    const { harness, seen } = connect({ takeBroadcast: fail });
    harness.session.add(createEndpoint("/", { takeBroadcast: () => void seen.push("second") }));
    harness.hearFrames(message);
    assert.deepEqual(seen, ["second"]);
  });

  test("when an answer comes: the request ends nevertheless", () => {
    const { harness, seen } = connect();
    const told = ask(harness, 1_000, { onAnswer: fail });
    harness.hearFrames(answer(1), message);
    assert.deepEqual([told, seen, messagesOf(harness.raised)], [["complete"], ["hello"], ["of the application"]]);
  });

  const ends: readonly [string, (harness: SessionHarness) => void][] = [
    ["answered", (harness) => harness.hearFrames(answer(1), answer(2), message)],
    [
      "forgotten",
      (harness) => {
        harness.hear({ type: "place-down", place: "hostAB" });
        harness.hearFrames(message);
      },
    ],
    [
      "timed out",
      (harness) => {
        harness.session.tick(1_000);
        harness.hearFrames(message);
      },
    ],
    [
      "lost",
      (harness) => {
        harness.session.closed();
        harness.connect();
        harness.hearFrames(message);
      },
    ],
  ];
  for (const [title, end] of ends) {
    test(`when a request is ${title}: the next request ends as well, and the frames behind it arrive`, () => {
      const { harness, seen } = connect();
      ask(harness, 1_000, { onEnd: fail });
      const told = ask(harness, 1_000);
      end(harness);
      assert.equal(told.length > 0, true);
      assert.deepEqual([seen, messagesOf(harness.raised)], [["hello"], ["of the application"]]);
    });
  }
});

const refuse = (): never => {
  throw new FrameError("bad-value", "no value");
};

describe("bytes that the router itself should not have sent end the connection", () => {
  const cases: readonly [string, Buffer][] = [
    ["a frame of an unknown kind", Buffer.from([0, 0, 0, 2, 200, 0])],
    ["news that only a worker has", Buffer.from([0, 0, 0, 3, 6, 0, 1])],
    ["a message without its header", Buffer.from([0, 0, 0, 3, 32, 0, 0])],
    ["a frame longer than any", Buffer.from([0xff, 0, 0, 2, 32, 0])],
  ];
  for (const [title, frame] of cases) {
    test(title, () => {
      const { harness } = connect();
      assert.throws(() => harness.hearFrames(frame), FrameError);
      assert.deepEqual(harness.raised, []);
    });
  }
});

describe("what another worker sent and nobody can read is noted, and harms nothing", () => {
  const cases: readonly [string, Buffer][] = [
    ["a message", message],
    ["a request", encodeRequest(other, 1)],
    ["a request without its head", encodeBroadcast({}).fill(34, 4, 5)],
    ["a command", encodeCommand(commands.socketsLeave, [])],
    ["an answer without its head", Buffer.from([0, 0, 0, 3, 35, 0, 0])],
  ];
  for (const [title, frame] of cases) {
    test(title, () => {
      const { harness } = connect({ takeBroadcast: refuse, takeCommand: refuse, takeRequest: refuse });
      const seen: string[] = [];
      harness.session.add(createEndpoint("/chat", { takeBroadcast: () => void seen.push("behind") }));
      harness.hearFrames(frame, encodeBroadcast({ namespace: "/chat" }));
      assert.deepEqual([seen, harness.raised], [["behind"], []]);
      assert.equal(harness.notes.filter(({ type }) => type === "unreadable").length, 1);
    });
  }

  test("a join: it counts, as it does at the router", () => {
    const { harness } = connect({ takeCommand: refuse });
    harness.hearFrames(encodeCommand(commands.socketsJoin, ["a"]));
    assert.deepEqual(harness.readOf("joins-done"), [{ type: "joins-done", count: 1 }]);
  });

  test("an answer: the request does not wait for another", () => {
    const { harness } = connect();
    const told = ask(harness, 1_000, { onAnswer: refuse });
    harness.hearFrames(answer(1));
    assert.deepEqual([told, harness.raised], [["complete"], []]);
    assert.deepEqual(harness.notes.at(-1), { type: "unreadable", reason: "no value" });
  });
});
