import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRouterEnvironment, withoutInspector } from "../../src/primary/router-environment.js";

describe("what a router gets of NODE_OPTIONS", () => {
  const cases: [string, string | undefined][] = [
    ["", undefined],
    ["--inspect", undefined],
    ["--inspect=127.0.0.1:9230 --require ./instrument.cjs --max-old-space-size=100", undefined],
    ["--require /app/.pnp.cjs --inspect", "--require /app/.pnp.cjs"],
    [
      '--inspect --require "/my app/.pnp.cjs" --experimental-loader file:///my%20app/.pnp.loader.mjs --import tsx',
      '--require "/my app/.pnp.cjs" --experimental-loader file:///my%20app/.pnp.loader.mjs',
    ],
  ];
  for (const [given, expected] of cases) {
    test(`of ${JSON.stringify(given)}: ${expected ?? "nothing"}`, () => {
      assert.deepEqual(createRouterEnvironment({ PATH: "/bin", NODE_OPTIONS: given }), {
        PATH: "/bin",
        ...(expected !== undefined && { NODE_OPTIONS: expected }),
      });
    });
  }

  test("the rest of the environment is as it was", () => {
    assert.deepEqual(createRouterEnvironment({ PATH: "/bin", NODE_ENV: "production" }), {
      PATH: "/bin",
      NODE_ENV: "production",
    });
  });
});

describe("what the router of `signalbox start` gets of NODE_OPTIONS", () => {
  const cases: [string, string | undefined][] = [
    ["", undefined],
    ["--inspect", undefined],
    ["--inspect=127.0.0.1:9230 --require ./instrument.cjs --inspect-brk", "--require ./instrument.cjs"],
    ["--max-old-space-size=100 --inspect-port=0", "--max-old-space-size=100"],
    ["--import ./inspect.mjs", "--import ./inspect.mjs"],
    ["--import ./app--inspect", "--import ./app--inspect"],
  ];
  for (const [given, expected] of cases) {
    test(`of ${JSON.stringify(given)}: ${expected ?? "nothing"}`, () => {
      assert.deepEqual(withoutInspector({ PATH: "/bin", NODE_OPTIONS: given }), {
        PATH: "/bin",
        ...(expected !== undefined && { NODE_OPTIONS: expected }),
      });
    });
  }

  test("nothing is added when there is none", () => {
    assert.deepEqual(withoutInspector({ PATH: "/bin" }), { PATH: "/bin" });
  });
});
