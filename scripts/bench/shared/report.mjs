// Text tables and the JSON file of a scenario; measures nothing.
import { writeFileSync } from "node:fs";

/** Renders rows of cells under a header, first column left, all others right aligned. */
export function renderTable(header, rows) {
  const lines = [header, ...rows].map((row) => row.map(String));
  const widths = header.map((_, column) => Math.max(...lines.map((row) => row[column].length)));
  const renderLine = (row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join("  ")
      .trimEnd();
  return [
    renderLine(lines[0]),
    widths.map((width) => "-".repeat(width)).join("  "),
    ...lines.slice(1).map(renderLine),
  ].join("\n");
}

export function renderSpread({ median, min, max }, digits = 0) {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}..${max.toFixed(digits)})`;
}

export function writeJson(file, value) {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

export function writeText(file, text) {
  writeFileSync(file, text);
}
