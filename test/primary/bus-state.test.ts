import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BusState, busAbsenceLimitMs } from "../../src/primary/bus-state.js";
import type { BusReport } from "../../src/protocol/router-messages.js";
import { emptyBusCounters } from "../../src/router/host-bus/bus-effects.js";

const report = (change: Partial<BusReport> = {}, lostFrames = 0): BusReport => ({
  isUp: true,
  hasJoined: true,
  downReason: null,
  hosts: [],
  counts: { ...emptyBusCounters(), lostFrames, missedFrames: 2 * lostFrames },
  ...change,
});
const down = report({ isUp: false, downReason: "redis://host: no answer" });

describe("a host that is to reach others", () => {
  test("takes no sessions before it has joined, and says why", () => {
    const bus = new BusState(0);
    assert.equal(bus.explainNotReady(0), "this host has not joined the other hosts yet");
    bus.note(report({ isUp: false, hasJoined: false, downReason: "refused" }), undefined, 10);
    assert.equal(bus.explainNotReady(10), "this host has not joined the other hosts yet (refused)");
    bus.note(report({ hasJoined: false }), undefined, 20);
    assert.match(bus.explainNotReady(20) ?? "", /not joined/);
    bus.note(report(), undefined, 30);
    assert.equal(bus.explainNotReady(30), undefined);
  });

  test("goes on through a blink of Redis, and takes none when it is away for longer", () => {
    const bus = new BusState(0);
    bus.note(report(), undefined, 0);
    bus.note(down, undefined, 1_000);
    assert.equal(bus.explainNotReady(1_000 + busAbsenceLimitMs - 1), undefined);
    assert.match(
      bus.explainNotReady(1_000 + busAbsenceLimitMs) ?? "",
      /^other hosts cannot be reached for 5 s \(redis:\/\/host: no answer\)/,
    );
    bus.note(report(), undefined, 9_000);
    assert.equal(bus.explainNotReady(9_000), undefined);
  });

  test("has not to join again after its router was started again", () => {
    const bus = new BusState(0);
    bus.note(report(), undefined, 0);
    bus.noteAbsence(1_000);
    bus.note(report({ hasJoined: false }), undefined, 1_200);
    assert.equal(bus.explainNotReady(1_200), undefined);
    assert.equal(bus.hasJoined, true);
  });

  test("counts on when one router takes the place of another", () => {
    const bus = new BusState(0);
    bus.note(report({}, 3), undefined, 0);
    bus.note(report({}, 5), report({}, 3), 0);
    bus.noteAbsence(10);
    assert.deepEqual(bus.describe(10).reason, "there is no router");
    bus.note(report({}, 1), undefined, 20);
    const { lostFrames, missedFrames, state, reason } = bus.describe(1_020);
    assert.deepEqual([lostFrames, missedFrames, state, reason], [6, 12, "up", null]);
    assert.equal(bus.describe(1_020).stateSeconds, 1);
  });
});
