/**
 * The default strategy: find the network's idle timeout and stay just below.
 *
 * @module
 */

import { checkedCount, checkedMs } from "../_checks.ts";
import { MAX_HEARTBEAT_TIME_MS } from "../heartbeat/heartbeat.ts";
import type { IntervalRecord } from "../stores/interval_store.ts";
import type { Bracket, IntervalSearch, IntervalStrategy, Verdict } from "./interval_strategy.ts";
import { LADDER, type Rung } from "./_ladder.ts";
import { SearchPlan } from "./_search_plan.ts";

/**
 * Options of {@linkcode edge}.
 *
 * @example Five minutes are enough, and there is no second link
 * ```ts
 * import { assert } from "@std/assert";
 * import { edge, type EdgeOptions } from "@longlink/pipeline";
 *
 * const options: EdgeOptions = { where: "main", maxMs: 300_000 };
 * const search = edge(options).search();
 * for (let idleMs; (idleMs = search.trialMs?.(0)) !== undefined;) {
 *   search.judge({ idleMs, outcome: "passed", reason: "answered", atMs: 0 });
 * }
 * assert(search.isSettled && search.intervalMs > 290_000 && search.intervalMs < 300_000);
 * ```
 */
export interface EdgeOptions {
  /**
   * Where trials run. `scout`: on a second link to the same remote, so that
   * learning costs the channel nothing; on the main link where the peer takes
   * no scouts. `main`: on the main link alone, where a second one is unwelcome;
   * it is lost at most `mainFailures` times. Default: `scout`.
   */
  readonly where?: "scout" | "main";
  /** The interval before anything is proven, in ms, 1 to 13,107,100. Default: 25,000, or `startMs` if that is shorter. */
  readonly safeMs?: number;
  /** The shortest idle time that is worth a trial while nothing has failed, in ms, 100 to 6,553,550. Default: 28,000. */
  readonly startMs?: number;
  /** The longest idle time to try, in ms, 1.1 times `startMs` to 13,107,100. Default: 7,200,000 (2 h). */
  readonly maxMs?: number;
  /** How far to stay below what survived, at least, in ms, 0 to half of `startMs`. Default: 1,000. */
  readonly minMarginMs?: number;
  /**
   * The idle timeouts to expect, in ms, each 1 to 13,107,100; other ones are
   * found too, a little later. Default: those of known networks.
   */
  readonly ladderMs?: readonly number[];
  /** How often a search may cost the main link, where trials run there, 1 to 10. Default: 3. */
  readonly mainFailures?: number;
  /**
   * How long a settled answer stands before a longer one is tried, in ms, 1 to
   * 2,592,000,000 (30 days); doubled each time. Default: 14,400,000 (4 h).
   */
  readonly retryAfterMs?: number;
  /**
   * The longest that an answer stands, in ms, `retryAfterMs` to 2,592,000,000
   * (30 days). Default: 43,200,000 (12 h), or `retryAfterMs` if that is longer.
   */
  readonly retryCapMs?: number;
}

/** The share of a proven idle time that is given up for the slack of timers, where it is more than `minMarginMs`. */
const MARGIN = 0.01;
/** Wherever the timeout lies, the interval ends up above this fraction of it. */
const FRACTION = { scout: 0.94, main: 0.9 } as const;
/** What it takes to notice that a trial failed: five unanswered heartbeats. */
const NOTICE_MS = 9_000;
/** A network that cuts by itself does so at the same idle time again, give or take this. */
const SAME = 0.95;
/** Advice may be so many times as long as what is proven: if it is wrong, finding that out takes no more than so many timeouts. */
const REACH = 8;
/** Below this there is no use in trying: no network is like that. */
const SHORTEST_MS = 1_000;

interface Rule extends Required<Omit<EdgeOptions, "ladderMs">> {
  readonly ladder: readonly Rung[];
  /** Made when first needed: many channels are never in the background for long. */
  plan: SearchPlan | undefined;
}

