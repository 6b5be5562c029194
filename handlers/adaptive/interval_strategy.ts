/**
 * What decides the interval: a strategy is a value with options, a search is
 * what it knows of one network.
 *
 * @module
 */

import type { IntervalRecord } from "../stores/interval_store.ts";

/** The longest idle time proven to survive, and the shortest proven to kill. */
export interface Bracket {
  /** Longest idle time that the link survived, ms; 0 if none was tested. */
  readonly loMs: number;
  /** Shortest idle time that killed the link, ms; null if none did. */
  readonly hiMs: number | null;
}

/** How a trial ended, or why it says nothing. */
export type Outcome = "passed" | "failed" | "void";

/** What was learned from one silence and the beat that ended it. */
export interface Verdict {
  /** How long the link was to be silent, ms. */
  readonly idleMs: number;
  /** Whether it survived that. */
  readonly outcome: Outcome;
  /** Why, in a few words. */
  readonly reason: string;
}

/**
 * Decides the interval for the networks that a channel meets.
 *
 * @example A strategy of one's own: always half of what survived
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, type IntervalStrategy } from "@longlink/pipeline";
 *
 * const cautious: IntervalStrategy = {
 *   name: "cautious",
 *   search: () => {
 *     let loMs = 60_000;
 *     return {
 *       get intervalMs() {
 *         return loMs / 2;
 *       },
 *       isSettled: false,
 *       get bracket() {
 *         return { loMs, hiMs: null };
 *       },
 *       judge: (verdict) => void (verdict.outcome === "passed" && (loMs = verdict.idleMs)),
 *     };
 *   },
 * };
 * assertEquals(new AdaptiveIntervalHandler({ strategy: cautious }).snapshot().intervalMs, 30_000);
 * ```
 */
export interface IntervalStrategy {
  /** Short name, for events and tables. */
  readonly name: string;
  /**
   * Starts on a network.
   *
   * @param stored What an earlier search of this strategy learned there.
   * @returns The search.
   */
  search(stored?: IntervalRecord): IntervalSearch;
}

/** What a strategy knows of one network, and what it wants next. */
export interface IntervalSearch {
  /** How long to let the link idle before the next beat, ms, above 0. */
  readonly intervalMs: number;
  /** Whether it has an answer; otherwise each beat is a trial and the network must be stable first. */
  readonly isSettled: boolean;
  /** What was proven. */
  readonly bracket: Bracket;
  /**
   * Takes what a beat after a full silence has shown.
   *
   * @param verdict How it ended.
   */
  judge(verdict: Verdict): void;
}
