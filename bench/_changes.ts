/** Ratios then and now, and which differences mean something. */

import type { Ratio } from "./_table.ts";

/** Ratios by the names of their rows. */
export type Ratios = Readonly<Record<string, Ratio>>;

/** A ratio then and now. */
export interface Change {
  readonly name: string;
  readonly before: Ratio;
  readonly now: Ratio;
}

/** A median absolute deviation times this is a standard deviation, of what is normally distributed. */
const DEVIATIONS = 1.4826;
/** How many standard deviations of both sides together are noise. */
const NOISE = 3;
/** Three runs may agree by luck: less than this share is noise in any case. */
const LEAST_NOISE = 0.15;

/** What both have. */
export function changesOf(baseline: Ratios, found: Ratios): Change[] {
  return Object.entries(found).flatMap(([name, now]) => {
    const before = baseline[name];
    return before === undefined ? [] : [{ name, before, now }];
  });
}

/** How many times the ratio of then it is now. */
export function grew({ before, now }: Change): number {
  return now.ratio / before.ratio;
}

/** Whether we take longer, next to the peer, by more than noise. */
export function isWorse(change: Change): boolean {
  return grew(change) > 1 && !isNoise(change);
}

/** Whether we take less time, next to the peer, by more than noise. */
export function isBetter(change: Change): boolean {
  return grew(change) < 1 && !isNoise(change);
}

function isNoise({ before, now }: Change): boolean {
  const deviation = NOISE * DEVIATIONS * Math.hypot(before.deviation, now.deviation);
  return Math.abs(now.ratio - before.ratio) <= Math.max(deviation, LEAST_NOISE * before.ratio);
}
