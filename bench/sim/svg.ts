/**
 * The picture: the interval over time on one network, and the strategies compared.
 *
 * @module
 */

import type { Conditions, Row } from "./row.ts";
import type { IntervalFrom } from "./recorder.ts";
import { run } from "./run.ts";
import { quantile } from "./statistics.ts";
import type { Contestant } from "./strategies.ts";
import { percent, shown } from "./text_table.ts";

const WIDTH = 960;
const CHART = { left: 64, top: 72, width: 736, height: 260 };
/** Time axis, in timeouts. */
const SHOWN_TIMEOUTS = 24;
/** The interval axis ends here, in timeouts; what is tried above is cut off. */
const TOP = 1.25;
const BARS = { top: 404, rowHeight: 26, nameWidth: 96 };
/** Told apart by people who see few colours, and readable on white and on black. */
const COLOURS: Readonly<Record<string, string>> = {
  edge: "#1b8a5a",
  "edge-main": "#5fae57",
  stepwise: "#c2620a",
  mars: "#8a63d2",
  bisection: "#3b82c4",
};
const OTHER = "#868e96";

const STYLE = `
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f; }
.title { font-size: 16px; font-weight: 600; }
.quiet { fill: #57606a; font-size: 12px; }
.ours { font-weight: 600; }
.grid { stroke: #8b949e; stroke-opacity: 0.3; }
.limit { stroke: #cf222e; stroke-dasharray: 6 4; }
.limit-text { fill: #cf222e; font-size: 12px; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .quiet { fill: #9da7b3; }
  .limit { stroke: #ff7b72; }
  .limit-text { fill: #ff7b72; }
}`;

/** A column of bars. */
interface Column {
  readonly title: readonly [string, string];
  readonly value: (rows: readonly Row[]) => number;
  readonly text: (value: number) => string;
  /** The value of a full bar; a longer one is cut. */
  readonly full: number;
}

const COLUMNS: readonly Column[] = [
  {
    title: ["Final interval / T", "median, strict NAT"],
    value: (rows) => median(rows, "strict", ({ fraction }) => fraction),
    text: (value) => shown(value, 2),
    full: 1.25,
  },
  {
    title: ["Settled after", "median, strict NAT"],
    value: (rows) => median(rows, "strict", ({ settledInT }) => settledInT),
    text: (value) =>
      value === Infinity
        ? "never"
        : value < 0.05
        ? "does not learn"
        : `${shown(value, value < 20 ? 1 : 0)} T`,
    full: 40,
  },
  {
    title: ["Links lost by learning", "mean, strict NAT"],
    value: (rows) => mean(rows, "strict", ({ mainDropsWhileLearning }) => mainDropsWhileLearning),
    text: (value) => shown(value, value > 0 && value < 10 ? 1 : 0),
    full: 20,
  },
  {
    title: ["Time that pushes are lost", "mean, Linux's default NAT"],
    value: (rows) => mean(rows, "loose", ({ unreachableShare }) => unreachableShare),
    text: (value) => percent(value),
    full: 1,
  },
];

/**
 * Draws it.
 *
 * @param timeoutS The idle timeout for the upper half.
 * @param rows What the lower half compares.
 */
export async function picture(
  contestants: readonly Contestant[],
  timeoutS: number,
  conditions: Conditions,
  rows: readonly Row[],
): Promise<string> {
  const lines = [];
  for (const { name, strategy } of contestants) {
    if (name === "fixed25" || name === "fixed60" || name === "edge-main") continue;
    const timeouts = [{ fromMs: 0, timeoutMs: timeoutS * 1_000 }];
    const lengthMs = SHOWN_TIMEOUTS * timeoutS * 1_000;
    const { intervals } = await run({
      ...conditions,
      strategy: strategy(),
      mode: "strict",
      timeouts,
      lengthMs,
    });
    lines.push({ name, intervals });
  }
  const height = BARS.top + 62 + contestants.length * BARS.rowHeight;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title">`,
    `<title id="title">How ways to choose a heartbeat interval compare on simulated networks</title>`,
    `<style>${STYLE}\n</style>`,
    ...chart(lines, timeoutS),
    ...comparison(contestants, rows),
    "</svg>",
    "",
  ].join("\n");
}

