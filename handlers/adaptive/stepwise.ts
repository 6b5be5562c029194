/**
 * The classic strategy: raise the interval step by step.
 *
 * @module
 */

import { checkedCount, checkedMs } from "../_checks.ts";
import { MAX_HEARTBEAT_TIME_MS } from "../heartbeat/heartbeat.ts";
import type { IntervalRecord } from "../stores/interval_store.ts";
import type { Bracket, IntervalSearch, IntervalStrategy, Verdict } from "./interval_strategy.ts";

/**
 * Options of {@linkcode stepwise}.
 *
 * @example Shorter steps, and two failures are enough
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { stepwise, type StepwiseOptions } from "@longlink/pipeline";
 *
 * const options: StepwiseOptions = { startMs: 60_000, stepMs: 30_000, failures: 2, marginMs: 5_000 };
 * const search = stepwise(options).search();
 * search.judge({ idleMs: 60_000, outcome: "passed", reason: "answered", atMs: 0 });
 * assertEquals(search.intervalMs, 90_000);
 * for (let i = 0; i < 2; i++) search.judge({ idleMs: 90_000, outcome: "failed", reason: "unanswered", atMs: 0 });
 * assertEquals([search.isSettled, search.intervalMs], [true, 55_000]);
 * ```
 */
export interface StepwiseOptions {
  /** The first interval, in ms, 1 to 13,107,100. Default: 270,000 (4.5 min). */
  readonly startMs?: number;
  /** How much more after each interval that survived, in ms, 1 to 13,107,100. Default: 60,000. */
  readonly stepMs?: number;
  /** How often one interval must fail before it is given up, 1 to 1,000. Default: 5. */
  readonly failures?: number;
  /** How far to stay below the last good interval, in ms, 0 to 13,107,100; at most half of it. Default: 10,000. */
  readonly marginMs?: number;
  /** The longest interval to use, in ms, `startMs` to 13,107,100. Default: 7,200,000 (2 h), or `startMs` if that is longer. */
  readonly maxMs?: number;
}

type State =
  /** Trying `intervalMs`; `goodMs` survived before it (0: nothing did yet). */
  | {
    readonly kind: "raising";
    readonly intervalMs: number;
    readonly goodMs: number;
    readonly failures: number;
  }
  /** No interval survived yet, going down from the start. */
  | {
    readonly kind: "lowering";
    readonly intervalMs: number;
    readonly failedMs: number;
    readonly failures: number;
  }
  /** Found: `goodMs` survives, `failedMs` does not (null: the maximum survives). */
  | {
    readonly kind: "settled";
    readonly goodMs: number;
    readonly failedMs: number | null;
    readonly failures: number;
  };

/**
 * The classic rule, as phone makers and messengers have long used it: raise
 * the interval until a value has failed 5 times, settle on the last good one
 * less a margin; when that one fails 5 times the network has changed, so start
 * over. If even the first value fails, it is lowered instead.
 *
 * It is client-timed: behind a NAT that lets a client's packet revive a
 * forgotten entry (Linux does by default) its beats are answered although
 * pushes were lost, and the interval that it learns is too long.
 *
 * @param options Its numbers.
 * @returns The strategy.
 * @throws {RangeError} If a number is out of range.
 *
 * @example Raising, failing, settling
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { stepwise } from "@longlink/pipeline";
 *
 * const search = stepwise().search();
 * search.judge({ idleMs: 270_000, outcome: "passed", reason: "answered", atMs: 0 });
 * assertEquals(search.intervalMs, 330_000);
 * for (let i = 0; i < 5; i++) search.judge({ idleMs: 330_000, outcome: "failed", reason: "unanswered", atMs: 0 });
 * assert(search.isSettled);
 * assertEquals(search.intervalMs, 260_000);
 * ```
 */
