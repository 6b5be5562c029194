/**
 * Where learned intervals are kept.
 *
 * @module
 */

import { problemOf } from "./_interval_record.ts";

/**
 * What was learned of one network. Plain data, so that any store can keep it.
 *
 * @example A search that goes on where another one has ended
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { edge, type IntervalRecord } from "@longlink/pipeline";
 *
 * const learned = { strategy: "edge", intervalMs: 295_000, loMs: 298_500, hiMs: 303_000 };
 * const record: IntervalRecord = { ...learned, isSettled: true, atMs: 0, direction: "push", confirmations: 3 };
 * const search = edge().search(record);
 * assertEquals([search.isSettled, search.bracket], [true, { loMs: 298_500, hiMs: 303_000 }]);
 * ```
 */
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
  /** When the bracket last changed or was last tried, ms since 1970; a mere confirmation leaves it. */
  readonly atMs: number;
  /** What was proven: that pushes get through after the silence, or only that the client's own packets do. */
  readonly direction: "push" | "client";
  /** How often the interval was proven again. */
  readonly confirmations: number;
}

/**
 * Keeps one record for each network.
 *
 * A store may be slow, and it may fail: the interval is learned without it
 * meanwhile, and the failure comes as `exceptionCaught`. What it gives back is
 * checked again, so a store need not judge what it holds.
 *
 * @example A store of one's own
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type IntervalRecord, type IntervalStore, keepAlive } from "@longlink/pipeline";
 *
 * const rows = new Map<string, IntervalRecord>();
 * const store: IntervalStore = {
 *   get: (network) => Promise.resolve(rows.get(network)),
 *   set: async (network, record) => void rows.set(network, record),
 * };
 * assertEquals(keepAlive({ store }).length, 8);
 * ```
 */
export interface IntervalStore {
  /**
   * What is known of a network.
   *
   * @param network The network's identity: any text, the empty one included.
   * @returns The record, or undefined.
   */
  get(network: string): IntervalRecord | undefined | Promise<IntervalRecord | undefined>;
  /**
   * Keeps a record, in place of an earlier one. Of calls for one network the
   * last one counts, also where they were not awaited.
   *
   * @param network The network's identity.
   * @param record What was learned.
   */
  set(network: string, record: IntervalRecord): void | Promise<void>;
}

/**
 * Tells whether something read from outside is a usable record: a store may
 * have been damaged or written by another version, and a wrong interval is
 * worse than none. Times must be such as a heartbeat can carry (up to
 * 13,107,100 ms), and `intervalMs` and `loMs` must be below `hiMs`.
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
  return problemOf(value) === undefined;
}
