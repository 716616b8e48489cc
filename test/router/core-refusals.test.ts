/** Connections that are refused, each with its reason, and what stays of them: nothing. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { acceptedVersions, frameKinds, maxFrameBytes } from "../../src/protocol/frame.js";
import { portRefusals } from "../../src/protocol/port-refusals.js";
import { encodeRouterToWorker, encodeWorkerToRouter } from "../../src/protocol/worker-port-frames.js";
import { encodeBroadcast, encodeInterest, encodeRouted } from "../support/fabric-frames.js";
import { RouterHarness, type TestWorker } from "../support/router-harness.js";

const unknownVersion = Math.max(...acceptedVersions) + 1;

function makeHello(place = "hostAB", version = acceptedVersions[0] ?? 0): Buffer {
  return encodeWorkerToRouter({ type: "hello", version, place, workerId: "w".repeat(20) });
}

function makeTooLong(): Buffer {
  const head = Buffer.alloc(6);
  head.writeUInt32BE(maxFrameBytes);
  return head;
}

/** Reads the farewell; the harness then closes the connection as the process would. */
function assertRefused(harness: RouterHarness, worker: TestWorker, refusal: keyof typeof portRefusals): void {
  const seen = worker.read();
  const [refused] = seen;
  assert.equal(seen.length, 1);
  assert.ok(refused?.type === "refused");
  assert.equal(refused.code, portRefusals[refusal].code);
  assert.notEqual(refused.reason, "");
  assert.ok(harness.closedByCore.has(worker.id));
  assert.deepEqual(
    harness.notesOf("refused").map((note) => [note.refusal, note.reason]),
    [[refusal, refused.reason]],
  );
  assert.equal(harness.core.counters.refusals, 1);
}

describe("a connection is refused at its beginning", () => {
  const cases: [string, Buffer, keyof typeof portRefusals][] = [
    ["with a version that is not known", makeHello("hostAB", unknownVersion), "unknownVersion"],
    ["with no version at all", makeHello("hostAB", 0), "unknownVersion"],
    ["from another host", makeHello("tsohAB"), "notExpected"],
    ["without a hello", encodeWorkerToRouter({ type: "interest-complete" }), "notExpected"],
    ["with a broadcast before hello", encodeBroadcast({}), "notExpected"],
    ["with an announcement before hello", encodeInterest(1, "/", { joined: ["r"] }), "notExpected"],
    ["with what a router says", encodeRouterToWorker({ type: "ping", token: 1 }), "notExpected"],
    ["with a hello cut short", encodeRouted(frameKinds.hello, {}).subarray(0, 12).fill(8, 3, 4), "badFrame"],
    ["with a length of nothing", Buffer.alloc(4), "badFrame"],
    ["with a length beyond the limit", makeTooLong(), "badFrame"],
    ["with the beginning of an HTTP request", Buffer.from("GET / HTTP/1.1\r\n\r\n"), "badFrame"],
  ];
  for (const [what, bytes, refusal] of cases) {
    test(what, () => {
      const harness = new RouterHarness();
      const worker = harness.open();
      worker.send(bytes);
      assertRefused(harness, worker, refusal);
      assert.deepEqual([harness.core.ports, harness.core.interestSize], [[], 0]);
    });
  }

  test("for the first reason, whatever follows in the same chunk or later", () => {
    const harness = new RouterHarness();
    const worker = harness.open();
    worker.send(makeHello("hostAB", unknownVersion), makeTooLong());
    worker.send(makeTooLong());
    assertRefused(harness, worker, "unknownVersion");
    assert.equal(harness.core.counters.badFrames, 0);
  });
});

