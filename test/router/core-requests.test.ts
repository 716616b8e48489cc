/** Requests and their answers: who is asked, what waits, what is refused. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeResponse, requests, responses } from "../../src/protocol/exchange-frames.js";
import { frameKinds } from "../../src/protocol/frame.js";
import { encodeBroadcast, encodeRequest, encodeRouted } from "../support/fabric-frames.js";
import { defaultSettings, RouterHarness, type TestWorker } from "../support/router-harness.js";

const { expectBackMs } = defaultSettings;

function makeHost(): { harness: RouterHarness; A: TestWorker; B: TestWorker; C: TestWorker } {
  const harness = new RouterHarness();
  const [A, B, C] = [harness.join("hostAA"), harness.join("hostAB"), harness.join("hostAC")];
  for (const worker of [A, B, C]) worker.read();
  return { harness, A, B, C };
}

/** Places of those who were asked, by the number of the request. */
function readAsked(worker: TestWorker): Record<number, string[]> {
  const asked = worker.readNews("routed").map(({ requestId, askedUids }) => {
    return [requestId, askedUids.map((uid) => uid.slice(0, 6)).sort()] as const;
  });
  return Object.fromEntries(asked);
}

function answer(from: TestWorker, to: TestWorker, requestId: number, value = "answer"): void {
  from.send(encodeResponse(to.uid(), from.uid(), requestId, responses.answer, Buffer.from(value)));
}

describe("who asks learns who is asked", () => {
  test("by the uid and the number of the request, and before the first answer", () => {
    const { A, B, C } = makeHost();
    A.send(encodeRequest(A.uid(), 7));
    answer(B, A, 7, "of B");
    const seen = A.read();
    assert.deepEqual(
      seen.map(({ type }) => type),
      ["routed", "response"],
    );
    assert.deepEqual(seen[0], { type: "routed", uid: A.uid(), requestId: 7, askedUids: [B.uid(), C.uid()] });
    assert.deepEqual([B.read().length, C.read().length], [1, 1]);
  });

  test("also when that is nobody", () => {
    const { A } = makeHost();
    A.serve("/alone", 1);
    A.send(encodeRequest(A.uid(1), 8, { namespace: "/alone" }), encodeRequest(A.uid(), 9, { rooms: ["nobody"] }));
    assert.deepEqual(readAsked(A), { 8: [], 9: [] });
  });

  test("when it asks rooms: those who have members there", () => {
    const { A, B, C } = makeHost();
    B.want(["r"]);
    A.send(encodeRequest(A.uid(), 1, { rooms: ["r", "s"] }), encodeRequest(A.uid(), 2, { rooms: [C.socketId()] }));
    assert.deepEqual(readAsked(A), { 1: ["hostAB"], 2: ["hostAC"] });
  });

  test("each adapter by itself, of that namespace only", () => {
    const { A, B } = makeHost();
    B.serve("/", 1);
    B.serve("/chat", 2);
    A.read();
    A.send(encodeRequest(A.uid(), 1));
    const [routed] = A.readNews("routed");
    assert.deepEqual(
      routed?.askedUids.filter((uid) => uid.startsWith("hostAB")),
      [B.uid(0), B.uid(1)],
    );
  });

  test("not a worker that is flooded and does not serve the namespace", () => {
    const { A, C } = makeHost();
    A.serve("/chat", 1);
    C.say({ type: "flood-me", isOn: true });
    A.send(encodeRequest(A.uid(1), 1, { namespace: "/chat" }));
    assert.deepEqual(readAsked(A), { 1: [] });
  });

  test("not a worker that does not answer, although the request is sent to it", () => {
    const { harness, A, B, C } = makeHost();
    for (let tick = 0; tick < 6; tick++) {
      harness.tick(500);
      for (const worker of [A, B]) {
        for (const { token } of worker.readNews("ping")) worker.say({ type: "pong", token });
      }
    }
    A.read();
    A.send(encodeRequest(A.uid(), 1));
    assert.deepEqual(readAsked(A), { 1: ["hostAB"] });
    assert.deepEqual(C.read().at(-1)?.type, "request");
  });
});

