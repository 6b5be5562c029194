/**
 * Which idle time to try next.
 *
 * @module
 */

import type { Rung } from "./_ladder.ts";

/** What a plan is made for. */
export interface SearchPlanOptions {
  /** The first idle time to try, ms. */
  readonly startMs: number;
  /** The longest, ms; a longer timeout counts as this one. */
  readonly maxMs: number;
  /** Where timeouts are likely. */
  readonly ladder: readonly Rung[];
  /** How far below a proven idle time the interval stays, ms. */
  readonly marginMs: (idleMs: number) => number;
  /** The interval must end up above this fraction of the timeout, wherever it lies. */
  readonly fraction: number;
  /** How many trials may fail before the search must end; Infinity where failing costs only time. */
  readonly failures: number;
  /** What a failed trial costs on top of its idle time: noticing it, ms. */
  readonly noticeMs: number;
}

/** How much of the weight lies on the ladder; the rest is spread evenly over all orders of magnitude. */
const LADDER_WEIGHT = 0.5;
/** How much an hour until the interval is good enough weighs against an hour until it is final. */
const USABLE_WEIGHT = 0.6;
/** Good enough: the interval is this fraction of the timeout. */
const USABLE_FRACTION = 0.8;
/** What each per cent of the timeout given away for ever weighs, in timeouts of search time. */
const SHORTFALL_WEIGHT = 40;

/**
 * The quickest search for an idle timeout, on average over where timeouts are
 * likely, worked out once by dynamic programming.
 *
 * The possible timeouts are cut into cells by a grid of idle times worth
 * trying: just below and just above each rung of the ladder, and between the
 * rungs so dense that any timeout between two neighbours is known well enough.
 * A search state is a run of cells. A trial at a grid point takes that idle
 * time and leaves the cells above it (passed) or below (failed). The cost of a
 * search is its time in units of the timeout it finds, since an hour is much
 * for a network of 30 s and nothing for one of 2 h.
 */
export class SearchPlan {
  /** The idle times worth trying, ms, ascending. */
  readonly pointsMs: readonly number[];
  readonly #failures: number;
  /** For each number of failures left, the index of the point to try in each state; -1: none. */
  readonly #choices: readonly Int16Array[];

  constructor(options: SearchPlanOptions) {
    this.pointsMs = pointsOf(options);
    // With a scout a failure costs only time, and one table serves all.
    this.#failures = Number.isFinite(options.failures) ? options.failures : 0;
    this.#choices = solve(this.pointsMs, options);
  }

  /**
   * The next idle time to try, in ms, or undefined if there is none worth it.
   *
   * @param loMs Longest that survived; 0 if none did.
   * @param hiMs Shortest that did not; null if all did.
   * @param failuresLeft How many more trials may fail, where that is limited.
   */
  next(loMs: number, hiMs: number | null, failuresLeft: number): number | undefined {
    const points = this.pointsMs;
    const first = countUpTo(points, loMs);
    const last = hiMs === null ? points.length : countBelow(points, hiMs);
    if (first >= last) return undefined;
    const table = this.#choices[Math.min(failuresLeft, this.#failures)]!;
    const choice = table[first * (points.length + 1) + last]!;
    return choice < 0 ? undefined : points[choice];
  }
}

/** How many points are at most `value`. */
function countUpTo(points: readonly number[], value: number): number {
  let count = 0;
  while (count < points.length && points[count]! <= value) count++;
  return count;
}

/** How many points are below `value`. */
function countBelow(points: readonly number[], value: number): number {
  let count = 0;
  while (count < points.length && points[count]! < value) count++;
  return count;
}

/** Heartbeats carry tenths of a second; rounded down, or a trial just below a rung could lie above it. */
function tenths(ms: number): number {
  return Math.max(100, Math.floor(ms / 100) * 100);
}

/** As close below a rung as timers and clocks allow. */
function below(timeoutMs: number): number {
  return tenths(timeoutMs - Math.max(Math.min(300, timeoutMs * 0.02), timeoutMs * 0.005));
}

/** Far enough above a rung that surviving means another timeout. */
function above(timeoutMs: number): number {
  return tenths(timeoutMs + Math.max(Math.min(500, timeoutMs * 0.03), timeoutMs * 0.01) + 50);
}

function pointsOf({ startMs, maxMs, ladder, marginMs, fraction }: SearchPlanOptions): number[] {
  const rungs = ladder.map(({ timeoutMs }) => timeoutMs).filter((ms) => ms > startMs * 1.02 && ms < maxMs);
  // The longest idle time of all has to pass only.
  const fixed = [
    ...new Set([tenths(startMs), ...rungs.flatMap((ms) => [below(ms), above(ms)]), below(maxMs)]),
  ]
    .filter((ms) => ms <= below(maxMs)).sort((a, b) => a - b);
  const points: number[] = [];
  fixed.forEach((ms, index) => {
    points.push(ms);
    const next = fixed[index + 1];
    const isRung = rungs.some((rung) => below(rung) === ms && above(rung) === next);
    if (next === undefined || isRung) return;
    const steps = stepsBetween(ms, next, marginMs, fraction);
    for (let k = 1; k < steps; k++) points.push(tenths(ms * (next / ms) ** (k / steps)));
  });
  return [...new Set(points)];
}

