/** The router's forwarding against a naive model, through random lives of a host. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { commands, encodeRoomsCommand, requestHeadBytes } from "../../src/protocol/exchange-frames.js";
import { encodeBroadcast, encodeCommand, encodeRequest, mustEncodeRoom } from "../support/fabric-frames.js";
import { RouterHarness, type TestWorker } from "../support/router-harness.js";
import { type ModelFrame, RouterModel } from "../support/router-model.js";

const slots = 4;
const places = ["hostAA", "hostAB", "hostAC", "hostAD"];
const foreignId = "tsohAAssssssssssssss";

function placeOf(slot: number): string {
  return places[slot] ?? "";
}

const slot = fc.nat(slots - 1);
const namespace = fc.constantFrom("/", "/chat");
const room = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("a", "b", "c") },
  { weight: 2, arbitrary: slot.map((index) => `${placeOf(index)}ssssssssssssss`) },
  { weight: 1, arbitrary: slot.map((index) => `/chat#${placeOf(index)}ssssssssssssss`) },
  { weight: 1, arbitrary: fc.constant(foreignId) },
);
const rooms = fc.uniqueArray(room, { maxLength: 3 });

type Step =
  | { readonly type: "connect" | "complete" | "close" | "expect" | "forget" | "silence"; readonly slot: number }
  | { readonly type: "serve"; readonly slot: number; readonly namespace: string }
  | { readonly type: "flood"; readonly slot: number; readonly isOn: boolean }
  | { readonly type: "joins-done"; readonly slot: number; readonly more: number }
  | {
      readonly type: "want" | "leave" | "broadcast" | "request";
      readonly slot: number;
      readonly namespace: string;
      readonly rooms: readonly string[];
    }
  | {
      readonly type: "join";
      readonly slot: number;
      readonly namespace: string;
      readonly rooms: readonly string[];
      readonly joined: readonly string[];
    };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom("connect" as const, "complete" as const), slot }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constantFrom("close" as const, "expect" as const, "forget" as const, "silence" as const),
      slot,
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("serve" as const), slot, namespace }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("flood" as const), slot, isOn: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("joins-done" as const), slot, more: fc.nat(3) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constantFrom(
        "want" as const,
        "leave" as const,
        "broadcast" as const,
        "broadcast" as const,
        "request" as const,
      ),
      slot,
      namespace,
      rooms,
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("join" as const), slot, namespace, rooms, joined: rooms }) },
);

/** The router, the model and the workers, side by side. */
class Comparison {
  readonly harness = new RouterHarness();
  readonly model = new RouterModel(slots, placeOf);
  readonly #workers: (TestWorker | undefined)[] = [];
  #lastNumber = 0;

  run(each: Step): void {
    const worker = this.#workers[each.slot];
    const model = this.model.at(each.slot);
    switch (each.type) {
      case "expect":
        this.harness.core.expect(placeOf(each.slot), this.harness.nowMs);
        this.model.expect(each.slot);
        return;
      case "forget":
        // A process that has ended has closed its connection; who is told first does not matter.
        worker?.close();
        this.harness.core.forget(placeOf(each.slot), this.harness.nowMs);
        this.#workers[each.slot] = undefined;
        this.model.remove(each.slot);
        return;
      case "connect":
        if (worker === undefined) this.#connect(each.slot);
        return;
      default:
        if (worker !== undefined) this.#act(each, worker, model);
    }
  }

