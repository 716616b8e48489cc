import assert from "node:assert/strict";
import { test } from "node:test";
import { RepeatFilter } from "../../src/router/repeat-filter.js";

test("a kind passes once in ten seconds, and then says how many were held back", () => {
  const filter = new RepeatFilter();
  assert.equal(filter.admit("a", 0), 0);
  assert.equal(filter.admit("a", 1), undefined);
  assert.equal(filter.admit("b", 2), 0, "another kind is another matter");
  assert.equal(filter.admit("a", 9_999), undefined);
  assert.equal(filter.admit("a", 10_000), 2);
  assert.equal(filter.admit("a", 20_000), 0);
});

test("kinds without end do not fill the memory: the oldest is forgotten", () => {
  const filter = new RepeatFilter();
  assert.equal(filter.admit("first", 0), 0);
  for (let index = 0; index < 199; index++) filter.admit(`kind ${index}`, 1);
  assert.equal(filter.admit("first", 2), undefined, "200 are remembered");
  filter.admit("one more", 3);
  assert.equal(filter.admit("first", 4), 0);
});
