import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { findJsonFault } from "../../src/config/json-position.js";

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe("the place where a text stops being JSON", () => {
  const cases: [text: string, line: number, column: number][] = [
    ["", 1, 1],
    ["abc", 1, 1],
    ['{ "port": x }', 1, 11],
    ['{\n  "port": 3000,\n}', 3, 1],
    ['{\n  "port": 3000\n  "host": "::1"\n}', 3, 3],
    ['{\n  // the port\n  "port": 1\n}', 2, 3],
    ["{ 'port': 1 }", 1, 3],
    ['{ "port": 0800 }', 1, 12],
    ['{ "host": "a\nb" }', 1, 11],
    ['{ "a": [1, 2', 1, 13],
    ["{} {}", 1, 4],
  ];
  for (const [text, line, column] of cases) {
    test(`${JSON.stringify(text)} goes wrong at line ${line}, column ${column}`, () => {
      assert.deepEqual(findJsonFault(text), { line, column });
    });
  }

  test("no fault is found in valid JSON, however it is laid out", () => {
    fc.assert(
      fc.property(fc.json(), fc.integer({ min: 0, max: 4 }), (text, indent) => {
        assert.equal(findJsonFault(JSON.stringify(JSON.parse(text), undefined, indent)), undefined);
      }),
    );
  });

  test("a fault is found exactly where JSON.parse finds one, in valid JSON with a character changed", () => {
    const character = fc.constantFrom(...'{}[]",:\\ \n\t01-.eEntu/x\u0001'.split(""));
    fc.assert(
      fc.property(fc.json(), fc.nat(), character, (text, at, replacement) => {
        const offset = at % text.length;
        const changed = text.slice(0, offset) + replacement + text.slice(offset + 1);
        assert.equal(findJsonFault(changed) === undefined, isJson(changed));
      }),
      { numRuns: 1000 },
    );
  });
});
