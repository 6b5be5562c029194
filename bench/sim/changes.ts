/**
 * Networks whose timeout changes once a strategy has settled.
 *
 * @module
 */

import type { ExpiryMode } from "./nat.ts";
import type { RunResult } from "./recorder.ts";
import { run } from "./run.ts";
import type { Contestant } from "./strategies.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** When it changes: late enough for most to have settled, and not together with any trial. */
const CHANGE_MS = 48 * HOUR_MS;
/** At four moments of the beat's cycle. */
const MOMENTS = [0.1, 0.35, 0.6, 0.85];
const FALLING_S = [150, 300, 600, 1800, 3600];
const RISING_S = [30, 60, 100, 300, 600, 1400];
const FACTOR = 5;

/** How it took one change. */
export interface ChangeOutcome {
  readonly mode: ExpiryMode;
  readonly fromS: number;
  readonly toS: number;
  /**
   * After a fall: how long after the next beat was due the interval went down.
   * After a rise: how long until the interval was 0.9 of the new timeout. Ms;
   * null for never, or not in use before.
   */
  readonly lateMs: number | null;
}

/** Lets the timeout fall to a fifth. */
export function falls(contestant: Contestant, modes: readonly ExpiryMode[]): Promise<ChangeOutcome[]> {
  return changes(
    contestant,
    modes,
    FALLING_S,
    1 / FACTOR,
    CHANGE_MS + 6 * HOUR_MS,
    (result, mode, changeMs) => {
      const before = result.intervals.findLast(({ atMs }) => atMs <= changeMs)!;
      // A box that cuts by itself takes the beat along; the next one is that of the next link.
      const cut = result.log.find(({ atMs, what }) =>
        atMs >= changeMs && what.startsWith("link down: reset")
      );
      const lastMs = mode === "reset" && cut !== undefined ? cut.atMs : result.lastBeforeChangesMs[0]!;
      const lower = result.intervals.find(({ atMs, intervalMs }) =>
        atMs > changeMs && intervalMs < before.intervalMs
      );
      return lower === undefined ? null : lower.atMs - Math.max(changeMs, lastMs + before.intervalMs);
    },
  );
}

/** Lets the timeout rise fivefold. */
export function rises(contestant: Contestant, modes: readonly ExpiryMode[]): Promise<ChangeOutcome[]> {
  return changes(
    contestant,
    modes,
    RISING_S,
    FACTOR,
    CHANGE_MS + 2 * DAY_MS,
    (result, _mode, changeMs, toMs) => {
      const adopted = result.intervals.find(({ atMs, intervalMs }) =>
        atMs > changeMs && intervalMs >= 0.9 * toMs && intervalMs < toMs
      );
      return adopted === undefined ? null : adopted.atMs - changeMs;
    },
  );
}

async function changes(
  { strategy }: Contestant,
  modes: readonly ExpiryMode[],
  fromTimeoutsS: readonly number[],
  factor: number,
  lengthMs: number,
  late: (result: RunResult, mode: ExpiryMode, changeMs: number, toMs: number) => number | null,
): Promise<ChangeOutcome[]> {
  const found: ChangeOutcome[] = [];
  for (const mode of modes) {
    for (const fromS of fromTimeoutsS) {
      for (const moment of MOMENTS) {
        const changeMs = CHANGE_MS + moment * fromS * 1_000;
        const toMs = fromS * 1_000 * factor;
        const timeouts = [{ fromMs: 0, timeoutMs: fromS * 1_000 }, { fromMs: changeMs, timeoutMs: toMs }];
        const result = await run({ strategy: strategy(), mode, timeouts, lengthMs });
        found.push({ mode, fromS, toS: toMs / 1_000, lateMs: late(result, mode, changeMs, toMs) });
      }
    }
  }
  return found;
}