describe("a worker is refused that sends", () => {
  const namespaceUp = encodeWorkerToRouter({ type: "namespace-up", uid: "u".repeat(20), parserId: 0, namespace: "/" });
  const notUtf8 = Buffer.from(namespaceUp);
  notUtf8[notUtf8.length - 1] = 0xff;
  const unknownKind = Buffer.from(namespaceUp);
  unknownKind[4] = 99;
  const cases: [string, Buffer][] = [
    ["a second hello", makeHello()],
    ["what a router says", encodeRouterToWorker({ type: "members-reset" })],
    ["a frame of an unknown kind", unknownKind],
    ["a namespace that is not UTF-8", notUtf8],
    ["a frame that says more than its kind", encodeRouted(frameKinds.interestComplete, {})],
    ["a broadcast without its header", Buffer.from("000000022000", "hex")],
    ["a command without its name", encodeRouted(frameKinds.command, {})],
    ["a request without who asks", encodeRouted(frameKinds.request, { body: "who" })],
    ["an answer without whom it is for", Buffer.from("000000022300", "hex")],
    ["an announcement that is none", encodeRouted(frameKinds.interest, {})],
    ["a length beyond the limit", makeTooLong()],
  ];
  for (const [what, bytes] of cases) {
    test(`${what}; the others learn that it is gone`, () => {
      const harness = new RouterHarness();
      const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
      B.want(["r"]);
      for (const worker of [A, B]) worker.read();
      B.send(bytes, encodeBroadcast({ body: "not taken any more" }));
      assert.deepEqual(A.read(), [{ type: "place-down", place: "hostAB" }]);
      B.send(encodeBroadcast({ body: "nor this" }));
      assertRefused(harness, B, "badFrame");
      assert.deepEqual(A.read(), []);
      assert.equal(harness.core.counters.badFrames, 1);
      assert.equal(harness.core.interestSize, 0);
      A.close();
      assert.deepEqual(harness.core.ports, []);
    });
  }

  test("nonsense behind something good: what is good counts", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
    A.read();
    B.send(encodeBroadcast({ body: "good" }), makeTooLong());
    assert.deepEqual(A.readBodies(), ["good"]);
    assert.ok(harness.closedByCore.has(B.id));
  });

  test("nonsense while much waits for it: the reason is all that it still gets", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
    B.read();
    A.send(encodeBroadcast({ body: "waits" }));
    B.send(makeTooLong());
    assertRefused(harness, B, "badFrame");
  });
});

describe("a second connection for the same place", () => {
  test("takes it: the first one is told and closed, and what the others know begins anew", () => {
    const harness = new RouterHarness();
    const [A, former] = [harness.join("hostAA"), harness.join("hostAB")];
    former.want(["r"]);
    for (const worker of [A, former]) worker.read();
    const next = harness.join("hostAB");
    assertRefused(harness, former, "replaced");
    assert.deepEqual(
      A.read().map(({ type }) => type),
      ["place-down", "member-up"],
    );
    assert.equal(harness.core.interestSize, 0);
    A.send(encodeBroadcast({ rooms: ["hostABssssssssssssss"], body: "for the new one" }));
    assert.deepEqual(next.readBodies(), ["for the new one"]);
    former.close();
    assert.equal(harness.core.ports.length, 2);
  });

  test("that is refused itself takes nothing", () => {
    const harness = new RouterHarness();
    const worker = harness.join("hostAB");
    worker.read();
    harness.open().send(makeHello("hostAB", unknownVersion));
    assert.equal(harness.closedByCore.has(worker.id), false);
    assert.equal(harness.core.ports.length, 1);
  });
});

describe("a connection that has not said who it is", () => {
  test("gets nothing, costs nothing when it goes, and is no worker", () => {
    const harness = new RouterHarness();
    const A = harness.join("hostAA");
    const stranger = harness.open();
    stranger.send(makeHello().subarray(0, 10));
    A.send(encodeBroadcast({}));
    harness.tick(500);
    assert.deepEqual(stranger.read(), []);
    stranger.close();
    assert.equal(harness.core.ports.length, 1);
  });

  test("may say it byte by byte", () => {
    const harness = new RouterHarness();
    const worker = harness.open("hostAB");
    for (const byte of makeHello()) worker.send(Buffer.of(byte));
    assert.deepEqual(worker.read(), [{ type: "welcome", version: acceptedVersions[0], incarnation: "router-1" }]);
  });
});

test("bytes of a connection that is not known are nobody's", () => {
  const { core } = new RouterHarness();
  core.received(99, makeHello(), 0);
  core.closed(99, 0);
  core.written(99, []);
  assert.deepEqual([core.takeWrites(99), core.hasWrites(99), core.ports], [[], false, []]);
});