  #connect(index: number): void {
    const worker = this.harness.open(placeOf(index));
    this.#workers[index] = worker;
    worker.sayHello();
    this.model.connect(index);
  }

  #act(each: Step, worker: TestWorker, model: ReturnType<RouterModel["at"]>): void {
    switch (each.type) {
      case "complete":
        worker.say({ type: "interest-complete" });
        model.isComplete = true;
        break;
      case "close":
        worker.close();
        this.#workers[each.slot] = undefined;
        this.model.remove(each.slot);
        break;
      case "serve": {
        const number = ++this.#lastNumber;
        worker.serve(each.namespace, number);
        model.adapters.push({ uid: worker.uid(number), namespace: each.namespace });
        break;
      }
      case "silence": {
        const adapter = model.adapters.shift();
        if (adapter !== undefined) worker.say({ type: "namespace-down", uid: adapter.uid });
        break;
      }
      case "flood":
        worker.say({ type: "flood-me", isOn: each.isOn });
        this.model.flood(each.slot, each.isOn);
        break;
      case "joins-done":
        model.joinsDone = Math.min(model.joins.length, model.joinsDone + each.more);
        worker.say({ type: "joins-done", count: model.joinsDone });
        break;
      case "want":
      case "leave":
        worker[each.type](each.rooms, each.namespace);
        for (const name of each.rooms) this.model.change(each.slot, each.namespace, name, each.type === "want");
        break;
      case "broadcast": {
        const frame = this.#makeFrame(each, `broadcast ${++this.#lastNumber}`);
        worker.send(encodeBroadcast(frame));
        this.model.forward(frame);
        break;
      }
      case "join": {
        const body = encodeRoomsCommand(commands.socketsJoin, each.joined.map(mustEncodeRoom)).toString();
        const frame = this.#makeFrame(each, body);
        worker.send(encodeCommand(commands.socketsJoin, each.joined, frame));
        this.model.forwardJoin(frame, each.joined);
        break;
      }
      case "request":
        // Held while a worker is not complete: tables of their own say what happens then.
        if (this.model.areAllComplete) this.#ask(each, worker);
        break;
      default:
        throw new Error(each.type);
    }
  }

  #makeFrame(each: { slot: number; namespace: string; rooms: readonly string[] }, body: string): ModelFrame {
    return { from: each.slot, namespace: each.namespace, rooms: each.rooms, body };
  }

  #ask(each: { slot: number; namespace: string; rooms: readonly string[] }, worker: TestWorker): void {
    worker.read();
    const requestId = ++this.#lastNumber;
    const request = encodeRequest(worker.uid(), requestId, each);
    worker.send(request);
    const asked = this.model.ask(this.#makeFrame(each, request.toString("utf8", request.length - requestHeadBytes)));
    const [routed, ...more] = worker.readNews("routed");
    assert.equal(more.length, 0);
    assert.equal(routed?.requestId, requestId);
    assert.deepEqual([...routed.askedUids].sort(), asked.sort());
  }

  /** Everybody reads: each frame went to whom the model says, once, in order, and to nobody else. */
  compare(): void {
    for (const [index, worker] of this.#workers.entries()) {
      const model = this.model.at(index);
      if (worker === undefined) continue;
      assert.deepEqual(worker.readBodies(), model.inbox, `what ${placeOf(index)} reads`);
      model.inbox = [];
    }
    assert.equal(this.harness.core.interestSize, this.model.interestSize);
    const known = places.filter((_, index) => this.model.at(index).state !== "absent");
    assert.deepEqual(this.harness.core.ports.map(({ place }) => place).sort(), known);
  }

  end(): void {
    for (const index of places.keys()) this.run({ type: "forget", slot: index });
    const { ports, interestSize, counters } = this.harness.core;
    assert.deepEqual([ports, interestSize], [[], 0]);
    assert.deepEqual(
      [counters.lostFrames, counters.droppedVolatile, counters.badFrames, counters.refusals],
      [0, 0, 0, 0],
    );
  }
}

test("every frame goes where a naive model says, whatever workers announce, join, serve, come and go", () => {
  let frames = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 80 }), (steps) => {
      const comparison = new Comparison();
      for (const index of [0, 1, 2]) {
        for (const type of ["connect", "complete"] as const) comparison.run({ type, slot: index });
      }
      for (const each of steps) {
        comparison.run(each);
        comparison.compare();
      }
      frames += comparison.harness.core.counters.framesOut;
      comparison.end();
    }),
    { numRuns: 100 },
  );
  assert.ok(frames > 300, `only ${frames} frames were passed on`);
});
