/** Who is there, who is not, and who must not be: what a host makes of what the others say on the bus. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BusMessage, Hello } from "../../../src/protocol/bus-messages.js";
import { type HostChange, HostList, maxHosts } from "../../../src/router/host-bus/host-list.js";

const settings = {
  hostKey: "own-",
  instance: "m-own",
  heartbeatMs: 1_000,
  unreachableAfterMs: 3_000,
  goneAfterMs: 60_000,
  joinMs: 1_000,
  isServing: false,
};

function hello(hostKey = "far-", change: Partial<Hello> = {}): Hello {
  return {
    type: "hello",
    hostKey,
    instance: `run-of-${hostKey}`,
    incarnation: "router-1",
    version: 1,
    name: `machine of ${hostKey}`,
    isServing: true,
    asksHello: false,
    head: 0,
    ...change,
  };
}

const heartbeat = (hostKey = "far-", incarnation = "router-1", instance = `run-of-${hostKey}`): BusMessage => {
  return { type: "heartbeat", hostKey, instance, incarnation, head: 0, asksTaken: false };
};
const bye = (hostKey = "far-", incarnation = "router-1", instance = `run-of-${hostKey}`): BusMessage => {
  return { type: "bye", hostKey, instance, incarnation };
};

/** What changed, in short. */
function brief(changes: readonly HostChange[]): string[] {
  return changes.map((change) => {
    switch (change.type) {
      case "say-hello":
        return change.asksHello ? "ask" : "answer";
      case "clash":
        return change.mustStop ? "clash, stop" : "clash";
      case "joined":
      case "too-many":
        return change.type;
      case "incompatible":
        return `incompatible ${change.hostKey} ${change.version}`;
      case "back":
        return `back ${change.host.hostKey}${change.wasGone ? " from gone" : ""}`;
      default:
        return `${change.type} ${change.host.hostKey}`;
    }
  });
}

/** A list whose time the test moves, a heartbeat at a time. */
class Watch {
  readonly list = new HostList(settings);
  nowMs = 10_000;

  constructor() {
    assert.deepEqual(brief(this.list.busUp(this.nowMs)), ["ask"]);
    this.list.tick(this.nowMs);
  }

  hear(message: BusMessage): string[] {
    return brief(this.list.heard(message, this.nowMs));
  }

  /** Everything that changed in these heartbeats; these hosts go on saying that they live. */
  pass(heartbeats: number, ...living: string[]): string[] {
    const changes: string[] = [];
    for (let count = 0; count < heartbeats; count++) {
      this.nowMs += settings.heartbeatMs;
      for (const hostKey of living) changes.push(...this.hear(heartbeat(hostKey)));
      changes.push(...brief(this.list.tick(this.nowMs)));
    }
    return changes;
  }
}

describe("another host", () => {
  test("is there when it says hello, and is answered when it asks", () => {
    const watch = new Watch();
    assert.deepEqual(watch.hear(hello("far-", { asksHello: true })), ["answer", "up far-"]);
    assert.deepEqual(watch.hear(hello("far-")), []);
    assert.deepEqual(
      [...watch.list.hosts].map(({ hostKey }) => hostKey),
      ["far-"],
    );
  });

  test("is asked for its hello when only its heartbeat is heard", () => {
    const watch = new Watch();
    assert.deepEqual(watch.hear(heartbeat()), ["ask"]);
    assert.equal(watch.list.find("far-"), undefined);
  });

  test("is unreachable after three seconds of silence, gone after a minute, and may come back from both", () => {
    const watch = new Watch();
    watch.hear(hello());
    assert.deepEqual(watch.pass(2), ["joined", "answer"]);
    assert.deepEqual(watch.pass(1), ["unreachable far-"]);
    assert.deepEqual(watch.hear(heartbeat()), ["back far-"]);
    assert.deepEqual(watch.pass(59), ["unreachable far-"]);
    assert.deepEqual(watch.pass(1), ["gone far-"]);
    assert.deepEqual(watch.pass(100), []);
    assert.deepEqual(watch.hear(heartbeat()), ["back far- from gone"]);
  });

  test("that lives is never judged", () => {
    const watch = new Watch();
    watch.hear(hello());
    assert.deepEqual(watch.pass(200, "far-"), ["joined", "answer"]);
  });

  test("whose routers come in turn is not taken back by what an earlier one said", () => {
    const watch = new Watch();
    watch.hear(hello("far-", { incarnation: "2.b" }));
    assert.deepEqual(watch.hear(heartbeat("far-", "1.a")), []);
    assert.equal(watch.list.find("far-")?.incarnation, "2.b");
    assert.deepEqual(watch.hear(heartbeat("far-", "3.c")), ["restarted far-"]);
  });

  test("cannot have the router of a third", () => {
    const watch = new Watch();
    watch.hear(hello("far-", { incarnation: "0.a" }));
    assert.deepEqual(watch.hear(hello("else", { incarnation: "0.a" })), []);
    assert.equal(watch.list.find("else"), undefined);
    watch.hear(hello("else", { incarnation: "0.b" }));
    assert.deepEqual(watch.hear(heartbeat("else", "0.a")), []);
    assert.equal(watch.list.find("else")?.incarnation, "0.b");
  });

  test("whose router is another process has restarted; a late word of the former run changes nothing more", () => {
    const watch = new Watch();
    watch.hear(hello());
    assert.deepEqual(watch.hear(heartbeat("far-", "router-2")), ["restarted far-"]);
    assert.deepEqual(watch.hear(bye("far-", "router-1")), []);
    assert.deepEqual(watch.hear(bye("far-", "router-2", "another run")), []);
    assert.equal(watch.list.find("far-")?.state, "reachable");
  });

  test("that was started anew takes the place of its former run", () => {
    const watch = new Watch();
    watch.hear(hello());
    assert.deepEqual(watch.hear(heartbeat("far-", "router-1", "second run")), ["ask"]);
    assert.deepEqual(watch.hear(hello("far-", { instance: "second run" })), ["left far-", "up far-"]);
  });

  test("that says bye is forgotten at once", () => {
    const watch = new Watch();
    watch.hear(hello());
    assert.deepEqual(watch.hear(bye()), ["left far-"]);
    assert.deepEqual(watch.hear(bye()), []);
    assert.deepEqual([...watch.list.hosts], []);
  });

  test("of a version that is not spoken here is not taken, and named", () => {
    const watch = new Watch();
    assert.deepEqual(watch.hear(hello("far-", { version: 77 })), ["incompatible far- 77"]);
    assert.equal(watch.list.find("far-"), undefined);
  });
});

