import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { IdleOrder } from "../../src/worker/idle-order.js";

test("who was heard of longest ago comes first, and who has closed does not come at all", () => {
  const sessions = Array.from({ length: 5 }, () => new EventEmitter());
  const [first, second, third, fourth, fifth] = sessions as [
    EventEmitter,
    EventEmitter,
    EventEmitter,
    EventEmitter,
    EventEmitter,
  ];
  const order = new IdleOrder(sessions);
  first.emit("data");
  third.emit("data");
  first.emit("data");
  second.emit("close");
  second.emit("data");
  assert.equal(order.size, 4);
  assert.deepEqual(
    [fourth, fifth, third, first].map((expected) => order.takeIdlest() === expected),
    [true, true, true, true],
  );
  fourth.emit("data");
  assert.equal(order.size, 0);
  assert.equal(order.takeIdlest(), undefined);
});
