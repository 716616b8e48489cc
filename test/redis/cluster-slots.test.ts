/** Who owns a slot, by what a node of a cluster answers. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findSlotOwner, listNodes } from "../../src/redis/cluster-slots.js";

const asked = { host: "asked", port: 7000 };
const answer = [
  [0, 5_000, ["10.0.0.1", 7001, "id", []], ["10.0.0.4", 7004, "id", []]],
  [5_001, 16_383, ["", 7002, "id", []]],
];

describe("the slots of a cluster", () => {
  test("a slot's owner is the master of its range; a node without a name is the one asked", () => {
    assert.deepEqual(findSlotOwner(answer, 5_000, asked), { host: "10.0.0.1", port: 7001 });
    assert.deepEqual(findSlotOwner(answer, 5_001, asked), { host: "asked", port: 7002 });
    assert.equal(findSlotOwner(answer.slice(0, 1), 6_000, asked), undefined);
  });

  test("every node is listed, replicas as well", () => {
    assert.deepEqual(
      listNodes(answer, asked).map(({ port }) => port),
      [7001, 7004, 7002],
    );
  });

  for (const nonsense of [
    undefined,
    "OK",
    [],
    [1],
    [[0, "x", ["a", 1]]],
    [[0, 9]],
    [[0, 9, ["a", "b"]]],
    [[0, 9, null]],
  ]) {
    test(`${JSON.stringify(nonsense) ?? "nothing"} names no owner`, () => {
      assert.equal(findSlotOwner(nonsense, 5, asked), undefined);
    });
  }
});
