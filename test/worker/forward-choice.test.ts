import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createAddress, encodePlace } from "../../src/address/address.js";
import type { Sibling } from "../../src/protocol/worker-messages.js";
import { chooseForward, type ForwardQuestion } from "../../src/worker/forward-choice.js";

function makeSibling(slot: number, load = 0, isDraining = false, isStalled = false): Sibling {
  return { slot, socketPath: `/run/w${slot}.sock`, load, isDraining, isStalled };
}

function makeSid(workerSlot: number, hostKey = "host"): string {
  return createAddress(encodePlace({ hostKey, workerSlot }), "0123456789abcd");
}

function ask(question: Partial<Omit<ForwardQuestion, "siblings">> & { siblings?: readonly Sibling[] }): string {
  const { siblings = [makeSibling(1), makeSibling(2)], ...rest } = question;
  const choice = chooseForward({
    target: handshake,
    enginePath: "/socket.io/",
    hostKey: "host",
    ownSlot: 0,
    ownLoad: 0,
    isDraining: false,
    siblings: new Map(siblings.map((sibling) => [sibling.slot, sibling])),
    estimateLoad: ({ load }) => load,
    isChosenByPrimary: false,
    isSentOn: false,
    ...rest,
  });
  return "sibling" in choice ? `${choice.kind} to ${choice.sibling.slot}` : choice.kind;
}

const handshake = "/socket.io/?EIO=4&transport=polling";
const withSid = (sid: string): string => `/socket.io/?EIO=4&transport=polling&sid=${sid}`;

describe("a request of a session", () => {
  const cases: [string, Parameters<typeof ask>[0], string][] = [
    ["of this worker is served", { target: withSid(makeSid(0)) }, "serve"],
    ["of a sibling goes there", { target: withSid(makeSid(2)) }, "forward-session to 2"],
    [
      "of a sibling goes there as the first request too",
      { target: withSid(makeSid(2)), isChosenByPrimary: true },
      "forward-session to 2",
    ],
    [
      "of a draining sibling goes there",
      { target: withSid(makeSid(1)), siblings: [makeSibling(1, 0, true)] },
      "forward-session to 1",
    ],
    [
      "of a sibling goes there from a draining worker",
      { target: withSid(makeSid(1)), isDraining: true },
      "forward-session to 1",
    ],
    [
      "of this worker is served while every worker drains",
      { target: withSid(makeSid(0)), isDraining: true, siblings: [makeSibling(1, 0, true)] },
      "serve",
    ],
    [
      "of a draining sibling goes there while every worker drains",
      { target: withSid(makeSid(1)), isDraining: true, siblings: [makeSibling(1, 0, true)] },
      "forward-session to 1",
    ],
    ["of a worker that is gone is served: nobody knows it", { target: withSid(makeSid(3)) }, "serve"],
    ["of another host is served: nobody knows it", { target: withSid(makeSid(1, "else")) }, "serve"],
    ["of another host is served, though letters differ in case only", { target: withSid(makeSid(1, "HOST")) }, "serve"],
    ["whose id is too short is served", { target: withSid("abc") }, "serve"],
    ["whose id is empty is served", { target: withSid("") }, "serve"],
    ["that was sent on is served", { target: withSid(makeSid(2)), isSentOn: true }, "serve"],
  ];
  for (const [what, question, expected] of cases) test(what, () => assert.equal(ask(question), expected));
});

