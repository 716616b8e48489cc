/** Who is told of which members, and who counts as stalled. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeBroadcast } from "../support/fabric-frames.js";
import { RouterHarness, type Seen, type TestWorker } from "../support/router-harness.js";

/** News of members and places, in a few words each. */
function describeNews(seen: readonly Seen[]): string[] {
  return seen.flatMap((each) => {
    switch (each.type) {
      case "member-up":
        return [`up ${each.uid.slice(0, 6)} ${each.namespace} ${each.parserId}`];
      case "member-down":
        return [`down ${each.uid.slice(0, 6)} ${each.namespace}`];
      case "place-down":
      case "place-stalled":
      case "place-resumed":
        return [`${each.type} ${each.place}`];
      default:
        return [];
    }
  });
}

function readNewsOf(worker: TestWorker): string[] {
  return describeNews(worker.read());
}

describe("members", () => {
  test("learn of each other, with their parsers, whoever came first", () => {
    const harness = new RouterHarness();
    const A = harness.join("hostAA");
    const B = harness.join("hostAB", { namespaces: [] });
    B.serve("/", 0, 77);
    assert.deepEqual(readNewsOf(A), ["up hostAB / 77"]);
    assert.deepEqual(readNewsOf(B), ["up hostAA / 0"]);
  });

  test("of other namespaces are none of a worker's business", () => {
    const harness = new RouterHarness();
    const A = harness.join("hostAA", { namespaces: ["/", "/chat"] });
    const B = harness.join("hostAB", { namespaces: ["/chat", "/news"] });
    assert.deepEqual(readNewsOf(A), ["up hostAB /chat 0"]);
    assert.deepEqual(readNewsOf(B), ["up hostAA /chat 0"]);
  });

  test("of a namespace in any script are found by its bytes", () => {
    const harness = new RouterHarness();
    const A = harness.join("hostAA", { namespaces: ["/čat €"] });
    harness.join("hostAB", { namespaces: ["/čat €"] });
    assert.deepEqual(readNewsOf(A), ["up hostAB /čat € 0"]);
  });

  test("are told of one that stops, each adapter by itself", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
    B.serve("/", 1, 5);
    assert.deepEqual(readNewsOf(A), ["up hostAB / 0", "up hostAB / 5"]);
    B.say({ type: "namespace-down", uid: B.uid(0) });
    assert.deepEqual(A.readNews("member-down"), [{ type: "member-down", uid: B.uid(0), namespace: "/" }]);
    // It serves the namespace with another adapter, and so learns of newcomers.
    B.read();
    harness.join("hostAC");
    assert.deepEqual(readNewsOf(B), ["up hostAC / 0"]);
    B.say({ type: "namespace-down", uid: B.uid(1) });
    assert.deepEqual(readNewsOf(A), ["up hostAC / 0", "down hostAB /"]);
    B.read();
    harness.join("hostAD");
    assert.deepEqual(readNewsOf(B), []);
  });

  test("are forgotten by a worker that serves their namespace no more, and told anew when it does again", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
    harness.join("hostAC");
    // B stops and begins again before it has read anything: news of A and C is still on its way.
    B.say({ type: "namespace-down", uid: B.uid(0) });
    A.say({ type: "namespace-down", uid: A.uid(0) });
    B.serve("/", 0);
    assert.deepEqual(readNewsOf(B), [
      "up hostAA / 0",
      "up hostAC / 0",
      "down hostAA /",
      "down hostAC /",
      "up hostAC / 0",
    ]);
  });

  test("are not told of one that was never there", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
    A.read();
    B.say({ type: "namespace-down", uid: B.uid(8) }, { type: "namespace-down", uid: A.uid(0) });
    assert.deepEqual(readNewsOf(A), []);
    B.read();
    harness.join("hostAC");
    assert.deepEqual(readNewsOf(B), ["up hostAC / 0"]);
  });

  test("learn of the end of a worker once, at once, whatever it served", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB", { namespaces: ["/", "/chat"] })];
    const C = harness.join("hostAC", { namespaces: [] });
    for (const worker of [A, B, C]) worker.read();
    B.close();
    assert.deepEqual([readNewsOf(A), readNewsOf(C)], [["place-down hostAB"], ["place-down hostAB"]]);
    assert.deepEqual(harness.notesOf("port-down"), [{ type: "port-down", place: "hostAB", lostFrames: 0 }]);
  });

  test("that were told of a worker's end hear nothing of it when others come", () => {
    const harness = new RouterHarness();
    const A = harness.join("hostAA");
    harness.join("hostAB").close();
    A.read();
    const C = harness.join("hostAC");
    assert.deepEqual([readNewsOf(A), readNewsOf(C)], [["up hostAC / 0"], ["up hostAA / 0"]]);
  });

  test("are known by their uid: one that is announced twice is one", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
    B.serve("/", 0, 9);
    B.say({ type: "namespace-down", uid: B.uid(0) });
    assert.deepEqual(readNewsOf(A), ["up hostAB / 0", "down hostAB /", "up hostAB / 9", "down hostAB /"]);
    B.read();
    harness.join("hostAC");
    assert.deepEqual(readNewsOf(B), []);
  });

  test("are known by their uid: one that moves to another namespace has left the first", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
    B.serve("/chat", 0);
    assert.deepEqual(readNewsOf(A), ["up hostAB / 0", "down hostAB /"]);
    B.close();
    A.read();
    harness.join("hostAC", { namespaces: ["/", "/chat"] });
    assert.deepEqual(readNewsOf(A), ["up hostAC / 0"]);
  });
});

