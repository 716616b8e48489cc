// Makes figures out of the windows of the hosts scenario: medians, ratios to the better stock adapter, the tax of a fleet; pure.
import { ROLES } from "../shared/roles.mjs";
import { median, summarize, summarizePairRatios } from "../shared/statistics.mjs";

const STOCK_SIDES = ["classic", "sharded"];
const YARDSTICK = "in-memory";
const METERS = ["redisUs", "bytesIn", "bytesOut", "publishes"];

/** `load`: its name, hosts, workers and workload; `measured`: what `measureFleets` answers, a fleet per side. */
export function summarizeLoad(load, sides, { windows, countersByFleet, connectionsByFleet }) {
  const own = (side) => windows.filter((window) => window.side === side);
  const perCore = (side) => own(side).map(({ perSecondAndCore }) => perSecondAndCore);
  const better = sides
    .filter((side) => STOCK_SIDES.includes(side))
    .sort((a, b) => median(perCore(b)) - median(perCore(a)))[0];
  const summaries = sides.map((side) => ({
    side,
    perSecond: summarize(own(side).map(({ perSecond }) => perSecond)),
    perSecondAndCore: summarize(perCore(side)),
    timesBetter: compare(side, better, (a, b) => summarizePairRatios(a, b)),
    fleetTax: compare(side, YARDSTICK, (a, b) => summarizePairRatios(b, a)),
    usPerMessage: Object.fromEntries(
      [...ROLES, "total"].map((role) => [role, median(own(side).map(({ usPerMessage }) => usPerMessage[role]))]),
    ),
    meterPerMessage: side === YARDSTICK ? undefined : summarizeMeter(own(side)),
    connections: connectionsByFleet[side],
    leastSaturation: Math.min(...own(side).map(({ saturation }) => saturation)),
    mostLoadBusy: Math.max(...own(side).map(({ loadBusy }) => loadBusy)),
    counters: countersByFleet[side],
  }));
  return { ...load, better, sides: summaries };

  function compare(side, other, divide) {
    return side === other || !sides.includes(other) ? undefined : divide(perCore(side), perCore(other));
  }
}

function summarizeMeter(windows) {
  return Object.fromEntries(
    METERS.map((name) => [name, median(windows.map(({ meterPerMessage }) => meterPerMessage[name]))]),
  );
}