describe("an answer", () => {
  test("goes to the worker whose uid it names, and to nobody else", () => {
    const { A, B, C } = makeHost();
    answer(C, B, 1, "€");
    assert.deepEqual([A.readBodies(), B.readBodies(), C.readBodies()], [[], ["€"], []]);
  });

  test("to a worker that has gone, or of another host, is counted and that is all", () => {
    const { harness, A, B, C } = makeHost();
    C.close();
    answer(A, C, 1);
    A.send(encodeResponse("tsohAAuuuuuuuuuuuuuu", A.uid(), 1, responses.answer, Buffer.alloc(0)));
    assert.equal(harness.core.counters.unroutableResponses, 2);
    assert.deepEqual(B.readBodies(), []);
    assert.equal(harness.core.counters.lostFrames, 0);
  });
});

describe("while a worker is expected, a request waits", () => {
  test("until that one has announced everything, and then asks it as well", () => {
    const { harness, A, B } = makeHost();
    harness.core.expect("hostAD", harness.nowMs);
    A.send(encodeRequest(A.uid(), 1));
    B.send(encodeRequest(B.uid(), 1));
    A.send(encodeRequest(A.uid(), 2));
    assert.deepEqual([readAsked(A), B.readBodies()], [{}, []]);
    const D = harness.join("hostAD", { isComplete: false });
    assert.deepEqual(readAsked(A), {});
    D.say({ type: "interest-complete" });
    const all = ["hostAB", "hostAC", "hostAD"];
    assert.deepEqual(readAsked(A), { 1: all, 2: all });
    assert.deepEqual(readAsked(B), { 1: ["hostAA", "hostAC", "hostAD"] });
    assert.equal(D.readBodies().length, 3);
  });

  test("but not a broadcast with acknowledgement, which others must not overtake: who is expected gets it, unasked", () => {
    const { harness, A, B } = makeHost();
    harness.core.expect("hostAD", harness.nowMs);
    A.send(encodeRequest(A.uid(), 1, { type: requests.broadcast }));
    assert.deepEqual(readAsked(A), { 1: ["hostAB", "hostAC"] });
    assert.equal(B.readBodies().length, 1);
    assert.equal(harness.join("hostAD").readBodies().length, 1);
  });

  test("also for a new worker that nobody expected", () => {
    const { harness, A } = makeHost();
    const D = harness.join("hostAD", { isComplete: false });
    A.send(encodeRequest(A.uid(), 1));
    assert.deepEqual(readAsked(A), {});
    D.say({ type: "interest-complete" });
    assert.deepEqual(readAsked(A), { 1: ["hostAB", "hostAC", "hostAD"] });
  });

  test("until the time is up, and then asks those who are there", () => {
    const { harness, A } = makeHost();
    const slow = harness.join("hostAD", { isComplete: false });
    A.send(encodeRequest(A.uid(), 1));
    harness.tick(expectBackMs - 1);
    assert.deepEqual(readAsked(A), {});
    harness.tick(1);
    assert.deepEqual(readAsked(A), { 1: ["hostAB", "hostAC", "hostAD"] });
    assert.equal(slow.readBodies().length, 1);
  });

  const ends: [string, (harness: RouterHarness) => void][] = [
    ["is given up", (harness) => harness.tick(expectBackMs)],
    ["is known to have ended", (harness) => harness.core.forget("hostAD", harness.nowMs)],
    [
      "has come and gone",
      (harness) => {
        harness.join("hostAD", { isComplete: false }).close();
      },
    ],
    [
      "has come and sent nonsense",
      (harness) => {
        const D = harness.join("hostAD", { isComplete: false });
        D.send(Buffer.alloc(10));
        D.read();
      },
    ],
  ];
  for (const [what, end] of ends) {
    test(`until that one ${what}`, () => {
      const { harness, A } = makeHost();
      harness.core.expect("hostAD", harness.nowMs);
      A.send(encodeRequest(A.uid(), 1));
      end(harness);
      assert.deepEqual(readAsked(A), { 1: ["hostAB", "hostAC"] });
    });
  }

  test("but not when more waits than is kept: then it asks those who are there", () => {
    const { harness, A } = makeHost();
    harness.core.expect("hostAD", harness.nowMs);
    const large = Buffer.concat([Buffer.from(A.uid()), Buffer.alloc(4 * 1024 * 1024)]);
    for (let request = 0; request < 2; request++) A.send(encodeRouted(frameKinds.request, { body: large }));
    assert.deepEqual(Object.keys(readAsked(A)), ["0"]);
  });

  test("and what has been passed on takes up no room any more", () => {
    const { harness, A } = makeHost();
    const large = Buffer.concat([Buffer.from(A.uid()), Buffer.alloc(5 * 1024 * 1024)]);
    for (let round = 0; round < 3; round++) {
      harness.core.expect("hostAD", harness.nowMs);
      A.send(encodeRouted(frameKinds.request, { body: large }));
      assert.deepEqual(readAsked(A), {});
      harness.core.forget("hostAD", harness.nowMs);
      assert.deepEqual(Object.keys(readAsked(A)), ["0"]);
    }
  });

  test("behind those that came before it, although their time is nearly up, or over", () => {
    const { harness, A } = makeHost();
    harness.join("hostAD", { isComplete: false });
    A.send(encodeRequest(A.uid(), 1));
    harness.tick(expectBackMs - 1);
    A.send(encodeRequest(A.uid(), 2));
    harness.nowMs += 2;
    A.send(encodeRequest(A.uid(), 3));
    assert.deepEqual(readAsked(A), {});
    harness.tick(0);
    assert.deepEqual(
      A.readNews("routed").map(({ requestId }) => requestId),
      [1, 2, 3],
    );
  });

  test("and is forgotten when who asked has gone: the next worker of that slot gets no answer to it", () => {
    const { harness, A, B } = makeHost();
    harness.core.expect("hostAD", harness.nowMs);
    A.send(encodeRequest(A.uid(), 1));
    B.send(encodeRequest(B.uid(), 2));
    A.close();
    const next = harness.join("hostAA");
    harness.core.forget("hostAD", harness.nowMs);
    assert.deepEqual(readAsked(next), {});
    assert.deepEqual(readAsked(B), { 2: ["hostAA", "hostAC"] });
  });

  test("and the time of one that comes later begins anew", () => {
    const { harness, A } = makeHost();
    const slow = harness.join("hostAD", { isComplete: false });
    A.send(encodeRequest(A.uid(), 1));
    harness.tick(expectBackMs);
    A.read();
    A.send(encodeRequest(A.uid(), 2));
    harness.tick(expectBackMs - 1);
    assert.deepEqual(readAsked(A), {});
    slow.say({ type: "interest-complete" });
    assert.deepEqual(Object.keys(readAsked(A)), ["2"]);
  });
});