function chart(
  lines: readonly { name: string; intervals: readonly IntervalFrom[] }[],
  timeoutS: number,
): string[] {
  const { left, top, width, height } = CHART;
  const hours = SHOWN_TIMEOUTS * timeoutS / 3_600;
  const x = (atMs: number) => left + width * Math.min(1, atMs / (SHOWN_TIMEOUTS * timeoutS * 1_000));
  const y = (intervalMs: number) => top + height * (1 - Math.min(TOP, intervalMs / (timeoutS * 1_000)) / TOP);
  const drawn = [
    text(16, 26, `Heartbeat interval on a network that forgets a link after ${timeoutS} s`, "title"),
    text(
      16,
      48,
      "Simulated with the library's own handlers. Where a line falls to the ground a link was lost.",
      "quiet",
    ),
  ];
  for (let part = 0; part <= 1; part += 0.25) {
    const at = y(part * timeoutS * 1_000);
    drawn.push(
      `<line x1="${left}" x2="${left + width}" y1="${px(at)}" y2="${px(at)}" class="${
        part === 1 ? "limit" : "grid"
      }"/>`,
    );
    drawn.push(text(left - 8, at + 4, `${Math.round(part * timeoutS)} s`, "quiet", "end"));
  }
  drawn.push(
    text(left + width * 0.3, y(timeoutS * 1_000) - 6, "above this line the link is forgotten", "limit-text"),
  );
  const step = [0.25, 0.5, 1, 2, 4, 6, 12].find((step) => hours / step <= 8) ?? 24;
  for (let hour = 0; hour <= hours + 1e-9; hour += step) {
    drawn.push(text(x(hour * 3_600_000), top + height + 18, `${hour} h`, "quiet", "middle"));
  }
  const ends: { name: string; at: number }[] = [];
  for (const { name, intervals } of lines) {
    const points = [`M${px(x(0))} ${px(y(intervals[0]!.intervalMs))}`];
    for (const { atMs, intervalMs } of intervals.slice(1)) {
      points.push(`H${px(x(atMs))}`, `V${px(y(intervalMs))}`);
    }
    points.push(`H${px(left + width)}`);
    const strong = name === "edge" ? 3 : 1.75;
    drawn.push(
      `<path d="${points.join("")}" fill="none" stroke="${
        colourOf(name)
      }" stroke-width="${strong}" stroke-linejoin="round"/>`,
    );
    ends.push({ name, at: y(intervals.at(-1)!.intervalMs) });
  }
  // The names at the ends of the lines, moved apart where they would overlap.
  ends.sort((a, b) => a.at - b.at);
  let last = -Infinity;
  for (const { name, at } of ends) {
    last = Math.max(at, last + 16);
    drawn.push(named(left + width + 8, last + 4, name));
  }
  return drawn;
}

function comparison(contestants: readonly Contestant[], rows: readonly Row[]): string[] {
  const { top, rowHeight, nameWidth } = BARS;
  const columnWidth = (WIDTH - 32 - nameWidth) / COLUMNS.length;
  const networks = new Set(rows.map(({ timeoutS }) => timeoutS)).size;
  const drawn = [text(16, top, `Compared on networks with ${networks} idle timeouts`, "title")];
  COLUMNS.forEach(({ title }, index) => {
    const left = 16 + nameWidth + index * columnWidth;
    drawn.push(text(left, top + 24, title[0]), text(left, top + 40, title[1], "quiet"));
  });
  contestants.forEach(({ name }, row) => {
    const middle = top + 62 + row * rowHeight;
    drawn.push(named(16, middle, name));
    const own = rows.filter(({ strategy }) => strategy === name);
    COLUMNS.forEach(({ value, text: textOf, full }, index) => {
      const left = 16 + nameWidth + index * columnWidth;
      const found = value(own);
      if (Number.isNaN(found)) return;
      const most = columnWidth - 106;
      const long = Math.min(1, found / full) * most;
      if (long >= 0.5) {
        drawn.push(
          `<rect x="${px(left)}" y="${middle - 12}" width="${px(long)}" height="15" rx="2" fill="${
            colourOf(name)
          }"/>`,
        );
      }
      drawn.push(text(left + Math.max(long, 0) + 6, middle, textOf(found), name === "edge" ? "ours" : ""));
    });
  });
  return drawn;
}

function median(rows: readonly Row[], mode: Row["mode"], value: (row: Row) => number | null): number {
  return quantile(rows.filter((row) => row.mode === mode).map(value), 0.5);
}

function mean(rows: readonly Row[], mode: Row["mode"], value: (row: Row) => number): number {
  const found = rows.filter((row) => row.mode === mode);
  return found.reduce((sum, row) => sum + value(row), 0) / found.length;
}

function named(x: number, y: number, name: string): string {
  return `<circle cx="${px(x + 5)}" cy="${px(y - 4)}" r="4" fill="${colourOf(name)}"/>` +
    text(x + 14, y, name, name === "edge" ? "ours" : "");
}

function text(x: number, y: number, content: string, kind = "", anchor = ""): string {
  const attributes = `${kind === "" ? "" : ` class="${kind}"`}${
    anchor === "" ? "" : ` text-anchor="${anchor}"`
  }`;
  return `<text x="${px(x)}" y="${px(y)}"${attributes}>${
    content.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
  }</text>`;
}

function colourOf(name: string): string {
  return COLOURS[name] ?? OTHER;
}

/** Tenths of a pixel are fine enough. */
function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
