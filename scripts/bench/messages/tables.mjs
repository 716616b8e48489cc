// The results as text tables; pure.

import { renderSpread, renderTable } from "../shared/report.mjs";
import { ROLES } from "../shared/roles.mjs";

const percent = (share) => `${(share * 100).toFixed(0)} %`;

/** Rows of all scenarios under one header; the scenario is named once. */
function renderRows(summaries, header, makeRows) {
  const rows = summaries.flatMap((summary) =>
    summary.sides.flatMap(makeRows).map((row, i) => [i === 0 ? summary.workload : "", ...row]),
  );
  return renderTable(["scenario", ...header], rows);
}

export function renderCapacities(summaries) {
  return renderRows(
    summaries,
    [
      "side",
      "per second",
      "per second and core",
      "x stock",
      "fleet tax",
      "server CPU, least",
      "load busy, most",
      "lost",
      "other",
    ],
    (side) => [
      [
        side.side,
        renderSpread(side.perSecond),
        renderSpread(side.perSecondAndCore),
        side.timesStock === undefined ? "" : renderSpread(side.timesStock, 2),
        side.fleetTax === undefined ? "" : renderSpread(side.fleetTax, 2),
        percent(side.leastSaturation),
        percent(side.mostLoadBusy),
        side.counters.lost,
        side.counters.double + side.counters.late + side.counters.unexpected,
      ],
    ],
  );
}

/** CPU per message and memory by role; a role that no side has is left out. */
export function renderCosts(summaries) {
  const roles = ROLES.filter((role) => summaries.some(({ sides }) => sides.some(({ rssBytes }) => rssBytes[role] > 0)));
  const cells = (side, values, digits) =>
    roles.map((role) => (side.rssBytes[role] > 0 ? values[role].toFixed(digits) : ""));
  return renderRows(
    summaries,
    ["side", "us CPU", ...roles.map((role) => `us ${role}`), ...roles.map((role) => `MB ${role}`)],
    (side) => {
      const megabytes = Object.fromEntries(roles.map((role) => [role, side.rssBytes[role] / 1e6]));
      return [
        [
          side.side,
          side.usPerMessage.total.toFixed(1),
          ...cells(side, side.usPerMessage, 1),
          ...cells(side, megabytes, 0),
        ],
      ];
    },
  );
}

export function renderLatencies(summaries) {
  return renderRows(summaries, ["side", "rate", "per second", "reached", "server CPU", "p50 ms", "p99 ms"], (side) =>
    side.latencies.map((latency) => [
      side.side,
      latency.at,
      latency.ratePerSecond.toFixed(0),
      latency.achievedPerSecond.toFixed(0),
      percent(latency.saturation),
      renderSpread(latency.p50Ms, 2),
      renderSpread(latency.p99Ms, 2),
    ]),
  );
}

export function renderGates(gates) {
  return renderTable(
    ["scenario", "gate", "limit", "measured", ""],
    gates.map(({ workload, what, limit, value, isMax, isPassed }) => [
      workload,
      what,
      `${isMax ? "<=" : ">="} ${Number(limit.toFixed(2))}`,
      Number(value.toFixed(2)),
      isPassed ? "pass" : "FAIL",
    ]),
  );
}