/** The bracket is closed; from `retryAtMs` on (ms since 1970) a longer idle time is worth a trial. */
interface Settled {
  readonly kind: "settled";
  readonly retryAtMs: number;
  readonly retryAfterMs: number;
}

/** Where it stands while nothing contradicts what it knows. */
type Sure = { readonly kind: "searching" } | Settled;

type Phase =
  | Sure
  /** The interval failed where it used to hold: either the network is another one, or it was a mishap and all is as before. */
  | { readonly kind: "doubting"; readonly failedMs: number; readonly before: Sure };

/**
 * Finds how long the network lets a link idle, and stays just below: 97 % of
 * it where it is one of the known timeouts, 94 % or more elsewhere.
 *
 * Trials are holds (the peer answers once the link was silent for the time
 * under test), since only what comes from the peer after a silence proves that
 * pushes get through. They run on a scout by default. What to try next is
 * worked out for where timeouts are likely; one failure while the network was
 * up lowers the upper end of the bracket, and a contradiction reopens it. Once
 * settled, the beats themselves are holds, so each proves the interval anew;
 * when one fails, a safe short interval is used at once, and the old one is
 * tried on a scout before it is given up. Now and then a longer one is tried.
 *
 * With a peer that serves no holds, beats are client-timed pings and each is a
 * trial; an event says that pushes are not covered.
 *
 * @param options Its numbers; the defaults suit most.
 * @returns The strategy.
 * @throws {RangeError} If a number is out of range.
 * @throws {TypeError} If `where` is neither `scout` nor `main`.
 *
 * @example Two trials
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { edge } from "@longlink/pipeline";
 *
 * const search = edge().search();
 * assertEquals(search.intervalMs, 25_000);
 * const trialMs = search.trialMs?.(0)!;
 * assertEquals(trialMs, 50_100);
 * search.judge({ idleMs: trialMs, outcome: "passed", reason: "answered", atMs: 0 });
 * assertEquals(search.intervalMs, 49_100);
 * ```
 */
export function edge(options: EdgeOptions = {}): IntervalStrategy {
  const action = "make the strategy";
  const {
    where = "scout",
    startMs = 28_000,
    safeMs = Math.min(25_000, startMs),
    maxMs = 7_200_000,
    minMarginMs = 1_000,
    ladderMs,
    mainFailures = 3,
    retryAfterMs = 4 * 3_600_000,
    retryCapMs = Math.max(12 * 3_600_000, retryAfterMs),
  } = options;
  if (where !== "scout" && where !== "main") {
    throw new TypeError(`Cannot ${action}: where must be "scout" or "main", got ${String(where)}`);
  }
  const rule: Rule = {
    where,
    safeMs: checkedMs(action, "safeMs", safeMs, 1, MAX_HEARTBEAT_TIME_MS),
    startMs: checkedMs(action, "startMs", startMs, 100, MAX_HEARTBEAT_TIME_MS / 2),
    maxMs: checkedMs(action, "maxMs", maxMs, Math.ceil(startMs * 11 / 10), MAX_HEARTBEAT_TIME_MS),
    minMarginMs: checkedMs(action, "minMarginMs", minMarginMs, 0, startMs / 2),
    mainFailures: checkedCount(action, "mainFailures", mainFailures, 1, 10),
    retryAfterMs: checkedMs(action, "retryAfterMs", retryAfterMs, 1, 30 * 86_400_000),
    retryCapMs: checkedMs(action, "retryCapMs", retryCapMs, retryAfterMs, 30 * 86_400_000),
    ladder: ladderMs?.map((timeoutMs) => ({
      timeoutMs: checkedMs(action, "ladderMs", timeoutMs, 1, MAX_HEARTBEAT_TIME_MS),
      weight: 1,
    })) ?? LADDER,
    plan: undefined,
  };
  return { name: "edge", trials: where, search: (stored) => new EdgeSearch(rule, stored) };
}

