/** The router among workers that send anything. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { encodeBroadcast } from "../support/fabric-frames.js";
import { framesOfRouters, framesOfWorkers, makeHostileFrame, makeRandom } from "../support/hostile-bytes.js";
import { RouterHarness, type TestWorker } from "../support/router-harness.js";

const places = ["hostAA", "hostAB", "hostAC"];
// Refusals are made by the thousand here, and nobody reads where each of them came from.
const { stackTraceLimit } = Error;
before(() => {
  Error.stackTraceLimit = 0;
});
after(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

/** A router with workers that break down at random, and one that behaves. */
class HostileRun {
  readonly harness = new RouterHarness({ maxRoomsPerPort: 20, outbox: { maxBytes: 3_000, maxVolatileBytes: 1_000 } });
  readonly #good: TestWorker;
  readonly #workers = new Map<string, TestWorker>();
  readonly #random: (bound: number) => number;
  #sent: Buffer[] = [];

  constructor(seed: number) {
    this.#random = makeRandom(seed);
    this.#good = this.harness.join("hostAZ");
  }

  run(steps: number): void {
    try {
      for (let step = 0; step < steps; step++) this.#step();
    } catch (error) {
      const frames = this.#sent.map((frame) => frame.toString("hex"));
      throw new Error(`${String(error)} after these frames: ${frames.join(" ")}`, { cause: error });
    }
  }

  #step(): void {
    const place = places[this.#random(places.length)] ?? "";
    const worker = this.#workers.get(place);
    switch (this.#random(12)) {
      case 0:
        this.harness.tick(this.#random(900));
        break;
      case 1:
        worker?.read();
        break;
      case 2:
        this.harness.core.expect(place, this.harness.nowMs);
        break;
      case 3:
        worker?.close();
        this.#workers.delete(place);
        break;
      case 4:
        this.harness.core.forget(place, this.harness.nowMs);
        worker?.close();
        this.#workers.delete(place);
        break;
      case 5:
        this.#checkGood();
        break;
      default:
        this.#sendSomething(place, worker);
    }
    // As the process does: what is refused is closed as soon as the reason is written.
    if (worker !== undefined && this.harness.closedByCore.has(worker.id)) {
      worker.read();
      if (this.#workers.get(place) === worker) this.#workers.delete(place);
    }
  }

  #sendSomething(place: string, known: TestWorker | undefined): void {
    let worker = known;
    if (worker === undefined) {
      worker = this.harness.open(place);
      this.#workers.set(place, worker);
      if (this.#random(20) > 0) worker.sayHello();
    }
    const whole = framesOfWorkers[this.#random(framesOfWorkers.length)] ?? Buffer.alloc(0);
    const isWhole = this.#random(3) > 0;
    const frame = isWhole ? whole : makeHostileFrame(this.#random, [...framesOfWorkers, ...framesOfRouters]);
    this.#sent = [...this.#sent.slice(-20), frame];
    const cut = this.#random(frame.length + 1);
    worker.send(frame.subarray(0, cut));
    worker.send(frame.subarray(cut));
  }

  /** One that behaves is served, whatever the others do: never refused, and every frame it gets can be read. */
  #checkGood(): void {
    this.#good.send(encodeBroadcast({ rooms: ["room"], body: "good" }));
    for (const { token } of this.#good.readNews("ping")) this.#good.say({ type: "pong", token });
    assert.equal(this.harness.closedByCore.has(this.#good.id), false);
  }

  end(): void {
    this.#checkGood();
    for (const worker of this.#workers.values()) worker.close();
    for (const place of places) this.harness.core.forget(place, this.harness.nowMs);
    this.#good.close();
    assert.deepEqual([this.harness.core.ports, this.harness.core.interestSize], [[], 0]);
  }
}

test("whatever workers send, in whatever pieces, the router goes on, serves the others, and keeps nothing of them", () => {
  let [taken, bad] = [0, 0];
  fc.assert(
    fc.property(fc.noShrink(fc.integer()), (seed) => {
      const run = new HostileRun(seed);
      run.run(400);
      run.end();
      taken += run.harness.core.counters.framesIn;
      bad += run.harness.core.counters.badFrames;
    }),
    { numRuns: 40 },
  );
  assert.ok(taken > 1_000 && bad > 1_000, `${taken} frames were taken, ${bad} were bad`);
});