describe("a handshake", () => {
  const loaded = [makeSibling(1, 5), makeSibling(2, 3)];
  const cases: [string, Parameters<typeof ask>[0], string][] = [
    ["that the primary sent here is served", { ownLoad: 9, isChosenByPrimary: true }, "serve"],
    ["on a kept-alive connection goes to the least loaded", { ownLoad: 9, siblings: loaded }, "forward-handshake to 2"],
    ["is served where no sibling has less", { ownLoad: 3, siblings: loaded }, "serve"],
    ["is served where there is no sibling", { ownLoad: 9, siblings: [] }, "serve"],
    [
      "counts those just sent to a sibling",
      { ownLoad: 9, siblings: loaded, estimateLoad: ({ slot, load }) => load + (slot === 2 ? 4 : 0) },
      "forward-handshake to 1",
    ],
    [
      "is served when those just sent make the siblings no better",
      { ownLoad: 5, siblings: loaded, estimateLoad: ({ load }) => load + 2 },
      "serve",
    ],
    [
      "never goes to a draining sibling",
      { ownLoad: 9, siblings: [makeSibling(1, 0, true), makeSibling(2, 8)] },
      "forward-handshake to 2",
    ],
    ["is served when every sibling drains", { ownLoad: 9, siblings: [makeSibling(1, 0, true)] }, "serve"],
    ["leaves a draining worker, whatever the loads", { isDraining: true, siblings: loaded }, "forward-handshake to 2"],
    [
      "leaves a draining worker that the primary chose before it knew",
      { isDraining: true, isChosenByPrimary: true, siblings: loaded },
      "forward-handshake to 2",
    ],
    [
      "is refused when every worker drains",
      { isDraining: true, siblings: [makeSibling(1, 0, true)] },
      "refuse-draining",
    ],
    ["is refused by a draining worker without siblings", { isDraining: true, siblings: [] }, "refuse-draining"],
    ["that was sent on is served", { ownLoad: 9, siblings: loaded, isSentOn: true }, "serve"],
    ["that was sent on is served in a draining worker", { isDraining: true, isSentOn: true }, "serve"],
    [
      "that was sent on is refused when every worker drains",
      { isDraining: true, isSentOn: true, siblings: [makeSibling(1, 0, true)] },
      "refuse-draining",
    ],
  ];
  for (const [what, question, expected] of cases) test(what, () => assert.equal(ask(question), expected));
});

describe("a request of the application is served", () => {
  const targets = [
    "/",
    "/index.html?EIO=4",
    `/other/?sid=${makeSid(2)}`,
    "/socket.io",
    `/socket.iox/?EIO=4&sid=${makeSid(2)}`,
    "/socket.io/socket.io.js",
  ];
  for (const target of targets) {
    test(target, () => {
      assert.equal(ask({ target, ownLoad: 9 }), "serve");
      assert.equal(ask({ target, isDraining: true }), "serve", "while a sibling goes on");
      assert.equal(ask({ target, isDraining: true, siblings: [makeSibling(1, 0, true)] }), "refuse-draining");
      assert.equal(ask({ target, isDraining: true, siblings: [] }), "refuse-draining");
    });
  }

  test("under a path of its own only that path is Engine.IO's", () => {
    const enginePath = "/realtime/";
    assert.equal(ask({ enginePath, target: withSid(makeSid(2)) }), "serve");
    assert.equal(ask({ enginePath, target: `/realtime/?EIO=4&sid=${makeSid(2)}` }), "forward-session to 2");
  });
});

const siblingLists = fc.uniqueArray(
  fc.record({ slot: fc.integer({ min: 1, max: 6 }), load: fc.nat({ max: 9 }), isDraining: fc.boolean() }),
  { selector: ({ slot }) => slot, maxLength: 6 },
);
const questions = fc.record({
  target: fc.oneof(
    fc.constant(handshake),
    fc.nat({ max: 7 }).map((slot) => withSid(makeSid(slot))),
    fc.webPath(),
  ),
  ownLoad: fc.nat({ max: 9 }),
  isDraining: fc.boolean(),
  isChosenByPrimary: fc.boolean(),
  siblings: siblingLists.map((list) => list.map(({ slot, load, isDraining }) => makeSibling(slot, load, isDraining))),
});

test("what comes from a sibling is never sent on, so nothing goes in circles", () => {
  fc.assert(
    fc.property(questions, (question) => {
      assert.match(ask({ ...question, isSentOn: true }), /^(serve|refuse-draining)$/);
    }),
  );
});

test("a handshake is never sent to a draining sibling, and never served by a draining worker", () => {
  fc.assert(
    fc.property(questions, (question) => {
      const answer = ask({ ...question, target: handshake });
      if (question.isDraining) assert.notEqual(answer, "serve");
      const sibling = question.siblings.find(({ slot }) => answer === `forward-handshake to ${slot}`);
      assert.equal(sibling === undefined, !answer.startsWith("forward"));
      assert.notEqual(sibling?.isDraining, true);
    }),
  );
});

test("a handshake is not forwarded to a sibling that does not run, however idle it looks", () => {
  const siblings = [makeSibling(1, 0, false, true)];
  assert.equal(ask({ siblings, ownLoad: 10, isChosenByPrimary: false }), "serve");
  assert.match(ask({ siblings: [makeSibling(1)], ownLoad: 10, isChosenByPrimary: false }), /1/);
});
