/**
 * How long a probe may still take.
 *
 * @module
 */

import type { ProbeSnapshot } from "../mod.ts";

/** How narrow the bracket is to become. */
export interface Precision {
  readonly precisionMs: number;
  readonly precision: number;
}

/** What is left to do, about. */
export interface Forecast {
  readonly trials: number;
  readonly ms: number;
}

/** No bracket becomes narrower: heartbeats carry tenths of a second. */
const FINEST_MS = 200;
/**
 * A trial that has failed is asked some more times, and takes so much longer;
 * of two trials one fails.
 */
const FAILURE_MS = 9_000;

/**
 * Estimates what is left, as if each round of trials divided the bracket evenly
 * (on the scale of its logarithm). The search knows likely timeouts, so it is
 * off by a trial or two.
 *
 * @returns The estimate, or undefined while one end of the bracket is not known.
 */
export function forecast(
  { bracket: { loMs, hiMs }, running, parallel }: Pick<ProbeSnapshot, "bracket" | "running" | "parallel">,
  { precisionMs, precision }: Precision,
): Forecast | undefined {
  if (hiMs === null || loMs === 0) return undefined;
  const enoughMs = Math.max(FINEST_MS, precisionMs, precision * loMs);
  const parts = Math.log(hiMs / loMs) / Math.log1p(enoughMs / loMs);
  const leftToDo = Math.max(0, Math.ceil(Math.log(parts) / Math.log(parallel + 1) - 1e-9));
  // What runs is part of what is left.
  const rounds = Math.max(leftToDo, running.length > 0 ? 1 : 0);
  const roundMs = Math.sqrt(loMs * hiMs) + FAILURE_MS / 2;
  const thisRoundMs = running.length > 0 ? Math.max(...running.map(({ leftMs }) => leftMs)) : roundMs;
  return rounds === 0
    ? { trials: 0, ms: 0 }
    : { trials: rounds * parallel, ms: thisRoundMs + (rounds - 1) * roundMs };
}