describe("a request that is none is refused when it comes, also while requests wait", () => {
  const good = encodeRequest("hostAAuuuuuuuuuuuuu0", 1, { rooms: ["r", "s"] });
  const changed = (at: number, value: number): Buffer => {
    const frame = Buffer.from(good);
    frame[at] = value;
    return frame;
  };
  const cases: [string, Buffer][] = [
    ["with a room that does not fit", changed(18, 0xff)],
    ["with more rooms than there are", changed(9, 9)],
    ["without its head", encodeRouted(frameKinds.request, { body: "short" })],
  ];
  for (const [what, frame] of cases) {
    for (const isExpecting of [false, true]) {
      test(`${what}${isExpecting ? ", while a worker is expected" : ""}`, () => {
        const { harness, A, B } = makeHost();
        if (isExpecting) harness.core.expect("hostAD", harness.nowMs);
        A.send(frame);
        assert.ok(harness.closedByCore.has(A.id));
        assert.equal(A.readNews("refused")[0]?.code, 3);
        harness.tick(expectBackMs);
        harness.core.forget("hostAD", harness.nowMs);
        assert.equal(harness.closedByCore.has(B.id), false);
        assert.deepEqual(B.readBodies(), []);
      });
    }
  }
});

test("a request and a broadcast of one worker arrive in their order", () => {
  const { A, B } = makeHost();
  B.want(["r"]);
  B.read();
  A.send(encodeBroadcast({ rooms: ["r"] }), encodeRequest(A.uid(), 1), encodeBroadcast({ rooms: ["r"] }));
  assert.deepEqual(
    B.read().map(({ type }) => type),
    ["broadcast", "request", "broadcast"],
  );
});