describe("forgetting a worker whose process has ended", () => {
  test("leaves its connection alone: its last words are still to be read, and it may be its successor's", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
    B.want(["r"]);
    A.read();
    harness.core.forget("hostAB", harness.nowMs);
    assert.equal(harness.closedByCore.has(B.id), false);
    B.send(encodeBroadcast({ body: "last" }));
    B.close();
    assert.deepEqual(A.readBodies(), ["last"]);
    assert.equal(harness.core.interestSize, 0);
    assert.deepEqual(
      harness.core.ports.map(({ place }) => place),
      ["hostAA"],
    );
  });

  test("that is not known changes nothing", () => {
    const harness = new RouterHarness();
    const A = harness.join("hostAA");
    A.read();
    harness.core.forget("hostAZ", harness.nowMs);
    assert.deepEqual(A.read(), []);
  });
});

describe("a worker that does not answer", () => {
  /** Ticks every half second; those who are named answer their pings. */
  function live(harness: RouterHarness, forMs: number, answering: readonly TestWorker[]): void {
    for (let ms = 0; ms < forMs; ms += 500) {
      harness.tick(500);
      for (const worker of answering) {
        for (const { token } of worker.readNews("ping")) worker.say({ type: "pong", token });
      }
    }
  }

  test("gets one ping at a time, and is stalled when that stays unanswered", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
    live(harness, 2_000, [A]);
    assert.deepEqual(harness.notesOf("stalled"), []);
    live(harness, 500, [A]);
    assert.deepEqual(harness.notesOf("stalled"), [{ type: "stalled", place: "hostAB" }]);
    assert.equal(harness.core.counters.stalls, 1);
    live(harness, 10_000, [A]);
    assert.equal(harness.core.counters.stalls, 1);
    assert.equal(B.readNews("ping").length, 1);
  });

  test("is announced to the others, and so is its return", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
    A.read();
    live(harness, 500, []);
    const pings = A.readNews("ping");
    A.say(...pings.map(({ token }) => ({ type: "pong" as const, token })));
    for (let tick = 0; tick < 4; tick++) harness.tick(500);
    assert.deepEqual(readNewsOf(A), ["place-stalled hostAB"]);
    const seenByB = B.read();
    assert.deepEqual(describeNews(seenByB), ["up hostAA / 0"]);
    const ping = seenByB.find((seen) => seen.type === "ping");
    assert.ok(ping !== undefined);
    B.say({ type: "pong", token: ping.token });
    assert.deepEqual([readNewsOf(A), readNewsOf(B)], [["place-resumed hostAB"], []]);
    assert.deepEqual(harness.notesOf("resumed"), [{ type: "resumed", place: "hostAB" }]);
    B.say({ type: "pong", token: ping.token });
    assert.deepEqual(readNewsOf(A), []);
  });

  test("does not come back by an answer to another ping", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
    live(harness, 3_000, [A]);
    const [ping] = B.readNews("ping");
    B.say({ type: "pong", token: (ping?.token ?? 0) + 1 }, { type: "pong", token: 0 });
    assert.deepEqual(harness.notesOf("resumed"), []);
  });

  test("is judged only when the router itself was in time: a late tick gives everybody their time again", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
    live(harness, 500, [A]);
    harness.tick(60_000);
    assert.deepEqual(harness.notesOf("stalled"), []);
    live(harness, 1_500, [A]);
    assert.deepEqual(harness.notesOf("stalled"), []);
    live(harness, 500, [A]);
    assert.deepEqual(harness.notesOf("stalled"), [{ type: "stalled", place: B.place }]);
  });

  test("is still sent to", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
    live(harness, 3_000, [A]);
    B.read();
    harness.join("hostAC");
    assert.deepEqual(readNewsOf(B), ["up hostAC / 0"]);
  });

  test("and comes anew is not stalled any more", () => {
    const harness = new RouterHarness();
    const [A, B] = [harness.join("hostAA"), harness.join("hostAB")];
    live(harness, 3_000, [A]);
    B.close();
    harness.join("hostAB");
    assert.deepEqual(
      harness.core.ports.map(({ isStalled }) => isStalled),
      [false, false],
    );
  });
});

test("everything is released when the workers have gone, in whatever order they came and went", () => {
  const harness = new RouterHarness();
  const workers = ["hostAA", "hostAB", "hostAC"].map((place) => harness.join(place, { namespaces: ["/", "/chat"] }));
  workers[0]?.serve("/", 7);
  for (const worker of workers) worker.want(["r"], "/chat");
  for (const worker of workers) worker.close();
  const { ports, interestSize } = harness.core;
  assert.deepEqual([ports, interestSize], [[], 0]);
  const alone = harness.join("hostAD", { namespaces: ["/", "/chat"] });
  assert.deepEqual(readNewsOf(alone), []);
});
