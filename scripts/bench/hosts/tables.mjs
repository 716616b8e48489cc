// The results of the hosts scenario as text tables; pure.
import { renderSpread, renderTable } from "../shared/report.mjs";
import { ROLES } from "../shared/roles.mjs";

const percent = (share) => `${(share * 100).toFixed(0)} %`;

/** Rows of all loads under one header; the load is named once. */
function renderRows(summaries, header, makeRow) {
  const rows = summaries.flatMap(({ name, sides }) =>
    sides.map((side, i) => [i === 0 ? name : "", side.side, ...makeRow(side)]),
  );
  return renderTable(["load", "side", ...header], rows);
}

export function renderCapacities(summaries) {
  return renderRows(
    summaries,
    [
      "per second",
      "per second and core",
      "x the better stock",
      "fleet tax",
      "server CPU, least",
      "load busy, most",
      "lost",
      "other",
    ],
    (side) => [
      renderSpread(side.perSecond),
      renderSpread(side.perSecondAndCore),
      side.timesBetter === undefined ? "" : renderSpread(side.timesBetter, 2),
      side.fleetTax === undefined ? "" : renderSpread(side.fleetTax, 2),
      percent(side.leastSaturation),
      percent(side.mostLoadBusy),
      side.counters.lost,
      side.counters.double + side.counters.late + side.counters.unexpected,
    ],
  );
}

/** What a message costs: CPU by role, and what passes through Redis. */
export function renderCosts(summaries) {
  const roles = ROLES.filter((role) =>
    summaries.some(({ sides }) => sides.some(({ usPerMessage }) => usPerMessage[role] > 0)),
  );
  return renderRows(
    summaries,
    [
      "us CPU",
      ...roles.map((role) => `us ${role}`),
      "Redis says us",
      "publishes",
      "bytes in",
      "bytes out",
      "connections",
    ],
    ({ usPerMessage, meterPerMessage, connections }) => [
      usPerMessage.total.toFixed(1),
      ...roles.map((role) => (usPerMessage[role] > 0 ? usPerMessage[role].toFixed(1) : "")),
      ...(meterPerMessage === undefined
        ? ["", "", "", "", ""]
        : [
            meterPerMessage.redisUs.toFixed(2),
            meterPerMessage.publishes.toFixed(3),
            meterPerMessage.bytesIn.toFixed(0),
            meterPerMessage.bytesOut.toFixed(0),
            connections,
          ]),
    ],
  );
}

export function renderGrowth({ points, a, b, off }) {
  const table = renderTable(
    ["hosts", "remote hosts per message", "per second and core", "us CPU", "off the line"],
    points.map(({ hosts, remoteHosts, perSecondAndCore, us }, i) => [
      `${hosts} x 1`,
      remoteHosts.toFixed(2),
      renderSpread(perSecondAndCore),
      us.toFixed(1),
      `${(off[i] * 100).toFixed(1)} %`,
    ]),
  );
  return `${table}\nA message costs ${a.toFixed(1)} us, and ${b.toFixed(1)} us for each other host it goes to.`;
}

export function renderIdle(rows) {
  return renderTable(
    ["idle hosts", "messages per second and host", "bytes per second and host", "Redis us", "connections"],
    rows.map(({ hosts, workers, messages, bytes, redisUs, connections }) => [
      `${hosts} x ${workers}`,
      messages.toFixed(2),
      bytes.toFixed(0),
      redisUs.toFixed(0),
      connections,
    ]),
  );
}

export function renderGates(gates) {
  return renderTable(
    ["where", "gate", "limit", "measured", ""],
    gates.map(({ place, what, limit, value, isMax, isPassed }) => [
      place,
      what,
      `${isMax ? "<=" : ">="} ${Number(limit.toFixed(3))}`,
      Number(value.toFixed(3)),
      isPassed ? "pass" : "FAIL",
    ]),
  );
}
