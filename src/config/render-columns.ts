/** Sets rows of text as aligned columns. Pure. */

/** Each column as wide as its widest cell, two spaces between them, nothing after the last; `indent` before each row. */
export function renderColumns(rows: readonly (readonly string[])[], indent = ""): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const renderRow = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return rows.map((row) => `${indent}${renderRow(row)}`).join("\n");
}
