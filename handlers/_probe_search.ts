/**
 * Which idle times a probe tries next, with several trials at once.
 *
 * @module
 */

import type { Bracket } from "./adaptive/interval_strategy.ts";
import { edge } from "./adaptive/edge.ts";
import { LADDER } from "./adaptive/_ladder.ts";
import { SearchPlan } from "./adaptive/_search_plan.ts";

/** What a probe looks for. */
export interface ProbeRange {
  /** The first idle time to try, ms. */
  readonly startMs: number;
  /** The longest idle time to try, ms. */
  readonly maxMs: number;
  /** The bracket may stay so wide, ms. */
  readonly precisionMs: number;
  /** Or so wide, as a fraction of its lower end; the wider of both counts. */
  readonly precision: number;
}

/** Heartbeats carry tenths of a second, so a bracket cannot be narrower than two of them. */
const TENTH_MS = 100;
const FINEST_MS = 2 * TENTH_MS;
/** No network is like that; and timers are no better. */
const SHORTEST_MS = 1_000;
/**
 * While nothing has failed, trials run ahead of what is proven by this factor
 * at most; more of them fill the gaps below. Further ahead there would be
 * nothing to go on with when the first one fails.
 */
const REACH = 3;
const NOTICE_MS = 9_000;

/**
 * Closes the bracket around an idle timeout. One trial at a time it follows
 * the search plan; several run at once as if each of them were to pass, and
 * spread over the widest gaps between them once one has failed.
 */
export class ProbeSearch {
  readonly #range: ProbeRange;
  readonly #plan: SearchPlan;
  #loMs = 0;
  #hiMs: number | null = null;

  constructor(range: ProbeRange) {
    this.#range = range;
    this.#plan = new SearchPlan({
      startMs: range.startMs,
      maxMs: range.maxMs,
      ladder: LADDER,
      marginMs: (ms) => ms * 0.01,
      fraction: 0.94,
      failures: Infinity,
      noticeMs: NOTICE_MS,
    });
  }

  get bracket(): Bracket {
    return { loMs: this.#loMs, hiMs: this.#hiMs };
  }

  /** The interval that `edge()` uses once it knows as much; null if nothing survived. */
  get intervalMs(): number | null {
    if (this.#loMs === 0) return null;
    const { startMs, maxMs } = this.#range;
    const minMarginMs = Math.min(1_000, startMs / 2);
    const search = edge({ startMs, maxMs, minMarginMs, safeMs: 1 }).search();
    search.judge({ idleMs: this.#loMs, outcome: "passed", reason: "", atMs: 0 });
    return search.intervalMs;
  }

  /**
   * The next idle time that is worth a trial, in ms, or undefined if there is
   * none besides those that run.
   *
   * @param running Idle times of the running trials within the bracket, in any order.
   * @param suspectMs The shortest that seems to have failed, without its verdict; Infinity: none.
   */
  next(running: readonly number[], suspectMs: number): number | undefined {
    const { startMs, maxMs } = this.#range;
    const sorted = running.filter((ms) => ms > this.#loMs).sort((a, b) => a - b);
    const hiMs = Math.min(this.#hiMs ?? Infinity, suspectMs);
    if (hiMs < Infinity) return this.#split([this.#loMs, ...sorted.filter((ms) => ms < hiMs), hiMs]);
    if (this.#loMs === 0 && sorted.length === 0) return startMs;
    const topMs = sorted.at(-1) ?? this.#loMs;
    if (topMs > REACH * Math.max(this.#loMs, startMs)) {
      // That nothing below the first trial survives is not to be expected.
      const betweenMs = this.#split(this.#loMs === 0 ? sorted : [this.#loMs, ...sorted]);
      if (betweenMs !== undefined) return betweenMs;
    }
    if (topMs >= maxMs) return undefined;
    const nextMs = this.#plan.next(topMs, null, Infinity);
    return nextMs === undefined || nextMs >= this.#plan.pointsMs.at(-1)! ? maxMs : nextMs;
  }

  passed(idleMs: number): void {
    this.#loMs = Math.max(this.#loMs, idleMs);
    // Longer than what once failed: that failure had another reason.
    if (this.#hiMs !== null && idleMs >= this.#hiMs) this.#hiMs = null;
  }

  failed(idleMs: number): void {
    this.#hiMs = Math.min(this.#hiMs ?? Infinity, idleMs);
  }

  /** A point in the widest gap that is wide enough to matter. */
  #split(edgesMs: readonly number[]): number | undefined {
    let widest: { readonly fromMs: number; readonly toMs: number; readonly width: number } | undefined;
    for (let i = 1; i < edgesMs.length; i++) {
      const fromMs = edgesMs[i - 1]!;
      const toMs = edgesMs[i]!;
      if (toMs - fromMs <= this.#toleranceMs(fromMs) || toMs <= SHORTEST_MS) continue;
      // Below everything that is known of networks there is no lower end to measure from.
      const width = fromMs === 0 ? 4 : toMs / fromMs;
      if (width > (widest?.width ?? 1)) widest = { fromMs, toMs, width };
    }
    if (widest === undefined) return undefined;
    const { fromMs, toMs } = widest;
    if (fromMs === 0) return Math.max(tenths(toMs / 1.5), SHORTEST_MS);
    const plannedMs = toMs > this.#range.startMs ? this.#plan.next(fromMs, toMs, Infinity) : undefined;
    return plannedMs ?? Math.max(tenths(Math.sqrt(fromMs * toMs)), fromMs + TENTH_MS);
  }

  #toleranceMs(loMs: number): number {
    return Math.max(FINEST_MS, this.#range.precisionMs, this.#range.precision * loMs);
  }
}

function tenths(ms: number): number {
  return Math.floor(ms / TENTH_MS) * TENTH_MS;
}
