import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { chooseWorker, type WorkerLoad } from "../../src/primary/worker-choice.js";

const settings = { slowStartMs: 10_000 };
/** Long after every worker of the tables became ready at 0. */
const later = 1_000_000;

function makeWorker(slot: number, load: number, more: Partial<WorkerLoad> = {}): WorkerLoad {
  return { slot, load, readySinceMs: 0, lastChosen: 0, isStalled: false, ...more };
}

/** Workers that take what the choice gives them, as the hand-off keeps the books. */
class Pool {
  readonly workers: { -readonly [Key in keyof WorkerLoad]: WorkerLoad[Key] }[];
  readonly arrivals = new Map<number, number>();
  lastChosenSlot: number | undefined;
  #choices = 0;

  constructor(workers: readonly WorkerLoad[]) {
    this.workers = workers.map((worker) => ({ ...worker }));
  }

  arrive(nowMs: number): number {
    const slot = chooseWorker(this.workers, this.lastChosenSlot, settings, nowMs);
    assert.ok(slot !== undefined);
    const chosen = this.workers.find((worker) => worker.slot === slot);
    assert.ok(chosen !== undefined);
    chosen.load++;
    chosen.lastChosen = ++this.#choices;
    this.lastChosenSlot = slot;
    this.arrivals.set(slot, (this.arrivals.get(slot) ?? 0) + 1);
    return slot;
  }
}

describe("the worker is", () => {
  const fresh = { readySinceMs: later - 1_000 };
  const cases: [string, WorkerLoad[], number | undefined, number | undefined][] = [
    ["none of none", [], undefined, undefined],
    ["the only one", [makeWorker(3, 100)], undefined, 3],
    ["the only one again, though fresh", [makeWorker(3, 100, fresh)], 3, 3],
    ["the least loaded", [makeWorker(0, 5), makeWorker(1, 4), makeWorker(2, 6)], undefined, 1],
    ["the least loaded again", [makeWorker(0, 5), makeWorker(1, 3)], 1, 1],
    [
      "among equals the one chosen longest ago",
      [makeWorker(0, 5, { lastChosen: 9 }), makeWorker(1, 5, { lastChosen: 7 }), makeWorker(2, 5, { lastChosen: 8 })],
      0,
      1,
    ],
    ["among equals one never chosen", [makeWorker(0, 5, { lastChosen: 1 }), makeWorker(1, 5)], undefined, 1],
    ["among equals never chosen the lowest slot", [makeWorker(1, 5), makeWorker(0, 5)], undefined, 0],
    ["a fresh one the first time", [makeWorker(0, 40), makeWorker(1, 0, fresh)], 0, 1],
    ["not a fresh one twice in a row", [makeWorker(0, 40), makeWorker(1, 0, fresh), makeWorker(2, 39)], 1, 2],
    [
      "a fresh one twice, when all others are stalled",
      [makeWorker(0, 40, { isStalled: true }), makeWorker(1, 0, fresh)],
      1,
      1,
    ],
    [
      "one that has just stopped being fresh, again",
      [makeWorker(0, 40), makeWorker(1, 0, { readySinceMs: later - settings.slowStartMs })],
      1,
      1,
    ],
    ["not a stalled one, however empty", [makeWorker(0, 0, { isStalled: true }), makeWorker(1, 99)], undefined, 1],
    [
      "the least loaded of the stalled when all are",
      [makeWorker(0, 2, { isStalled: true }), makeWorker(1, 1, { isStalled: true })],
      undefined,
      1,
    ],
  ];
  for (const [what, workers, lastChosenSlot, expected] of cases) {
    test(what, () => assert.equal(chooseWorker(workers, lastChosenSlot, settings, later), expected));
  }
});

test("equal workers take turns", () => {
  const pool = new Pool([0, 1, 2].map((slot) => makeWorker(slot, 7)));
  const slots = Array.from({ length: 6 }, () => pool.arrive(later));
  assert.deepEqual(slots, [0, 1, 2, 0, 1, 2]);
});

test("equal workers take turns when sessions end as fast as they begin", () => {
  const pool = new Pool([0, 1, 2].map((slot) => makeWorker(slot, 0)));
  const slots = Array.from({ length: 6 }, () => {
    const slot = pool.arrive(later);
    for (const worker of pool.workers) worker.load = 0;
    return slot;
  });
  assert.deepEqual(slots, [0, 1, 2, 0, 1, 2]);
});

