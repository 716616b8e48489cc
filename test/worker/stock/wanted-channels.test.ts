import assert from "node:assert/strict";
import { test } from "node:test";
import { WantedChannels } from "../../../src/worker/stock/wanted-channels.js";

test("what is wanted is asked for once on each connection", () => {
  const wanted = new WantedChannels();
  wanted.add("subscribe", ["a", "b"]);
  wanted.add("psubscribe", ["p*"]);
  const all = [
    { kind: "subscribe", channels: ["a", "b"] },
    { kind: "psubscribe", channels: ["p*"] },
  ];
  assert.deepEqual(wanted.takeMissing(), all);
  wanted.add("subscribe", ["a"]);
  assert.deepEqual(wanted.takeMissing(), []);
  wanted.forgetConnection();
  assert.deepEqual(wanted.takeMissing(), all);
});

test("what is not wanted any more is not asked for, wherever it was removed", () => {
  const wanted = new WantedChannels();
  wanted.add("ssubscribe", ["a", "b", "c"]);
  wanted.remove("ssubscribe", ["b"]);
  assert.deepEqual(wanted.takeMissing(), [
    { kind: "ssubscribe", channels: ["a"] },
    { kind: "ssubscribe", channels: ["c"] },
  ]);
  wanted.remove("ssubscribe", ["a"]);
  wanted.forgetConnection();
  assert.deepEqual(wanted.takeMissing(), [{ kind: "ssubscribe", channels: ["c"] }]);
});

test("what was refused is missing again, unless it is not wanted any more", () => {
  const wanted = new WantedChannels();
  wanted.add("subscribe", ["a", "b"]);
  const [batch] = wanted.takeMissing();
  assert.ok(batch !== undefined);
  wanted.remove("subscribe", ["b"]);
  wanted.forgetAsked(batch);
  assert.deepEqual(wanted.takeMissing(), [{ kind: "subscribe", channels: ["a"] }]);
});

test("many channels are asked for in commands of a bounded length", () => {
  const wanted = new WantedChannels();
  wanted.add(
    "subscribe",
    Array.from({ length: 1_001 }, (_, index) => `c${index}`),
  );
  assert.deepEqual(
    wanted.takeMissing().map(({ channels }) => channels.length),
    [500, 500, 1],
  );
});
