import assert from "node:assert/strict";
import { test } from "node:test";
import { createIncarnation, isOlderIncarnation } from "../../src/protocol/incarnation.js";

test("routers of one run are in the order in which they were started", () => {
  const [first, second, eleventh] = [0, 1, 10].map((restarts) => createIncarnation(restarts, "Ab3_-")) as [
    string,
    string,
    string,
  ];
  assert.ok(isOlderIncarnation(first, second));
  assert.ok(isOlderIncarnation(second, eleventh));
  assert.ok(!isOlderIncarnation(eleventh, second));
  assert.ok(!isOlderIncarnation(second, second));
});

test("a name that does not say is not older", () => {
  for (const other of ["router", ".", "-1.x", "9999999999.x", ""]) {
    assert.ok(!isOlderIncarnation(other, createIncarnation(5, "x")), other);
    assert.ok(!isOlderIncarnation(createIncarnation(5, "x"), other), other);
  }
});
