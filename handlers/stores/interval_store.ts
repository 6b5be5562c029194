/**
 * Where learned intervals are kept.
 *
 * @module
 */

/** What was learned of one network. Plain data, so that any store can keep it. */
export interface IntervalRecord {
  /** Name of the strategy that learned it. */
  readonly strategy: string;
  /** The interval in use, ms. */
  readonly intervalMs: number;
  /** Longest idle time that survived, ms; 0 if none was tested. */
  readonly loMs: number;
  /** Shortest idle time that killed a link, ms; null if none did. */
  readonly hiMs: number | null;
  /** Whether the search had ended. */
  readonly isSettled: boolean;
  /** When it was learned, ms since 1970. */
  readonly atMs: number;
  /** What was proven: that pushes get through after the silence, or only that the client's own packets do. */
  readonly direction: "push" | "client";
  /** How often the interval was proven again. */
  readonly confirmations: number;
}

/** Keeps one record for each network. */
export interface IntervalStore {
  /**
   * What is known of a network.
   *
   * @param network The network's identity.
   * @returns The record, or undefined.
   */
  get(network: string): IntervalRecord | undefined | Promise<IntervalRecord | undefined>;
  /**
   * Keeps a record, in place of an earlier one.
   *
   * @param network The network's identity.
   * @param record What was learned.
   */
  set(network: string, record: IntervalRecord): void | Promise<void>;
}

/**
 * Tells whether something read from outside is a usable record: a store may
 * have been damaged or written by another version, and a wrong interval is
 * worse than none.
 *
 * @param value What was read.
 * @returns Whether it is one.
 *
 * @example Garbage is not a record
 * ```ts
 * import { assertFalse } from "@std/assert";
 * import { isIntervalRecord } from "@longlink/pipeline";
 *
 * assertFalse(isIntervalRecord({ intervalMs: -1 }));
 * ```
 */
export function isIntervalRecord(value: unknown): value is IntervalRecord {
  if (typeof value !== "object" || value === null) return false;
  const { strategy, intervalMs, loMs, hiMs, isSettled, atMs, direction, confirmations } = value as Record<
    string,
    unknown
  >;
  return (direction === "push" || direction === "client") && isTime(confirmations) &&
    typeof strategy === "string" && typeof isSettled === "boolean" &&
    isTime(intervalMs) && intervalMs > 0 && isTime(loMs) && isTime(atMs) &&
    (hiMs === null || (isTime(hiMs) && hiMs > loMs));
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && Number.isFinite(value);
}
