/**
 * What decides the interval: a strategy is a value with options, a search is
 * what it knows of one network.
 *
 * @module
 */

import type { IntervalRecord } from "../stores/interval_store.ts";

/**
 * The longest idle time proven to survive, and the shortest proven to kill.
 *
 * @example How closely a search knows the idle timeout
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type Bracket, stepwise } from "@longlink/pipeline";
 *
 * const widthMs = ({ loMs, hiMs }: Bracket) => (hiMs ?? Infinity) - loMs;
 * const search = stepwise({ failures: 1 }).search();
 * search.judge({ idleMs: 270_000, outcome: "passed", reason: "answered", atMs: 0 });
 * assertEquals(widthMs(search.bracket), Infinity);
 * search.judge({ idleMs: 330_000, outcome: "failed", reason: "unanswered", atMs: 0 });
 * assertEquals(widthMs(search.bracket), 60_000);
 * ```
 */
export interface Bracket {
  /** Longest idle time that the link survived, ms; 0 if none was tested. */
  readonly loMs: number;
  /** Shortest idle time that killed the link, ms; null if none did. */
  readonly hiMs: number | null;
}

/**
 * How a trial ended, or why it says nothing.
 *
 * @example What says nothing changes nothing
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { edge, type Outcome } from "@longlink/pipeline";
 *
 * const bracketAfter = (outcome: Outcome) => {
 *   const search = edge().search();
 *   search.judge({ idleMs: 60_000, outcome, reason: "a trial", atMs: 0 });
 *   return search.bracket;
 * };
 * assertEquals(bracketAfter("passed"), { loMs: 60_000, hiMs: null });
 * assertEquals(bracketAfter("failed"), { loMs: 0, hiMs: 60_000 });
 * assertEquals(bracketAfter("void"), { loMs: 0, hiMs: null });
 * ```
 */
export type Outcome = "passed" | "failed" | "void";

/**
 * What was learned from one silence and the beat that ended it.
 *
 * @example Playing a log of verdicts to a search
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { edge, type Verdict } from "@longlink/pipeline";
 *
 * const log: Verdict[] = [
 *   { idleMs: 60_000, outcome: "passed", reason: "answered", atMs: 60_000 },
 *   { idleMs: 120_000, outcome: "void", reason: "networkChanged", atMs: 90_000 },
 *   { idleMs: 180_000, outcome: "failed", reason: "unanswered", atMs: 280_000 },
 * ];
 * const search = edge().search();
 * for (const verdict of log) search.judge(verdict);
 * assertEquals(search.bracket, { loMs: 60_000, hiMs: 180_000 });
 * ```
 */
export interface Verdict {
  /** How long the link was to be silent, ms. */
  readonly idleMs: number;
  /** Whether it survived that. */
  readonly outcome: Outcome;
  /** Why, in a few words. */
  readonly reason: string;
  /** When, ms since 1970. */
  readonly atMs: number;
}

/**
 * Decides the interval for the networks that a channel meets.
 *
 * @example A strategy of one's own: always half of what survived
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, EmbeddedChannel, IdleStateHandler, type IntervalStrategy } from "@longlink/pipeline";
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
 * const handler = new AdaptiveIntervalHandler({ strategy: cautious, warmUpBeats: 1 });
 * const channel = new EmbeddedChannel({ active: false, handlers: [new IdleStateHandler(), handler] });
 * assertEquals(handler.snapshot()?.intervalMs, 30_000);
 * await channel.close();
 * ```
 */
export interface IntervalStrategy {
  /** Short name, for events and tables. */
  readonly name: string;
  /**
   * How it learns. `beats`: each beat after a full silence is a trial, timed by
   * the client. `scout` and `main`: from trials of their own, which are holds,
   * on a second link or on the main one. Default: `beats`.
   */
  readonly trials?: "beats" | "scout" | "main";
  /**
   * Starts on a network.
   *
   * @param stored What an earlier search of this strategy learned there.
   * @returns The search.
   */
  search(stored?: IntervalRecord): IntervalSearch;
}

/**
 * What a strategy knows of one network, and what it wants next.
 *
 * @example What a strategy makes of a network that forgets after five minutes
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { edge, type IntervalSearch, stepwise } from "@longlink/pipeline";
 *
 * function settle(search: IntervalSearch): number {
 *   while (!search.isSettled) {
 *     const idleMs = search.trialMs?.(0) ?? search.intervalMs;
 *     search.judge({ idleMs, outcome: idleMs < 300_000 ? "passed" : "failed", reason: "simulated", atMs: 0 });
 *   }
 *   return search.intervalMs;
 * }
 * assert(settle(edge().search()) > 0.96 * 300_000);
 * assertEquals(settle(stepwise().search()), 260_000);
 * ```
 */
export interface IntervalSearch {
  /** How long to let the link idle before the next beat, ms, above 0. */
  readonly intervalMs: number;
  /** Whether it has an answer; otherwise each beat is a trial and the network must be stable first. */
  readonly isSettled: boolean;
  /** What was proven. */
  readonly bracket: Bracket;
  /** How often the proven idle time was proven again. Default: 0. */
  readonly confirmations?: number;
  /**
   * The idle time that is worth a trial now, in ms; undefined if none is.
   * Asked only of strategies that learn from trials of their own.
   *
   * @param atMs The time, ms since 1970.
   */
  trialMs?(atMs: number): number | undefined;
  /**
   * Takes what a server has seen links of the same network survive: a hint at
   * what to try, of doubtful origin and age, and no proof of anything. Called
   * only where trials run on a scout.
   *
   * @param idleMs How long they were silent, ms.
   */
  advise?(idleMs: number): void;
  /**
   * Takes what a beat after a full silence has shown.
   *
   * @param verdict How it ended.
   */
  judge(verdict: Verdict): void;
}