const SEARCHING: Phase = { kind: "searching" };

class EdgeSearch implements IntervalSearch {
  readonly #rule: Rule;
  #loMs = 0;
  #hiMs: number | null = null;
  #failuresLeft: number;
  #phase: Phase = SEARCHING;
  #confirmations = 0;
  /** What others are said to have survived, ms; 0 if nobody has said so. */
  #adviceMs = 0;

  constructor(rule: Rule, stored: IntervalRecord | undefined) {
    this.#rule = rule;
    this.#failuresLeft = rule.mainFailures;
    // What only a client's ping has shown says nothing about pushes.
    if (stored === undefined || stored.direction !== "push" || stored.loMs > rule.maxMs) return;
    // Nor is there a network like that, whatever a store says: it would be beaten at all the time.
    if (stored.loMs > 0 && stored.loMs < Math.min(SHORTEST_MS, rule.safeMs)) return;
    this.#loMs = stored.loMs;
    this.#hiMs = stored.hiMs;
    this.#confirmations = stored.confirmations;
    // With nothing known to fail, only the longest idle time of all is an answer.
    const isBounded = this.#hiMs !== null || this.#loMs >= rule.maxMs * 0.99;
    if (stored.isSettled && this.#loMs > 0 && isBounded) this.#settle(stored.atMs, rule.retryAfterMs);
  }

  get intervalMs(): number {
    const { safeMs } = this.#rule;
    if (this.#phase.kind === "doubting" || this.#loMs === 0) {
      return Math.min(safeMs, Math.max((this.#hiMs ?? Infinity) / 2, SHORTEST_MS));
    }
    // The safe interval is not given up for having been proven.
    return Math.max(this.#loMs - this.#marginMs(this.#loMs), Math.min(safeMs, this.#loMs * (1 - MARGIN)));
  }

  get isSettled(): boolean {
    return this.#phase.kind === "settled";
  }

  get bracket(): Bracket {
    return { loMs: this.#loMs, hiMs: this.#hiMs };
  }

  get confirmations(): number {
    return this.#confirmations;
  }

  trialMs(atMs: number): number | undefined {
    switch (this.#phase.kind) {
      case "searching":
        return this.#next();
      case "doubting":
        return this.#loMs;
      case "settled":
        if (!isDue(this.#phase, atMs) || this.#hiMs === null) return undefined;
        if (this.#rule.where === "main" && this.#failuresLeft === 0) return undefined;
        return Math.min(tenthsUp(this.#hiMs * 1.01), this.#rule.maxMs);
    }
  }

  advise(idleMs: number): void {
    const { startMs, maxMs } = this.#rule;
    // Whoever has found out something by himself needs no advice.
    if (this.#loMs === 0 && this.#hiMs === null && idleMs >= startMs) {
      this.#adviceMs = Math.min(idleMs, maxMs);
    }
  }

  judge({ idleMs, outcome, atMs }: Verdict): void {
    if (outcome === "passed") this.#passed(idleMs, atMs);
    else if (outcome === "failed") this.#failed(idleMs, atMs);
  }

  #passed(idleMs: number, atMs: number): void {
    if (this.#phase.kind === "doubting" && idleMs >= this.#loMs) {
      // A mishap: what used to hold still does.
      this.#phase = this.#phase.before;
    }
    if (idleMs <= this.#loMs) {
      this.#confirmations++;
      return;
    }
    this.#loMs = idleMs;
    this.#confirmations = 0;
    if (this.#hiMs !== null && idleMs >= this.#hiMs) this.#reopen();
    this.#settleIfDone(atMs);
  }

  /** A contradiction: longer than what once failed has passed. Search on above it. */
  #reopen(): void {
    this.#hiMs = null;
    this.#failuresLeft = this.#rule.mainFailures;
    this.#phase = SEARCHING;
  }

  #failed(idleMs: number, atMs: number): void {
    const phase = this.#phase;
    if (idleMs > this.#loMs) this.#failuresLeft = Math.max(0, this.#failuresLeft - 1);
    if (phase.kind === "settled" && this.#hiMs !== null && idleMs >= this.#hiMs) {
      // The longer trial failed, as expected; the answer stands, for longer each time.
      this.#settle(atMs, Math.min(phase.retryAfterMs * 2, this.#rule.retryCapMs));
    } else if (idleMs > this.#loMs) {
      this.#hiMs = Math.min(this.#hiMs ?? Infinity, idleMs);
      this.#settleIfDone(atMs);
    } else if (phase.kind !== "doubting" || idleMs < phase.failedMs * SAME) {
      // One such failure may be an outage that ended in the wrong moment: stay safe until a trial of the old value.
      this.#phase = {
        kind: "doubting",
        failedMs: phase.kind === "doubting" ? Math.min(phase.failedMs, idleMs) : idleMs,
        before: phase.kind === "doubting" ? phase.before : phase,
      };
    } else {
      // The timeout has fallen. Nothing that was proven holds any more.
      this.#hiMs = Math.min(idleMs, phase.failedMs);
      this.#loMs = 0;
      this.#confirmations = 0;
      this.#failuresLeft = this.#rule.mainFailures;
      this.#phase = SEARCHING;
    }
  }

  #settleIfDone(atMs: number): void {
    if (this.#phase.kind !== "doubting" && this.#next() === undefined) {
      this.#settle(atMs, this.#rule.retryAfterMs);
    }
  }

  #settle(atMs: number, retryAfterMs: number): void {
    this.#phase = { kind: "settled", retryAtMs: atMs + retryAfterMs, retryAfterMs };
  }

  #next(): number | undefined {
    const loMs = this.#loMs;
    const hiMs = this.#hiMs;
    const failuresLeft = this.#rule.where === "main" ? this.#failuresLeft : 0;
    const adviceMs = this.#adviceMs;
    const isInReach = adviceMs > loMs && adviceMs <= REACH * Math.max(loMs, this.#rule.safeMs);
    if (hiMs === null && isInReach) return adviceMs;
    // Where others came to an end it is likely; they beat a little below what they proved.
    if (hiMs === null && loMs >= adviceMs && loMs * SAME < adviceMs) {
      return this.#plan().pointsMs.find((ms) => ms > loMs);
    }
    if (hiMs === null || hiMs > this.#rule.startMs) return this.#plan().next(loMs, hiMs, failuresLeft);
    // Below everything that is known of networks: go down, then halve the rest.
    const nextMs = tenthsUp(loMs === 0 ? hiMs / 1.5 : Math.sqrt(loMs * hiMs)) - 100;
    return nextMs > loMs * 1.03 && nextMs >= SHORTEST_MS ? nextMs : undefined;
  }

  #plan(): SearchPlan {
    const { where, startMs, maxMs, ladder, mainFailures } = this.#rule;
    return this.#rule.plan ??= new SearchPlan({
      startMs,
      maxMs,
      ladder,
      marginMs: (ms) => this.#marginMs(ms),
      fraction: FRACTION[where],
      failures: where === "main" ? mainFailures : Infinity,
      noticeMs: Math.min(NOTICE_MS, startMs / 3),
    });
  }

  #marginMs(ms: number): number {
    return Math.min(Math.max(this.#rule.minMarginMs, ms * MARGIN), ms / 2);
  }
}

/** A clock that was ahead and was set back since must not put a retry off for years. */
function isDue({ retryAtMs, retryAfterMs }: Settled, atMs: number): boolean {
  return atMs >= retryAtMs || atMs < retryAtMs - 2 * retryAfterMs;
}

/** Heartbeats carry tenths of a second. */
function tenthsUp(ms: number): number {
  return Math.ceil(ms / 100) * 100;
}
