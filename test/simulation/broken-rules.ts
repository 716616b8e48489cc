/**
 * Rules of the fabric, each broken on purpose: the simulation has to notice. They are broken where the rule is kept, for as
 * long as a run lasts.
 */

import { RouterCore } from "../../src/router/core.js";
import { Forwarding } from "../../src/router/forwarding.js";
import { Port } from "../../src/router/port.js";
import { InterestLog } from "../../src/routing/interest-log.js";
import { Outbox } from "../../src/routing/outbox.js";
import { RequestLedger } from "../../src/routing/request-ledger.js";
import { HostSession } from "../../src/worker/fabric/host-session.js";
import { brokenFleetRules } from "./broken-fleet-rules.js";
import { ModelAdapter } from "./model-adapter.js";
import { brokenRegionRules } from "./regions/broken-region-rules.js";
import { type BrokenRule, replace, replaceGetter } from "./replace.js";

export const brokenRules: readonly BrokenRule[] = [
  {
    name: "first-snapshot-is-truth",
    what: "a worker whose announcements are not complete gets only what it has announced",
    breakIt: () =>
      replaceGetter(Port.prototype, "wantsAll", function () {
        return this.isFlooded;
      }),
  },
  {
    name: "nobody-expected",
    what: "a new router keeps nothing for workers that have not come back",
    breakIt: () => replace(RouterCore.prototype, "expect", () => () => {}),
  },
  {
    name: "leaves-unchecked",
    what: "a room is left when one member leaves, whoever else is in it",
    breakIt: () => replace(ModelAdapter.prototype, "isRoomWanted", () => () => false),
  },
  {
    name: "joins-not-expected",
    what: "a socketsJoin makes nobody interested before the workers say so",
    breakIt: () => replace(Forwarding.prototype, "expectJoins", () => () => {}),
  },
  {
    name: "joins-settled-at-once",
    what: "what workers say of one socketsJoin settles all of them",
    breakIt: () =>
      replace(
        Forwarding.prototype,
        "settleJoins",
        (former) =>
          function (this: Forwarding, port) {
            former.call(this, port, Number.POSITIVE_INFINITY);
          },
      ),
  },
  {
    name: "joins-never-settled",
    what: "what a socketsJoin made interesting stays so for ever",
    breakIt: () => replace(Forwarding.prototype, "settleJoins", () => () => {}),
  },
  {
    name: "joins-come-back-at-once",
    what: "await socket.join() does not wait for the router",
    breakIt: () =>
      replace(InterestLog.prototype, "wait", () => (_deadlineMs, resolve) => {
        resolve();
      }),
  },
  {
    name: "volatile-kept",
    what: "a volatile message waits for the router like any other",
    breakIt: () =>
      replace(
        HostSession.prototype,
        "reserve",
        (former) =>
          function (this: HostSession, frameBytes) {
            return former.call(this, frameBytes, false);
          },
      ),
  },
  {
    name: "back-to-origin",
    what: "a frame goes back to the worker that it came from, too",
    breakIt: () =>
      replace(
        Forwarding.prototype,
        "findTargets",
        (former) =>
          function (this: Forwarding, view, from) {
            return typeof from === "string" ? former.call(this, view, from) : [...former.call(this, view, from), from];
          },
      ),
  },
  {
    name: "to-one-too-few",
    what: "a frame misses the last of its receivers, now and then",
    breakIt: () =>
      replace(
        Forwarding.prototype,
        "findTargets",
        (former) =>
          function (this: Forwarding, view, from) {
            const targets = former.call(this, view, from);
            return (view.end - view.start) % 16 === 0 ? targets.slice(0, -1) : targets;
          },
      ),
  },
  {
    name: "loss-counted-wrong",
    what: "a worker is told of one lost frame too few",
    breakIt: () =>
      replace(
        Outbox.prototype,
        "tellLoss",
        (former) =>
          function (this: Outbox) {
            return Math.max(0, former.call(this) - 1);
          },
      ),
  },
  {
    name: "the-dead-are-waited-for",
    what: "requests wait for members of a worker that has ended, or does not answer",
    breakIt: () => replace(RequestLedger.prototype, "forgetPlace", () => () => {}),
  },
  {
    name: "requests-without-end",
    what: "a request whose time is up waits on",
    breakIt: () => replace(RequestLedger.prototype, "expire", () => () => {}),
  },
  {
    name: "requests-outlive-the-router",
    what: "requests wait on when their router is gone",
    breakIt: () => replace(RequestLedger.prototype, "loseRouter", () => () => {}),
  },
];

export function findBrokenRule(name: string): BrokenRule {
  const rules = [...brokenRules, ...brokenFleetRules, ...brokenRegionRules];
  const rule = rules.find((each) => each.name === name);
  if (rule !== undefined) return rule;
  throw new Error(`no rule is called "${name}"; there are: ${rules.map((each) => each.name).join(", ")}`);
}
