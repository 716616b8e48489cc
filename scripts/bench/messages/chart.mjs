// The results as an SVG chart: a group of bars per scenario, each group on a scale of its own; pure.
import { WORKLOADS } from "./workloads.mjs";

const WIDTH = 760;
const MARGIN = 24;
const BARS_LEFT = 126;
const BARS_WIDTH = 400;
const BAR_HEIGHT = 20;
const BAR_GAP = 6;
const HEAD_HEIGHT = 96;
const GROUP_TITLE_HEIGHT = 32;
const GROUP_GAP = 20;

/** The yardstick first; sides of the caller's own come last. */
const ORDER = ["in-memory", "routed", "stock"];

const STYLE = `
  svg { color-scheme: light dark; font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
  .paper { fill: #ffffff; } .text { fill: #1f2328; } .quiet { fill: #59636e; }
  .in-memory { fill: #9aa4b0; } .routed { fill: #1f6feb; } .stock { fill: #d9822b; } .own { fill: #8250df; }
  .spread { stroke: #1f2328; stroke-width: 1.5; } .axis { stroke: #d1d9e0; }
  .title { font-size: 18px; font-weight: 600; } .strong { font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; } .text { fill: #f0f6fc; } .quiet { fill: #9198a1; }
    .in-memory { fill: #656c76; } .routed { fill: #4493f8; } .stock { fill: #e3963e; } .own { fill: #ab7df8; }
    .spread { stroke: #f0f6fc; } .axis { stroke: #3d444d; }
  }`;

export function renderChart(summaries, { workers, node, socketIo, cpu, startedAt }) {
  const groups = [];
  let top = HEAD_HEIGHT;
  for (const summary of summaries) {
    const group = renderGroup(summary, top);
    groups.push(group.text);
    top += group.height + GROUP_GAP;
  }
  const height = top - GROUP_GAP + MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Messages per second and core by scenario and fabric">
<style>${STYLE}
</style>
<rect class="paper" width="${WIDTH}" height="${height}"/>
${line(MARGIN, 36, "text title", "Messages per second and core")}
${line(MARGIN, 56, "quiet", `One host with ${workers} workers; Node ${node.replace(/^v/, "")}, socket.io ${socketIo}, ${cpu}, ${startedAt.slice(0, 10)}.`)}
${line(MARGIN, 74, "quiet", "Every scenario has its own scale. Bar: median of the windows; line: smallest to largest.")}
${groups.join("\n")}
</svg>
`;
}

function renderGroup({ workload, sides }, top) {
  const sorted = [...sides].sort((a, b) => rank(a.side) - rank(b.side));
  const largest = Math.max(...sorted.map(({ perSecondAndCore }) => perSecondAndCore.max));
  const scale = (value) => (value / largest) * BARS_WIDTH;
  const barsTop = top + GROUP_TITLE_HEIGHT;
  const bars = sorted.map((side, i) => renderBar(side, barsTop + i * (BAR_HEIGHT + BAR_GAP), scale));
  const bottom = barsTop + sorted.length * (BAR_HEIGHT + BAR_GAP) - BAR_GAP;
  const text = [
    `<text class="text" x="${MARGIN}" y="${top + 21}"><tspan class="strong">${escapeText(workload)}</tspan>` +
      `<tspan class="quiet" dx="10">${escapeText(WORKLOADS[workload].summary)}</tspan></text>`,
    `<line class="axis" x1="${BARS_LEFT}" x2="${BARS_LEFT}" y1="${barsTop - 3}" y2="${bottom + 3}"/>`,
    ...bars,
  ].join("\n");
  return { text, height: bottom - top };
}

function renderBar({ side, perSecondAndCore: { median, min, max }, timesStock }, top, scale) {
  const middle = top + BAR_HEIGHT / 2;
  const baseline = middle + 4.5;
  const colour = ORDER.includes(side) ? side : "own";
  const ratio = timesStock === undefined || side === "in-memory" ? "" : ` (${timesStock.median.toFixed(2)} x stock)`;
  const figure = `${Math.round(median).toLocaleString("en")}${ratio}`;
  return [
    `<text class="text" x="${BARS_LEFT - 10}" y="${baseline}" text-anchor="end">${escapeText(side)}</text>`,
    `<rect class="${colour}" x="${BARS_LEFT}" y="${top}" width="${scale(median).toFixed(1)}" height="${BAR_HEIGHT}"/>`,
    `<line class="spread" x1="${(BARS_LEFT + scale(min)).toFixed(1)}" x2="${(BARS_LEFT + scale(max)).toFixed(1)}" y1="${middle}" y2="${middle}"/>`,
    line((BARS_LEFT + scale(max) + 10).toFixed(1), baseline, side === "routed" ? "text strong" : "text", figure),
  ].join("\n");
}

function rank(side) {
  const place = ORDER.indexOf(side);
  return place === -1 ? ORDER.length : place;
}

function line(x, y, classes, text) {
  return `<text class="${classes}" x="${x}" y="${y}">${escapeText(text)}</text>`;
}

function escapeText(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
