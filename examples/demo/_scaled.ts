/**
 * The library's numbers, scaled to a NAT that forgets within seconds.
 *
 * @module
 */

import {
  type AnswerKeepAliveOptions,
  edge,
  fixedInterval,
  type IntervalStrategy,
  type KeepAliveOptions,
  stepwise,
} from "../../mod.ts";

/** The idle timeout that the defaults are scaled from: that of many mobile networks. */
const TYPICAL_TIMEOUT_MS = 300_000;
/** Round timeouts of real networks, as the default of `edge()` has them. */
const TYPICAL_LADDER_MS = [30, 55, 60, 90, 100, 120, 180, 240, 300, 350, 600, 900, 1800, 3600, 7200]
  .map((seconds) => seconds * 1000);
/** A process is late by this much now and then; a shorter wait for an answer would take that for a dead link. */
const MIN_ANSWER_MS = 100;

/** The strategies that the demo can show. */
export const STRATEGIES: Readonly<Record<string, (scale: number) => IntervalStrategy>> = {
  edge: (scale) =>
    edge({
      safeMs: 25_000 * scale,
      startMs: Math.max(28_000 * scale, 100),
      maxMs: 7_200_000 * scale,
      minMarginMs: 1_000 * scale,
      ladderMs: TYPICAL_LADDER_MS.map((ms) => ms * scale),
    }),
  stepwise: (scale) =>
    stepwise({
      startMs: 270_000 * scale,
      stepMs: 60_000 * scale,
      marginMs: 10_000 * scale,
      maxMs: 7_200_000 * scale,
    }),
  fixed: (scale) => fixedInterval(240_000 * scale),
};

/** How much shorter than usual everything is. */
export function scaleOf(natTimeoutMs: number): number {
  return natTimeoutMs / TYPICAL_TIMEOUT_MS;
}

/** What the client's `keepAlive()` gets. */
export function clientOptions(strategy: string, scale: number): KeepAliveOptions {
  return {
    strategy: STRATEGIES[strategy]!(scale),
    foregroundIntervalMs: 25_000 * scale,
    warmUpIntervalMs: Math.max(5_000 * scale, MIN_ANSWER_MS),
    minAnswerMs: MIN_ANSWER_MS,
    maxAnswerMs: Math.max(10_000 * scale, 5 * MIN_ANSWER_MS),
    reconnect: { firstMs: Math.max(800 * scale, 50), capMs: Math.max(5_000 * scale, 500), lateCapMs: 5_000 },
  };
}

/** What the server's `answerKeepAlive()` gets. */
export function serverOptions(scale: number): AnswerKeepAliveOptions {
  return { graceMs: Math.max(15_000 * scale, 3_000), firstPingMs: Math.max(60_000 * scale, 5_000) };
}
