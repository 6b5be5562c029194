/**
 * The strategy that does not learn.
 *
 * @module
 */

import { checkedMs } from "../_checks.ts";
import { MAX_HEARTBEAT_TIME_MS } from "../heartbeat/heartbeat.ts";
import type { IntervalStrategy } from "./interval_strategy.ts";

/**
 * Always the same interval. Four minutes is the classic choice: many mobile
 * networks forget a link after five.
 *
 * @param intervalMs The interval, in ms, 1 to 13,107,100. Default: 240,000 (4 min).
 * @returns The strategy.
 * @throws {RangeError} If the interval is out of range.
 *
 * @example Every four minutes
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { fixedInterval } from "@longlink/pipeline";
 *
 * assertEquals(fixedInterval().search().intervalMs, 240_000);
 * ```
 */
export function fixedInterval(intervalMs: number = 240_000): IntervalStrategy {
  checkedMs("make the strategy", "intervalMs", intervalMs, 1, MAX_HEARTBEAT_TIME_MS);
  const search = { intervalMs, isSettled: true, bracket: { loMs: 0, hiMs: null }, judge() {} };
  return { name: "fixed", search: () => search };
}
