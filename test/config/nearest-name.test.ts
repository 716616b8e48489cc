import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chooseNearestName } from "../../src/config/nearest-name.js";

const names = ["start", "status", "check", "--port", "--admin-port", "--drain-timeout-ms", "SIGNALBOX_WORKERS"];

describe("the known name nearest to a mistyped one", () => {
  const cases: [mistyped: string, nearest: string | undefined][] = [
    ["statu", "status"],
    ["strat", "start"],
    ["chekc", "check"],
    ["--prot", "--port"],
    ["--drainTimeoutMs", "--drain-timeout-ms"],
    ["--drain-timeout", "--drain-timeout-ms"],
    ["SIGNALBOX_WORKER", "SIGNALBOX_WORKERS"],
    ["--colour", undefined],
    ["-x", undefined],
    ["", undefined],
  ];
  for (const [mistyped, nearest] of cases) {
    test(`${JSON.stringify(mistyped)} suggests ${nearest ?? "nothing"}`, () => {
      assert.equal(chooseNearestName(mistyped, names), nearest);
    });
  }
});
