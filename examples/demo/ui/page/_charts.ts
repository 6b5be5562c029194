/**
 * The two charts.
 *
 * @module
 */

import uPlot from "uplot";
import css from "uplot/dist/uPlot.min.css" with { type: "text" };
import { LATE_MS } from "./_pushes.ts";

/** How much of the past is seen, s. */
const SPAN_S = 120;
/** Two samples a second; older ones are not seen any more. */
const MAX_SAMPLES = SPAN_S * 4;

/** How things are at one moment; numbers in s, null where there is none. */
export interface IntervalSample {
  readonly at: number;
  readonly interval: number | null;
  readonly survived: number | null;
  readonly failed: number | null;
  readonly nat: number;
  readonly trialSurvived?: number;
  readonly trialFailed?: number;
}

const SERIES = ["at", "interval", "survived", "failed", "nat", "trialSurvived", "trialFailed"] as const;

const sheet = new CSSStyleSheet();
sheet.replaceSync(css);
document.adoptedStyleSheets.push(sheet);

/** The interval over time, the bracket around what is not known yet, and a point for each trial. */
export class IntervalChart {
  readonly #samples: IntervalSample[] = [];
  readonly #plot: uPlot;

  constructor(element: HTMLElement) {
    const steps = uPlot.paths.stepped!({ align: 1 });
    this.#plot = plotIn(element, {
      scales: {
        x: { time: false, range: () => timeRange(this.#samples.at(-1)?.at ?? 0) },
        y: { range: () => [0, this.#top()] },
      },
      axes: axes("silence"),
      bands: [{ series: [3, 2], fill: colour("--area") }],
      series: [
        {},
        { stroke: colour("--accent"), width: 3, paths: steps, points: { show: false } },
        { stroke: "transparent", paths: steps, points: { show: false } },
        { stroke: "transparent", paths: steps, points: { show: false } },
        { stroke: colour("--bad"), width: 2, dash: [6, 5], paths: steps, points: { show: false } },
        points("--good", true),
        points("--bad", false),
      ],
    });
  }

  add(sample: IntervalSample): void {
    this.#samples.push(sample);
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
  }

  draw(): void {
    const top = this.#top();
    const data = SERIES.map((name) =>
      this.#samples.map((sample) => {
        const value = sample[name] ?? null;
        // While nothing has failed, anything above what has survived is possible.
        return name === "failed" && (value === null || value > top) ? top : value;
      })
    );
    this.#plot.setData(data as unknown as uPlot.AlignedData);
  }

  #top(): number {
    return Math.max(
      1,
      ...this.#samples.map(({ nat, interval, trialFailed = 0 }) =>
        Math.max(nat * 1.3, interval ?? 0, trialFailed)
      ),
    ) * 1.05;
  }
}

/** How long each push took. */
export class PushChart {
  readonly #plot: uPlot;
  #now = 0;
  #top = 0;

  constructor(element: HTMLElement) {
    this.#plot = plotIn(element, {
      scales: {
        x: { time: false, range: () => timeRange(this.#now) },
        y: { range: () => [0, this.#top] },
      },
      axes: axes("on its way"),
      series: [{}, points("--good", true), points("--bad", false)],
    });
  }

  /** @param now The right end, s. */
  draw(now: number, arrivals: readonly { readonly atMs: number; readonly tookMs: number }[]): void {
    this.#now = now;
    const seen = arrivals.filter(({ atMs }) => atMs / 1000 >= now - SPAN_S);
    this.#top = Math.max(2, ...seen.map(({ tookMs }) => tookMs / 1000)) * 1.1;
    const took = (isLate: boolean) =>
      seen.map(({ tookMs }) => tookMs > LATE_MS === isLate ? tookMs / 1000 : null);
    this.#plot.setData([seen.map(({ atMs }) => atMs / 1000), took(false), took(true)]);
  }
}

function plotIn(element: HTMLElement, options: Omit<uPlot.Options, "width" | "height">): uPlot {
  const size = () => ({ width: element.clientWidth, height: element.clientHeight });
  const plot = new uPlot(
    { ...options, ...size(), cursor: { show: false }, legend: { show: false }, padding: [8, 8, 0, 0] },
    undefined,
    element,
  );
  new ResizeObserver(() => plot.setSize(size())).observe(element);
  // The colours of the other scheme.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw());
  return plot;
}

function axes(label: string): uPlot.Axis[] {
  const font = "12px system-ui, sans-serif";
  const common: uPlot.Axis = {
    stroke: colour("--quiet"),
    grid: { stroke: colour("--grid"), width: 1 },
    ticks: { show: false },
    font,
    labelFont: font,
    labelSize: 18,
  };
  return [
    { ...common, label: "time, s", size: 30, space: 60 },
    { ...common, label: `${label}, s`, size: 38, space: 32 },
  ];
}

/** Full or hollow, so that colour alone does not tell. */
function points(name: string, isFull: boolean): uPlot.Series {
  const stroke = colour(name);
  const fill = isFull ? stroke : colour("--panel");
  return { stroke, paths: () => null, points: { show: true, size: 9, width: 2, stroke, fill } };
}

function timeRange(now: number): [number, number] {
  return [Math.max(0, now - SPAN_S), Math.max(30, now)];
}

/** Asked for at each drawing, since the scheme may change. */
function colour(name: string): () => string {
  return () => getComputedStyle(document.documentElement).getPropertyValue(name);
}