describe("no verdict", () => {
  test("while the own bus is down, and silence counts from its return", () => {
    const watch = new Watch();
    watch.hear(hello());
    watch.pass(1);
    watch.list.busDown();
    assert.deepEqual(watch.pass(300), []);
    watch.list.busUp(watch.nowMs);
    assert.deepEqual(watch.pass(3), []);
    assert.deepEqual(watch.pass(1), ["unreachable far-"]);
  });

  test("after this process has stood still: the silence was its own", () => {
    const watch = new Watch();
    watch.hear(hello());
    watch.pass(2);
    watch.nowMs += 90_000;
    assert.deepEqual(brief(watch.list.tick(watch.nowMs)), []);
    assert.deepEqual(watch.pass(1), ["unreachable far-"], "the second that was silence before counts");
  });
});

describe("a host with the same key", () => {
  test("stops a newcomer when it serves", () => {
    const watch = new Watch();
    assert.deepEqual(watch.hear(hello("own-", { instance: "z" })), ["clash, stop"]);
  });

  test("never stops a host that serves, which answers a newcomer so that it knows", () => {
    const watch = new Watch();
    assert.deepEqual(watch.pass(1), ["joined", "answer"]);
    assert.deepEqual(watch.hear(hello("own-", { instance: "a", isServing: false })), ["clash", "answer"]);
    assert.deepEqual(
      watch.hear(hello("own-", { instance: "a", isServing: true })),
      ["clash"],
      "or there would be no end",
    );
  });

  test("of two that begin at once, exactly one gives way", () => {
    const first = new HostList({ ...settings, instance: "a" });
    const second = new HostList({ ...settings, instance: "b" });
    const both = [first, second].map((list, index) => {
      list.busUp(0);
      const other = hello("own-", { instance: index === 0 ? "b" : "a", isServing: false });
      return brief(list.heard(other, 10))[0];
    });
    assert.deepEqual(both, ["clash", "clash, stop"]);
  });

  test("is this host itself, with a new router, when the run is the same: no clash", () => {
    const watch = new Watch();
    assert.deepEqual(watch.hear(hello("own-", { instance: settings.instance, incarnation: "router-2" })), []);
    assert.deepEqual(watch.hear(heartbeat("own-", "router-2", settings.instance)), []);
  });
});

test("a flood of invented hosts is bounded, and who is gone makes room", () => {
  const watch = new Watch();
  for (let number = 0; number < maxHosts; number++) {
    const hostKey = number.toString(36).padStart(4, "0");
    watch.hear(hello(hostKey, { incarnation: `0.${hostKey}` }));
  }
  assert.deepEqual(watch.hear(hello("more")), ["too-many"]);
  watch.pass(61);
  assert.deepEqual(watch.hear(hello("more")), ["left 0000", "up more"]);
  assert.equal([...watch.list.hosts].length, maxHosts);
});
