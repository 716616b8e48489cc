// The results of the hosts scenario as an SVG chart, a group of bars per load; pure.
import { WORKLOADS } from "../messages/workloads.mjs";
import { renderBarChart } from "../shared/bar-chart.mjs";

/** The yardstick first. */
const ORDER = ["in-memory", "routed", "classic", "sharded"];

export function renderChart(summaries, { node, socketIo, redisAdapter, cpu, startedAt }) {
  return renderBarChart({
    title: "Messages per second and core, several hosts and Redis",
    label: "Messages per second and core by load and fabric, several hosts",
    notes: [
      `Node ${node.replace(/^v/, "")}, socket.io ${socketIo}, redis-adapter ${redisAdapter}, ${cpu}, ${startedAt.slice(0, 10)}.`,
      "Every load has its own scale. Bar: median of the windows; line: smallest to largest.",
    ],
    groups: summaries.map(({ hosts, workers, workload, better, sides }) => ({
      name: `${hosts} hosts x ${workers} workers`,
      summary: WORKLOADS[workload].summary,
      bars: ORDER.flatMap((name) => sides.filter(({ side }) => side === name)).map((side) => describeBar(side, better)),
    })),
  });
}

function describeBar({ side, perSecondAndCore, timesBetter }, better) {
  const note = side === "routed" && timesBetter !== undefined ? ` (${timesBetter.median.toFixed(2)} x ${better})` : "";
  return { side, spread: perSecondAndCore, note };
}
