import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readQueryParameter } from "../../src/protocol/request-target.js";

describe("the last value of a query parameter is read", () => {
  const cases: [string, string, string | undefined][] = [
    ["first of several parameters", "/socket.io/?sid=abc&EIO=4", "abc"],
    ["in the middle", "/socket.io/?EIO=4&sid=abc&t=1", "abc"],
    ["last", "/socket.io/?EIO=4&sid=abc", "abc"],
    ["given twice", "/?sid=one&sid=two", "two"],
    ["given twice, the last empty", "/?sid=one&sid=", ""],
    ["empty", "/?sid=&EIO=4", ""],
    ["empty and last", "/?sid=", ""],
    ["with an equals sign inside", "/?sid=a=b&x", "a=b"],
    ["still percent-encoded", "/?sid=a%20b", "a%20b"],
    ["after empty parts", "/?&&sid=abc", "abc"],
    ["in an absolute target", "http://example.org/socket.io/?sid=abc", "abc"],
    ["without a value", "/?sid&EIO=4", undefined],
    ["as the end of another name", "/?xsid=abc", undefined],
    ["as the beginning of another name", "/?sidx=abc", undefined],
    ["in the value of another", "/?next=sid=abc", undefined],
    ["after a question mark in a value", "/?next=/?sid=abc", undefined],
    ["in the path", "/sid=abc", undefined],
    ["in the path before the query", "/sid=abc?EIO=4", undefined],
    ["in the path after an ampersand", "/a&sid=abc", undefined],
    ["in other letters", "/?SID=abc", undefined],
    ["without any query", "/socket.io/", undefined],
    ["in an empty query", "/?", undefined],
    ["in an empty target", "", undefined],
  ];
  for (const [what, target, expected] of cases) {
    test(`${what}: ${target}`, () => assert.equal(readQueryParameter(target, "sid"), expected));
  }
});

test("a parameter is read wherever it stands among others", () => {
  const word = fc.string({ unit: fc.constantFrom(..."abcdefEIO0123456789-_.%"), maxLength: 8 });
  const others = fc.array(
    fc.tuple(word, word).map(([name, value]) => `${name}=${value}`),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(others, word, others, (before, value, after) => {
      const target = `/socket.io/?${[...before, `sid=${value}`, ...after].join("&")}`;
      assert.equal(readQueryParameter(target, "sid"), value);
    }),
  );
});
