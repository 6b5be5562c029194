/**
 * Keeps learned intervals in memory.
 *
 * @module
 */

import type { IntervalRecord, IntervalStore } from "./interval_store.ts";

/**
 * Options of {@linkcode MemoryIntervalStore}.
 *
 * @example Two networks, and no more
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type IntervalRecord, MemoryIntervalStore, type MemoryIntervalStoreOptions } from "@longlink/pipeline";
 *
 * const learned = { strategy: "edge", intervalMs: 295_000, loMs: 298_500, hiMs: 303_000 };
 * const record: IntervalRecord = { ...learned, isSettled: true, atMs: 0, direction: "push", confirmations: 3 };
 * const options: MemoryIntervalStoreOptions = { maxNetworks: 2 };
 * const store = new MemoryIntervalStore(options);
 * for (const network of ["home", "train", "office"]) store.set(network, record);
 * assertEquals([store.size, store.get("home")], [2, undefined]);
 * ```
 */
export interface MemoryIntervalStoreOptions {
  /** How many networks to keep; the one not used for longest goes first. 1 or more. Default: 100. */
  readonly maxNetworks?: number;
}

/**
 * An {@linkcode IntervalStore} for as long as the process lives, bounded.
 *
 * @example The least recently used network is forgotten
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type IntervalRecord, MemoryIntervalStore } from "@longlink/pipeline";
 *
 * const store = new MemoryIntervalStore({ maxNetworks: 1 });
 * const record: IntervalRecord = {
 *   strategy: "stepwise",
 *   intervalMs: 260_000,
 *   loMs: 270_000,
 *   hiMs: 330_000,
 *   isSettled: true,
 *   atMs: 0,
 *   direction: "client",
 *   confirmations: 0,
 * };
 * store.set("home", record);
 * store.set("train", record);
 * assertEquals(store.get("home"), undefined);
 * ```
 */
export class MemoryIntervalStore implements IntervalStore {
  readonly #maxNetworks: number;
  /** A map keeps the order of insertion: the first entry is the least recently used. */
  readonly #records = new Map<string, IntervalRecord>();

  /**
   * Makes an empty store.
   *
   * @param options Its bound.
   * @throws {RangeError} If `maxNetworks` is not a whole number of 1 or more.
   */
  constructor(options: MemoryIntervalStoreOptions = {}) {
    const { maxNetworks = 100 } = options;
    if (!Number.isInteger(maxNetworks) || maxNetworks < 1) {
      throw new RangeError(
        `Cannot make the store: maxNetworks must be a whole number of 1 or more, got ${maxNetworks}`,
      );
    }
    this.#maxNetworks = maxNetworks;
  }

  /** How many networks it knows. */
  get size(): number {
    return this.#records.size;
  }

  /**
   * Looks a network up, which makes it the most recently used one.
   *
   * @param network The network's identity.
   * @returns What is known of it, or undefined.
   */
  get(network: string): IntervalRecord | undefined {
    const record = this.#records.get(network);
    if (record !== undefined) this.#touch(network, record);
    return record;
  }

  /**
   * Keeps a copy of a record; the network not used for longest goes if there are too many.
   *
   * @param network The network's identity.
   * @param record What was learned.
   */
  set(network: string, record: IntervalRecord): void {
    // A copy, so that nobody changes what is kept.
    this.#touch(network, Object.freeze({ ...record }));
    if (this.#records.size <= this.#maxNetworks) return;
    for (const oldest of this.#records.keys()) {
      this.#records.delete(oldest);
      break;
    }
  }

  #touch(network: string, record: IntervalRecord): void {
    this.#records.delete(network);
    this.#records.set(network, record);
  }
}
