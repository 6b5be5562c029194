/**
 * A small chart for a terminal.
 *
 * @module
 */

const EIGHTHS = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/** What to draw. */
export interface ChartOptions {
  /** A step function: [time, value from then on], ascending. */
  readonly steps: readonly (readonly [number, number])[];
  /** The time at the right edge. */
  readonly until: number;
  /** A line across, to compare with. */
  readonly mark: number;
  readonly columns: number;
  readonly rows: number;
}

/**
 * Draws a step function as columns, with a dotted line at the mark.
 *
 * @returns The rows, from the top, each of so many characters.
 */
export function chart({ steps, until, mark, columns, rows }: ChartOptions): string[] {
  const top = Math.max(mark * 1.15, ...steps.map(([, value]) => value));
  const markRow = Math.min(rows - 1, Math.floor(mark / top * rows));
  const values = Array.from(
    { length: columns },
    (_, column) => valueAt(steps, (column + 1) / columns * until),
  );
  return Array.from({ length: rows }, (_, line) => {
    const row = rows - 1 - line;
    return values.map((value) => {
      const eighths = Math.round(Math.max(0, Math.min(1, value / top * rows - row)) * 8);
      return eighths === 0 && row === markRow ? "·" : EIGHTHS[eighths]!;
    }).join("");
  });
}

function valueAt(steps: ChartOptions["steps"], time: number): number {
  let value = 0;
  for (const [from, next] of steps) {
    if (from > time) break;
    value = next;
  }
  return value;
}