test("60 arrivals at once on 4 workers that have just started give each 15", () => {
  const pool = new Pool([0, 1, 2, 3].map((slot) => makeWorker(slot, 0)));
  for (let arrival = 0; arrival < 60; arrival++) pool.arrive(100);
  assert.deepEqual([...pool.arrivals.values()], [15, 15, 15, 15]);
});

test("60 arrivals on 4 workers give none more than 20, whichever of them are fresh and wherever sessions end", () => {
  const ends = fc.array(fc.nat({ max: 3 }), { minLength: 60, maxLength: 60 });
  const readySince = fc.array(fc.constantFrom(0, later - 1), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(readySince, ends, fc.boolean(), (sinceMs, endingSlots, doSessionsEnd) => {
      const pool = new Pool(sinceMs.map((readySinceMs, slot) => makeWorker(slot, 0, { readySinceMs })));
      const tallest = { load: 0 };
      for (const endingSlot of endingSlots) {
        pool.arrive(later);
        const ending = pool.workers[endingSlot];
        if (doSessionsEnd && ending !== undefined && ending.load > 0) ending.load--;
        for (const worker of pool.workers) tallest.load = Math.max(tallest.load, worker.load);
      }
      assert.ok(tallest.load <= 20, `a worker came to ${tallest.load} sessions`);
    }),
  );
});

describe("a fresh worker beside three with 40 sessions each", () => {
  const makePool = (): Pool =>
    new Pool([makeWorker(0, 40), makeWorker(1, 40), makeWorker(2, 40), makeWorker(3, 0, { readySinceMs: later })]);

  test("gets half of 40 arrivals, and the others share the rest", () => {
    const pool = makePool();
    for (let arrival = 0; arrival < 40; arrival++) pool.arrive(later + 1);
    assert.equal(pool.arrivals.get(3), 20);
    for (const slot of [0, 1, 2]) assert.ok((pool.arrivals.get(slot) ?? 0) <= 7);
  });

  test("gets the arrivals after its slow start until all are even", () => {
    const pool = makePool();
    for (let arrival = 0; arrival < 40; arrival++) pool.arrive(later + 1);
    const behind = pool.workers.reduce((sum, worker) => sum + worker.load, 0);
    // 160 sessions in all, 20 of them there: it is even when each has as many.
    for (let arrival = behind; arrival < 4 * 47; arrival++) pool.arrive(later + settings.slowStartMs);
    const loads = pool.workers.map((worker) => worker.load);
    assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, `loads ${loads.join(", ")}`);
  });
});

test("one fresh worker among any gets at most half of the arrivals", () => {
  const loads = fc.array(fc.nat({ max: 100 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(loads, fc.integer({ min: 1, max: 60 }), (others, arrivals) => {
      const pool = new Pool([
        ...others.map((load, slot) => makeWorker(slot, load)),
        makeWorker(others.length, 0, { readySinceMs: later }),
      ]);
      for (let arrival = 0; arrival < arrivals; arrival++) pool.arrive(later + 1);
      assert.ok((pool.arrivals.get(others.length) ?? 0) <= Math.ceil(arrivals / 2));
    }),
  );
});

test("the choice is always one of the candidates, and a stalled one only when all are", () => {
  const workers = fc.uniqueArray(
    fc.record({
      slot: fc.nat({ max: 20 }),
      load: fc.nat({ max: 50 }),
      readySinceMs: fc.nat({ max: 20_000 }),
      lastChosen: fc.nat({ max: 20 }),
      isStalled: fc.boolean(),
    }),
    { selector: ({ slot }) => slot, maxLength: 8 },
  );
  fc.assert(
    fc.property(workers, fc.option(fc.nat({ max: 20 }), { nil: undefined }), (candidates, lastChosenSlot) => {
      const slot = chooseWorker(candidates, lastChosenSlot, settings, 20_000);
      const chosen = candidates.find((candidate) => candidate.slot === slot);
      assert.equal(chosen === undefined, candidates.length === 0);
      if (chosen?.isStalled) assert.ok(candidates.every(({ isStalled }) => isStalled));
    }),
  );
});
