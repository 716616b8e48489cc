import assert from "node:assert/strict";
import { test } from "node:test";
import { maxWorkerSlots } from "../../src/address/address.js";
import { SlotTable } from "../../src/primary/slot-table.js";

test("workers get the lowest free slot, and keep it when they ask again", () => {
  const slots = new SlotTable<string>();
  assert.deepEqual(
    ["a", "b", "c", "a", "b"].map((worker) => slots.take(worker)),
    [0, 1, 2, 0, 1],
  );
});

test("the slot of a worker that has ended is the next one's", () => {
  const slots = new SlotTable<string>();
  for (const worker of ["a", "b", "c"]) slots.take(worker);
  assert.equal(slots.release("b"), 1);
  assert.equal(slots.release("b"), undefined, "once");
  assert.equal(slots.release("stranger"), undefined);
  assert.equal(slots.find(1), undefined);
  assert.deepEqual([slots.take("d"), slots.take("e")], [1, 3]);
  assert.deepEqual([slots.find(0), slots.find(1), slots.find(9)], ["a", "d", undefined]);
});

test("there are as many slots as an address can name, and no more", () => {
  const slots = new SlotTable<number>();
  for (let worker = 0; worker < maxWorkerSlots; worker++) slots.take(worker);
  assert.equal(slots.take(-1), undefined);
  slots.release(4_000);
  assert.equal(slots.take(-1), 4_000);
});
