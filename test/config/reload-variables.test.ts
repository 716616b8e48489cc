import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  findChangedVariables,
  parseVariables,
  replaceVariables,
  type Variables,
} from "../../src/config/reload-variables.js";

const variables = fc.dictionary(
  fc.constantFrom("A", "B", "C", "MAINPID", "JOURNAL_STREAM", "NODE_CHANNEL_FD"),
  fc.string(),
);

test("what systemd makes for each process stays, and all else is as it is brought", () => {
  const own = { JOURNAL_STREAM: "1:2", KEPT: "a", CHANGED: "a", TAKEN: "a" };
  const given = { JOURNAL_STREAM: "3:4", NOTIFY_SOCKET: "/run/x", MAINPID: "7", KEPT: "a", CHANGED: "", NEW: "b" };
  const replaced = replaceVariables(own, given);
  assert.deepEqual(replaced, { JOURNAL_STREAM: "1:2", KEPT: "a", CHANGED: "", NEW: "b" });
  assert.deepEqual(findChangedVariables(own, replaced), { CHANGED: "", TAKEN: undefined, NEW: "b" });
});

test("the channel to a parent that the command has is not the host's", () => {
  const channel = { NODE_CHANNEL_FD: "3", NODE_CHANNEL_SERIALIZATION_MODE: "json", NODE_UNIQUE_ID: "1" };
  assert.deepEqual(replaceVariables({ A: "a" }, { ...channel, A: "b" }), { A: "b" });
});

test("a child that gets what has changed has the others", () => {
  fc.assert(
    fc.property(variables, variables, (own, others) => {
      const child: Variables = { ...own, ...findChangedVariables(own, others) };
      const set = Object.entries(child).filter(([, value]) => value !== undefined);
      assert.deepEqual(Object.fromEntries(set), { ...others });
    }),
  );
});

test("variables are read as they were sent, and anything else is none", () => {
  fc.assert(fc.property(variables, (sent) => assert.deepEqual(parseVariables(JSON.stringify(sent)), { ...sent })));
  for (const text of ["", "{", "null", "7", "[]", '["a"]', '{"A":1}', '{"A":null}']) {
    assert.equal(parseVariables(text), undefined, text);
  }
});