/** Into how many steps a gap has to be cut so that the interval ends up above the fraction. */
function stepsBetween(
  fromMs: number,
  toMs: number,
  marginMs: (ms: number) => number,
  fraction: number,
): number {
  let steps = 0;
  for (let ms = fromMs; ms < toMs * 0.999; steps++) {
    // lo = T / step, and lo - margin is to be fraction * T.
    ms *= Math.max(1.02, 1 / (fraction + 0.005 + marginMs(ms) / ms));
  }
  return Math.max(1, steps);
}

/** Cell k lies below point k and above point k - 1; the last one above all points. */
function solve(points: readonly number[], options: SearchPlanOptions): Int16Array[] {
  const cells = points.length + 1;
  const timeoutOf = (cell: number) =>
    cell === 0
      ? points[0]! * 0.9
      : cell === cells - 1
      ? options.maxMs
      : Math.sqrt(points[cell - 1]! * points[cell]!);
  const weights = weightsOf(points, options);
  /** Sums of weight / timeout: what a ms of trial costs for the cells before an index. */
  const costPerMs = new Float64Array(cells + 1);
  const weightSums = new Float64Array(cells + 1);
  for (let cell = 0; cell < cells; cell++) {
    costPerMs[cell + 1] = costPerMs[cell]! + weights[cell]! / timeoutOf(cell);
    weightSums[cell + 1] = weightSums[cell]! + weights[cell]!;
  }
  /** The first cell for which the interval is not good enough while the state begins here. */
  const notUsable = new Int32Array(cells);
  for (let first = 0; first < cells; first++) {
    const loMs = first === 0 ? 0 : points[first - 1]!;
    const intervalMs = first === 0 ? 0 : loMs - options.marginMs(loMs);
    let cell = first;
    while (cell < cells && intervalMs >= USABLE_FRACTION * timeoutOf(cell)) cell++;
    notUsable[first] = cell;
  }
  const msCost = (from: number, to: number, usableFrom: number) =>
    from > to ? 0 : costPerMs[to + 1]! - costPerMs[from]! +
      USABLE_WEIGHT *
        Math.max(0, costPerMs[to + 1]! - costPerMs[Math.min(Math.max(from, usableFrom), to + 1)]!);
  /** What it costs to end the search here: the share of the timeout that is given away. */
  const endCost = (first: number, last: number) => {
    const loMs = first === 0 ? 0 : points[first - 1]!;
    let cost = 0;
    for (let cell = first; cell <= last; cell++) {
      cost += weights[cell]! * SHORTFALL_WEIGHT * Math.max(0, 1 - loMs / timeoutOf(cell));
    }
    return cost;
  };

  const limited = Number.isFinite(options.failures);
  const tables: Int16Array[] = [];
  let fewer: Float64Array | undefined;
  for (let left = 0; left <= (limited ? options.failures : 0); left++) {
    const costs = new Float64Array(cells * cells);
    const choices = new Int16Array(cells * cells).fill(-1);
    const afterFailure = limited ? fewer : costs;
    for (let length = 2; length <= cells; length++) {
      for (let first = 0; first + length <= cells; first++) {
        const last = first + length - 1;
        const state = first * cells + last;
        if (afterFailure === undefined) {
          costs[state] = endCost(first, last);
          continue;
        }
        const usableFrom = notUsable[first]!;
        let best = Infinity;
        for (let k = first; k < last; k++) {
          const cost = points[k]! * msCost(k + 1, last, usableFrom) +
            (points[k]! + options.noticeMs) * msCost(first, k, usableFrom) +
            afterFailure[first * cells + k]! + costs[(k + 1) * cells + last]!;
          if (cost < best) {
            best = cost;
            choices[state] = k;
          }
        }
        costs[state] = best;
      }
    }
    tables.push(choices);
    fewer = costs;
  }
  return tables;
}

function weightsOf(points: readonly number[], { ladder, maxMs }: SearchPlanOptions): Float64Array {
  const cells = points.length + 1;
  const weights = new Float64Array(cells);
  const spread = Math.log(points[points.length - 1]! / points[0]!) || 1;
  weights[0] = 0.005;
  for (let cell = 1; cell < cells - 1; cell++) {
    weights[cell] = (1 - LADDER_WEIGHT) * Math.log(points[cell]! / points[cell - 1]!) / spread;
  }
  weights[cells - 1] = 0.02;
  const rungs = ladder.filter(({ timeoutMs }) => timeoutMs > points[0]!);
  const sum = rungs.reduce((sum, { weight }) => sum + weight, 0);
  for (const { timeoutMs, weight } of rungs) {
    weights[timeoutMs >= maxMs ? cells - 1 : countBelow(points, timeoutMs)]! += LADDER_WEIGHT * weight / sum;
  }
  return weights;
}
