/**
 * Lays cells out in columns: the first one to the left, the others to the right.
 *
 * @param rows The first is the heading.
 */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join(
      "  ",
    )
  );
  lines.splice(1, 0, widths.map((width) => "-".repeat(width)).join("  "));
  return lines.map((line) => line.trimEnd()).join("\n");
}

/** A number with so many decimals, "-" for never. */
export function shown(value: number | null, decimals: number): string {
  return value === null || !Number.isFinite(value) ? "-" : value.toFixed(decimals);
}

/** So many timeouts. */
export function times(value: number | null): string {
  return value === null || value === Infinity ? "never" : `${shown(value, value < 20 ? 1 : 0)} T`;
}

/** A share in per cent: exactly 0 looks like 0, and a small one does not. */
export function percent(part: number, decimals = 1): string {
  if (part === 0) return "0";
  const text = (100 * part).toFixed(decimals);
  return `${Number(text) === 0 ? `<${(10 ** -decimals).toFixed(decimals)}` : text} %`;
}
