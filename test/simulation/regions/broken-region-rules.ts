/** Rules of the links between regions, each broken on purpose: the simulation of regions has to notice. */

import { LinkSession } from "../../../src/link/link-session.js";
import { JoinsUnderWay } from "../../../src/router/host-bus/joins-under-way.js";
import { AckGate } from "../../../src/router/region-link/ack-gate.js";
import { RegionTruth } from "../../../src/router/region-link/region-truth.js";
import { OriginFilter } from "../../../src/routing/origin-filter.js";
import { type BrokenRule, replace } from "../replace.js";

/** Of a session whose other end is a region, and no router. */
const regionNameLength = 2;

export const brokenRegionRules: readonly BrokenRule[] = [
  {
    name: "acked-before-passed-on",
    what: "a link is acknowledged before what came has been passed on",
    breakIt: () => replace(AckGate.prototype, "advance", () => () => Number.MAX_SAFE_INTEGER),
  },
  {
    name: "taken-again",
    what: "what comes again is taken again",
    breakIt: () => replace(OriginFilter.prototype, "isNew", () => () => true),
  },
  {
    name: "other-hosts-not-announced",
    what: "other hosts' rooms are not announced to other regions",
    breakIt: () => replace(RegionTruth.prototype, "listRooms", () => function* () {}),
  },
  {
    name: "joins-of-regions-not-awaited",
    what: "joins of other regions count as carried out at once",
    breakIt: () => replace(JoinsUnderWay.prototype, "note", () => () => {}),
  },
  {
    name: "kept-for-a-host-not-told",
    what: "hosts without Redis are not told what they may have missed of a link that has moved",
    breakIt: () => replace(AckGate.prototype, "takeKept", () => () => []),
  },
  {
    name: "given-up-with-the-link",
    what: "what was not acknowledged is given up with the link",
    breakIt: () =>
      replace(
        LinkSession.prototype,
        "noteCarrier",
        (former) =>
          function (this: LinkSession, isUp, nowMs) {
            if (!isUp && this.peerIncarnation.length === regionNameLength) this.giveUpAll();
            former.call(this, isUp, nowMs);
          },
      ),
  },
];