export function stepwise(options: StepwiseOptions = {}): IntervalStrategy {
  const action = "make the strategy";
  const {
    startMs = 270_000,
    stepMs = 60_000,
    failures = 5,
    marginMs = 10_000,
    maxMs = Math.max(7_200_000, startMs),
  } = options;
  checkedMs(action, "startMs", startMs, 1, MAX_HEARTBEAT_TIME_MS);
  checkedMs(action, "stepMs", stepMs, 1, MAX_HEARTBEAT_TIME_MS);
  checkedCount(action, "failures", failures, 1, 1_000);
  checkedMs(action, "marginMs", marginMs, 0, MAX_HEARTBEAT_TIME_MS);
  checkedMs(action, "maxMs", maxMs, startMs, MAX_HEARTBEAT_TIME_MS);
  const rule: Rule = { startMs, stepMs, failures, marginMs, maxMs };
  return { name: "stepwise", search: (stored) => new StepwiseSearch(rule, stored) };
}

type Rule = Required<StepwiseOptions>;

class StepwiseSearch implements IntervalSearch {
  readonly #rule: Rule;
  #state: State;

  constructor(rule: Rule, stored: IntervalRecord | undefined) {
    this.#rule = rule;
    this.#state = stored !== undefined && stored.loMs > 0 && stored.loMs <= rule.maxMs
      ? this.#continued(stored)
      : this.#fromStart();
  }

  get intervalMs(): number {
    if (this.#state.kind !== "settled") return this.#state.intervalMs;
    const { goodMs } = this.#state;
    // A margin as large as the interval would leave nothing of it.
    return Math.max(goodMs - this.#rule.marginMs, goodMs / 2);
  }

  get isSettled(): boolean {
    return this.#state.kind === "settled";
  }

  get bracket(): Bracket {
    const state = this.#state;
    if (state.kind === "raising") return { loMs: state.goodMs, hiMs: null };
    if (state.kind === "lowering") return { loMs: 0, hiMs: state.failedMs };
    return { loMs: state.goodMs, hiMs: state.failedMs };
  }

  judge({ outcome }: Verdict): void {
    if (outcome === "passed") this.#state = this.#afterPass();
    else if (outcome === "failed") this.#state = this.#afterFailure();
  }

  /** What survived need not be tried again; a search interrupted by each restart would never end. */
  #continued({ loMs, hiMs, isSettled }: IntervalRecord): State {
    return isSettled ? { kind: "settled", goodMs: loMs, failedMs: hiMs, failures: 0 } : this.#raised(loMs);
  }

  #fromStart(): State {
    return { kind: "raising", intervalMs: this.#rule.startMs, goodMs: 0, failures: 0 };
  }

  #afterPass(): State {
    const state = this.#state;
    switch (state.kind) {
      case "raising":
        return this.#raised(state.intervalMs);
      case "lowering":
        return { kind: "settled", goodMs: state.intervalMs, failedMs: state.failedMs, failures: 0 };
      case "settled":
        return { ...state, failures: 0 };
    }
  }

  #afterFailure(): State {
    const { stepMs } = this.#rule;
    const state = this.#state;
    if (state.failures + 1 < this.#rule.failures) return { ...state, failures: state.failures + 1 };
    switch (state.kind) {
      case "raising":
        return state.goodMs > 0
          ? { kind: "settled", goodMs: state.goodMs, failedMs: state.intervalMs, failures: 0 }
          : this.#lowered(state.intervalMs, stepMs);
      case "lowering":
        return this.#lowered(state.intervalMs, stepMs);
      case "settled":
        return this.#fromStart();
    }
  }

  /** A step up, or done where there is none left. */
  #raised(goodMs: number): State {
    const { stepMs, maxMs } = this.#rule;
    if (goodMs >= maxMs) return { kind: "settled", goodMs, failedMs: null, failures: 0 };
    return { kind: "raising", intervalMs: Math.min(goodMs + stepMs, maxMs), goodMs, failures: 0 };
  }

  /** A step down, or half where a whole step would leave too little. */
  #lowered(failedMs: number, stepMs: number): State {
    return {
      kind: "lowering",
      intervalMs: Math.max(1, failedMs > 2 * stepMs ? failedMs - stepMs : failedMs / 2),
      failedMs,
      failures: 0,
    };
  }
}
