// An SVG chart of figures side by side: a group of bars per scenario, each group on a scale of its own; pure.

const WIDTH = 760;
const MARGIN = 24;
const BARS_LEFT = 126;
const BARS_WIDTH = 400;
const BAR_HEIGHT = 20;
const BAR_GAP = 6;
const HEAD_HEIGHT = 96;
const GROUP_TITLE_HEIGHT = 32;
const GROUP_GAP = 20;

/** Sides that have no colour of their own are "own". */
const COLOURED = ["in-memory", "routed", "stock", "classic", "sharded"];

const STYLE = `
  svg { color-scheme: light dark; font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
  .paper { fill: #ffffff; } .text { fill: #1f2328; } .quiet { fill: #59636e; }
  .in-memory { fill: #9aa4b0; } .routed { fill: #1f6feb; } .stock, .classic { fill: #d9822b; } .sharded { fill: #b35900; }
  .own { fill: #8250df; } .spread { stroke: #1f2328; stroke-width: 1.5; } .axis { stroke: #d1d9e0; }
  .title { font-size: 18px; font-weight: 600; } .strong { font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; } .text { fill: #f0f6fc; } .quiet { fill: #9198a1; }
    .in-memory { fill: #656c76; } .routed { fill: #4493f8; } .stock, .classic { fill: #e3963e; } .sharded { fill: #c26a1b; }
    .own { fill: #ab7df8; } .spread { stroke: #f0f6fc; } .axis { stroke: #3d444d; }
  }`;

/**
 * `notes`: two lines below the title. `groups`: `{ name, summary, bars }`; a bar is `{ side, spread, note }`, and its note
 * follows the figure. The bar of the routed fabric stands out.
 */
export function renderBarChart({ title, label, notes, groups }) {
  const rendered = [];
  let top = HEAD_HEIGHT;
  for (const group of groups) {
    const { text, height } = renderGroup(group, top);
    rendered.push(text);
    top += height + GROUP_GAP;
  }
  const height = top - GROUP_GAP + MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeText(label)}">
<style>${STYLE}
</style>
<rect class="paper" width="${WIDTH}" height="${height}"/>
${line(MARGIN, 36, "text title", title)}
${line(MARGIN, 56, "quiet", notes[0])}
${line(MARGIN, 74, "quiet", notes[1])}
${rendered.join("\n")}
</svg>
`;
}

function renderGroup({ name, summary, bars }, top) {
  const largest = Math.max(...bars.map(({ spread }) => spread.max));
  const scale = (value) => (value / largest) * BARS_WIDTH;
  const barsTop = top + GROUP_TITLE_HEIGHT;
  const rendered = bars.map((bar, i) => renderBar(bar, barsTop + i * (BAR_HEIGHT + BAR_GAP), scale));
  const bottom = barsTop + bars.length * (BAR_HEIGHT + BAR_GAP) - BAR_GAP;
  const text = [
    `<text class="text" x="${MARGIN}" y="${top + 21}"><tspan class="strong">${escapeText(name)}</tspan>` +
      `<tspan class="quiet" dx="10">${escapeText(summary)}</tspan></text>`,
    `<line class="axis" x1="${BARS_LEFT}" x2="${BARS_LEFT}" y1="${barsTop - 3}" y2="${bottom + 3}"/>`,
    ...rendered,
  ].join("\n");
  return { text, height: bottom - top };
}

function renderBar({ side, spread: { median, min, max }, note }, top, scale) {
  const middle = top + BAR_HEIGHT / 2;
  const baseline = middle + 4.5;
  const colour = COLOURED.includes(side) ? side : "own";
  const figure = `${Math.round(median).toLocaleString("en")}${note}`;
  return [
    `<text class="text" x="${BARS_LEFT - 10}" y="${baseline}" text-anchor="end">${escapeText(side)}</text>`,
    `<rect class="${colour}" x="${BARS_LEFT}" y="${top}" width="${scale(median).toFixed(1)}" height="${BAR_HEIGHT}"/>`,
    `<line class="spread" x1="${(BARS_LEFT + scale(min)).toFixed(1)}" x2="${(BARS_LEFT + scale(max)).toFixed(1)}" y1="${middle}" y2="${middle}"/>`,
    line((BARS_LEFT + scale(max) + 10).toFixed(1), baseline, side === "routed" ? "text strong" : "text", figure),
  ].join("\n");
}

function line(x, y, classes, text) {
  return `<text class="${classes}" x="${x}" y="${y}">${escapeText(text)}</text>`;
}

function escapeText(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
