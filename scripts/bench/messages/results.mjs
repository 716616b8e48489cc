// Makes figures out of windows: medians, ratios of neighbouring windows, the tax of a fleet, and the gates; pure.
import { ROLES } from "../shared/roles.mjs";
import { median, summarize, summarizePairRatios } from "../shared/statistics.mjs";

const REFERENCE = "stock";
const YARDSTICK = "in-memory";

/** How many times stock's capacity the routed fabric must reach. */
const RATIO_GATES = { room: 2.5, dm: 4, all: 1.05, "room-7k": 3.6 };

/** `measured`: one scenario's windows, latencies, resident bytes and final counters by side. */
export function summarizeWorkload({ workload, sides, windows, latencies, rssBytesBySide, countersBySide }) {
  const own = (side) => windows.filter((window) => window.side === side);
  const perCore = (side) => own(side).map(({ perSecondAndCore }) => perSecondAndCore);
  const summaries = sides.map((side) => ({
    side,
    perSecond: summarize(own(side).map(({ perSecond }) => perSecond)),
    perSecondAndCore: summarize(perCore(side)),
    timesStock: compareWith(REFERENCE, side, (a, b) => summarizePairRatios(a, b)),
    fleetTax: compareWith(YARDSTICK, side, (a, b) => summarizePairRatios(b, a)),
    usPerMessage: Object.fromEntries(
      [...ROLES, "total"].map((role) => [role, median(own(side).map(({ usPerMessage }) => usPerMessage[role]))]),
    ),
    rssBytes: rssBytesBySide[side],
    leastSaturation: Math.min(...own(side).map(({ saturation }) => saturation)),
    mostLoadBusy: Math.max(...own(side).map(({ loadBusy }) => loadBusy)),
    counters: countersBySide[side],
    latencies: summarizeLatencies(latencies.filter((latency) => latency.side === side)),
  }));
  return { workload, sides: summaries };

  function compareWith(other, side, compare) {
    return side === other || !sides.includes(other) ? undefined : compare(perCore(side), perCore(other));
  }
}

/** One entry per rate: medians of its rounds. */
function summarizeLatencies(latencies) {
  return [...new Set(latencies.map(({ at }) => at))].map((at) => {
    const rounds = latencies.filter((latency) => latency.at === at);
    return {
      at,
      ratePerSecond: rounds[0].ratePerSecond,
      achievedPerSecond: median(rounds.map(({ achievedPerSecond }) => achievedPerSecond)),
      saturation: median(rounds.map(({ saturation }) => saturation)),
      p50Ms: summarize(rounds.map(({ p50Ms }) => p50Ms)),
      p99Ms: summarize(rounds.map(({ p99Ms }) => p99Ms)),
    };
  });
}

/** The rates at which latencies are taken: half of what stock can do, and half of what a side can do itself. */
export function planLatencies(windows, sides) {
  const halfOf = (side) =>
    median(windows.filter((window) => window.side === side).map(({ perSecond }) => perSecond)) / 2;
  const plan = [];
  if (sides.includes(REFERENCE)) {
    plan.push(...sides.map((side) => ({ side, at: "half of stock", ratePerSecond: halfOf(REFERENCE) })));
  }
  const others = sides.filter((side) => side !== REFERENCE);
  plan.push(...others.map((side) => ({ side, at: "half of its own", ratePerSecond: halfOf(side) })));
  return plan;
}

/** So many latency measurements a round has; known before anything is measured. */
export function countLatencies(sides) {
  return planLatencies([], sides).length;
}

/** What must hold of the routed fabric, scenario by scenario; a gate whose sides were not measured is left out. */
export function judgeGates(summaries) {
  return summaries.flatMap(({ workload, sides }) => {
    const routed = sides.find(({ side }) => side === "routed");
    const stock = sides.find(({ side }) => side === REFERENCE);
    if (routed === undefined) {
      return [];
    }
    const { lost, double, unexpected } = routed.counters;
    const gates = [
      {
        workload,
        what: "deliveries lost, double or unexpected",
        limit: 0,
        value: lost + double + unexpected,
        isMax: true,
      },
    ];
    if (stock !== undefined && RATIO_GATES[workload] !== undefined) {
      gates.push({
        workload,
        what: "times stock's capacity",
        limit: RATIO_GATES[workload],
        value: routed.timesStock.median,
        isMax: false,
      });
      const p99Ms = ({ latencies }) => latencies.find(({ at }) => at === "half of stock")?.p99Ms.median;
      if (p99Ms(routed) !== undefined) {
        gates.push({
          workload,
          what: "ms p99 at half of stock's capacity, stock's as limit",
          limit: p99Ms(stock),
          value: p99Ms(routed),
          isMax: true,
        });
      }
    }
    return gates.map((gate) => ({
      ...gate,
      isPassed: gate.isMax ? gate.value <= gate.limit : gate.value >= gate.limit,
    }));
  });
}
