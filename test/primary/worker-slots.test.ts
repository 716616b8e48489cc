import assert from "node:assert/strict";
import { test } from "node:test";
import { type Slot, WorkerSlots } from "../../src/primary/worker-slots.js";

test("the lowest free number is taken, and the slots stay in order", () => {
  const slots = new WorkerSlots();
  const added = Array.from({ length: 4 }, () => slots.add());
  assert.deepEqual(
    added.map(({ number }) => number),
    [0, 1, 2, 3],
  );
  for (const number of [2, 0]) slots.remove(slots.find(number) as Slot);
  assert.equal(slots.find(2), undefined);
  assert.equal(slots.has(added[2] as Slot), false);
  assert.equal(slots.add().number, 0);
  assert.equal(slots.add().number, 2);
  assert.equal(slots.add().number, 4);
  assert.deepEqual(
    slots.all.map(({ number }) => number),
    [0, 1, 2, 3, 4],
  );
  assert.equal(slots.has(added[2] as Slot), false, "another slot has its number");
  assert.deepEqual(slots.records, []);
});
