import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  findChangedVariables,
  parseVariables,
  replaceVariables,
  type Variables,
} from "../../src/config/reload-variables.js";

const variables = fc.dictionary(fc.constantFrom("A", "B", "C", "MAINPID", "JOURNAL_STREAM"), fc.string());

test("what systemd makes for each process stays, and all else is as it is brought", () => {
  const own = { JOURNAL_STREAM: "1:2", KEPT: "a", CHANGED: "a", TAKEN: "a" };
  const given = { JOURNAL_STREAM: "3:4", NOTIFY_SOCKET: "/run/x", MAINPID: "7", KEPT: "a", CHANGED: "", NEW: "b" };
  const replaced = replaceVariables(own, given);
  assert.deepEqual(replaced, { JOURNAL_STREAM: "1:2", KEPT: "a", CHANGED: "", NEW: "b" });
  assert.deepEqual(findChangedVariables(own, replaced), { CHANGED: "", TAKEN: undefined, NEW: "b" });
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
