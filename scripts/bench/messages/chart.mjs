// The results as an SVG chart, a group of bars per scenario; pure.
import { renderBarChart } from "../shared/bar-chart.mjs";
import { WORKLOADS } from "./workloads.mjs";

/** The yardstick first; sides of the caller's own come last. */
const ORDER = ["in-memory", "routed", "stock"];

export function renderChart(summaries, { workers, node, socketIo, cpu, startedAt }) {
  return renderBarChart({
    title: "Messages per second and core",
    label: "Messages per second and core by scenario and fabric",
    notes: [
      `One host with ${workers} workers; Node ${node.replace(/^v/, "")}, socket.io ${socketIo}, ${cpu}, ${startedAt.slice(0, 10)}.`,
      "Every scenario has its own scale. Bar: median of the windows; line: smallest to largest.",
    ],
    groups: summaries.map(({ workload, sides }) => ({
      name: workload,
      summary: WORKLOADS[workload].summary,
      bars: [...sides].sort((a, b) => rank(a.side) - rank(b.side)).map(describeBar),
    })),
  });
}

function describeBar({ side, perSecondAndCore, timesStock }) {
  const note = timesStock === undefined || side === "in-memory" ? "" : ` (${timesStock.median.toFixed(2)} x stock)`;
  return { side, spread: perSecondAndCore, note };
}

function rank(side) {
  const place = ORDER.indexOf(side);
  return place === -1 ? ORDER.length : place;
}
