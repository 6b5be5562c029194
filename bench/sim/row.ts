/**
 * What is kept of a run, and what of it goes into tables.
 *
 * @module
 */

import { edge, IntervalAdviceHandler } from "../../handlers/mod.ts";
import { VirtualEventLoop } from "../../pipeline/mod.ts";
import type { ExpiryMode } from "./nat.ts";
import { MAX_MS } from "./recorder.ts";
import { run, type RunOptions } from "./run.ts";
import type { Contestant } from "./strategies.ts";

/** One strategy on one network. Null: never. */
export interface Row {
  readonly strategy: string;
  readonly mode: ExpiryMode;
  readonly timeoutS: number;
  readonly finalIntervalS: number;
  /** The final interval as a part of the timeout, or of the longest that is tried where that is less. */
  readonly fraction: number;
  /** How long it took to settle, in timeouts. */
  readonly settledInT: number | null;
  /** How long it took to an interval of 0.8 timeouts (and less than 1), in timeouts. */
  readonly usableInT: number | null;
  /** Heartbeats once settled, as a multiple of one for each timeout. */
  readonly beatsPerIdeal: number;
  /** Share of the time, once settled, in which a push would be lost. */
  readonly unreachableShare: number;
  readonly mainDropsWhileLearning: number;
  readonly trials: number;
}

/** A row, and what else the table of targets needs. */
export interface Outcome {
  readonly row: Row;
  /** The longest interval that was ever in use, as a part of the timeout. */
  readonly longestFraction: number;
  /** {@linkcode Row.unreachableShare} without what trials on the main link cost. */
  readonly unreachableBesidesTrials: number;
}

/** What a run is like apart from strategy, mode and timeout. */
export type Conditions =
  & Pick<
    RunOptions,
    "lengthMs" | "seed" | "roundTripMs" | "loss" | "outages" | "pushesPerHour" | "messagesPerHour"
  >
  & {
    /** Whether each run is that of a second client, whom the server tells what a first one learned there. Default: false. */
    readonly advised?: boolean;
  };

/** How the first client learns, whatever the second one does. */
const FIRST = edge();

/** Runs a strategy on one network. */
export async function outcomeOf(
  { name, strategy }: Contestant,
  mode: ExpiryMode,
  timeoutS: number,
  conditions: Conditions,
): Promise<Outcome> {
  const timeouts = [{ fromMs: 0, timeoutMs: timeoutS * 1_000 }];
  const options = { ...conditions, mode, timeouts };
  const result = await run({
    ...options,
    ...(conditions.advised ? await advice(options) : undefined),
    strategy: strategy(),
  });
  if (result.errors.length > 0) {
    throw new Error(`Cannot trust ${name} at ${timeoutS} s, ${mode}: errors reached the application`, {
      cause: result.errors[0],
    });
  }
  const countedMs = Math.min(timeoutS * 1_000, MAX_MS);
  const row: Row = {
    strategy: name,
    mode,
    timeoutS,
    finalIntervalS: result.finalIntervalMs / 1_000,
    fraction: rounded(result.finalIntervalMs / countedMs),
    settledInT: result.settledMs === null ? null : rounded(result.settledMs / countedMs),
    usableInT: result.usableMs === null ? null : rounded(result.usableMs / countedMs),
    beatsPerIdeal: rounded(result.beats / (result.beatsMs / countedMs)),
    unreachableShare: rounded(result.unreachableShare),
    mainDropsWhileLearning: result.lostByLearning,
    trials: result.trials,
  };
  return {
    row,
    longestFraction: Math.max(...result.intervals.map(({ intervalMs }) => intervalMs)) / countedMs,
    unreachableBesidesTrials: rounded(result.unreachableBesidesTrials),
  };
}

/** What a server knows once a first client has learned there, and what time it is then. */
async function advice(options: Omit<RunOptions, "strategy">): Promise<Partial<RunOptions>> {
  const advice = new IntervalAdviceHandler({ networkOf: () => "simulated" });
  await run({ ...options, strategy: FIRST, advice });
  return { advice, wallStartMs: new VirtualEventLoop().wallNow() + options.lengthMs };
}

/** More digits than these are noise. */
export function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
