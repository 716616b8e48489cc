import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { findVersion, hasFeature, isOlder, type NginxVersion, parseVersion } from "../../src/nginx/nginx-version.js";

const versions = fc.tuple(fc.nat(40), fc.nat(40), fc.nat(40));

describe("the version of nginx", () => {
  const outputs: [string, NginxVersion | undefined][] = [
    ["nginx version: nginx/1.22.1\n", [1, 22, 1]],
    ["nginx version: nginx/1.18.0 (Ubuntu)\n", [1, 18, 0]],
    ["nginx version: openresty/1.27.1.2\n", [1, 27, 1]],
    ["nginx: [alert] could not open error log file\nnginx version: nginx/1.31.3\n", [1, 31, 3]],
    ["nginx version: nginx\n", undefined],
    ["", undefined],
  ];
  for (const [output, expected] of outputs) {
    test(`is ${expected?.join(".")} after ${JSON.stringify(output)}`, () =>
      assert.deepEqual(findVersion(output), expected));
  }

  test("is three numbers and nothing else", () => {
    for (const text of ["1.22", "1.22.1.1", "1.22.x", " 1.22.1", "1.22.1\n", "-1.2.3", "99999.1.1"])
      assert.equal(parseVersion(text), undefined);
  });

  test("is ordered as its numbers are", () => {
    const weigh = ([major, minor, patch]: NginxVersion): number => (major * 100 + minor) * 100 + patch;
    fc.assert(
      fc.property(versions, versions, (one, other) => {
        assert.equal(isOlder(one, other), weigh(one) < weigh(other));
        assert.deepEqual(parseVersion(one.join(".")), one);
      }),
    );
  });

  test("knows http2 as a directive from 1.25.1 on", () => {
    const known = (["1.18.0", "1.25.0", "1.25.1", "1.26.0", "1.31.3", "2.0.0"] as const).filter((text) =>
      hasFeature(parseVersion(text) ?? [0, 0, 0], "http2Directive"),
    );
    assert.deepEqual(known, ["1.25.1", "1.26.0", "1.31.3", "2.0.0"]);
  });
});
