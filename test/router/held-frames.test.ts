import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HeldFrames } from "../../src/router/held-frames.js";

const nothing = Buffer.alloc(0);

test("what was read in a turn is taken when the next one has ended", () => {
  const taken: string[] = [];
  const held = new HeldFrames<string>((source) => taken.push(source));
  assert.ok(held.isEmpty);
  held.add("a", nothing, 0, 0);
  held.endTurn();
  assert.deepEqual([taken, held.isEmpty], [[], false]);
  held.add("b", nothing, 0, 0);
  held.endTurn();
  assert.deepEqual([taken, held.isEmpty], [["a"], false]);
  held.endTurn();
  assert.deepEqual([taken, held.isEmpty], [["a", "b"], true]);
});

test("frames are taken once, in the order in which they were read, also when all are taken from within", () => {
  const step = fc.constantFrom("add", "add and take all within", "end", "take all");
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const taken: number[] = [];
      const held = new HeldFrames<{ number: number; takesAll: boolean }>((source) => {
        taken.push(source.number);
        if (source.takesAll) held.takeAll();
      });
      let number = 0;
      for (const what of steps) {
        if (what === "end") held.endTurn();
        else if (what === "take all") held.takeAll();
        else held.add({ number: number++, takesAll: what !== "add" }, nothing, 0, 0);
      }
      held.endTurn();
      held.endTurn();
      assert.deepEqual(
        taken,
        Array.from({ length: number }, (_, index) => index),
      );
      assert.ok(held.isEmpty);
    }),
  );
});
