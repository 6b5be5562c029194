/**
 * Keeps learned intervals in a browser's storage.
 *
 * @module
 */

import { checkedCount } from "../_checks.ts";
import { cannotUse, checkedRecord } from "./_interval_record.ts";
import type { IntervalRecord, IntervalStore } from "./interval_store.ts";
import { storageHere } from "./_web_storage.ts";

/**
 * What the store needs of a `Storage` (Web Storage): `localStorage`, `sessionStorage`, or anything alike.
 *
 * @example A storage in memory
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type IntervalRecord, type KeyValueStorage, LocalStorageIntervalStore } from "@longlink/pipeline";
 *
 * const rows = new Map<string, string>();
 * const storage: KeyValueStorage = {
 *   get length() {
 *     return rows.size;
 *   },
 *   key: (index) => [...rows.keys()][index] ?? null,
 *   getItem: (key) => rows.get(key) ?? null,
 *   setItem: (key, value) => void rows.set(key, value),
 *   removeItem: (key) => void rows.delete(key),
 * };
 * const learned = { strategy: "edge", intervalMs: 295_000, loMs: 298_500, hiMs: 303_000 };
 * const record: IntervalRecord = { ...learned, isSettled: true, atMs: 0, direction: "push", confirmations: 3 };
 * new LocalStorageIntervalStore({ storage }).set("home", record);
 * assertEquals([...rows.keys()], ["longlink:interval:home"]);
 * ```
 */
export interface KeyValueStorage {
  /** How many keys there are. */
  readonly length: number;
  /** The name of the key at an index, or null. */
  key(index: number): string | null;
  /** The text under a key, or null. */
  getItem(key: string): string | null;
  /** Puts text under a key; throws where there is no room. */
  setItem(key: string, value: string): void;
  /** Takes a key out. */
  removeItem(key: string): void;
}

/**
 * Options of {@linkcode LocalStorageIntervalStore}.
 *
 * @example For as long as the tab is open, and the last network only
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type IntervalRecord, LocalStorageIntervalStore } from "@longlink/pipeline";
 * import type { LocalStorageIntervalStoreOptions } from "@longlink/pipeline";
 *
 * const learned = { strategy: "edge", intervalMs: 295_000, loMs: 298_500, hiMs: 303_000 };
 * const record: IntervalRecord = { ...learned, isSettled: true, atMs: 0, direction: "push", confirmations: 3 };
 * const options: LocalStorageIntervalStoreOptions = { storage: sessionStorage, prefix: "tab:", maxNetworks: 1 };
 * const store = new LocalStorageIntervalStore(options);
 * store.set("home", record);
 * store.set("train", record);
 * assertEquals([sessionStorage.getItem("tab:home"), store.get("train")], [null, record]);
 * ```
 */
export interface LocalStorageIntervalStoreOptions {
  /** Where to keep them. Default: `localStorage`. */
  readonly storage?: KeyValueStorage;
  /** What the keys begin with, since the storage is the whole site's. Default: `longlink:interval:`. */
  readonly prefix?: string;
  /** How many networks to keep; the one learned first goes first. 1 to 1,000,000. Default: 50. */
  readonly maxNetworks?: number;
}

/**
 * An {@linkcode IntervalStore} that outlives the page, one key a network.
 *
 * Where the storage is full, its own oldest records make room; where that is
 * not enough, `set` throws, and the interval is learned without it. Under
 * `keepAlive()` that comes as `exceptionCaught` and costs nothing else.
 *
 * @example What the next page finds
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type IntervalRecord, LocalStorageIntervalStore } from "@longlink/pipeline";
 *
 * const record: IntervalRecord = {
 *   strategy: "edge",
 *   intervalMs: 295_000,
 *   loMs: 298_500,
 *   hiMs: 303_000,
 *   isSettled: true,
 *   atMs: 1_767_225_600_000,
 *   direction: "push",
 *   confirmations: 3,
 * };
 * const storage = sessionStorage; // in a browser: leave it out, and it is localStorage
 * new LocalStorageIntervalStore({ storage }).set("wifi", record);
 * assertEquals(new LocalStorageIntervalStore({ storage }).get("wifi"), record);
 * ```
 */
export class LocalStorageIntervalStore implements IntervalStore {
  readonly #storage: KeyValueStorage;
  readonly #prefix: string;
  readonly #maxNetworks: number;

  /**
   * Makes a store on a storage.
   *
   * @param options Where, and how much.
   * @throws {RangeError} If `maxNetworks` is not a whole number from 1 to 1,000,000.
   * @throws {TypeError} If there is no storage here, or the browser refuses it.
   */
  constructor(options: LocalStorageIntervalStoreOptions = {}) {
    const { storage = storageHere(), prefix = "longlink:interval:", maxNetworks = 50 } = options;
    this.#storage = storage;
    this.#prefix = prefix;
    this.#maxNetworks = checkedCount("make the store", "maxNetworks", maxNetworks, 1, 1_000_000);
  }

  /**
   * Looks a network up.
   *
   * @param network The network's identity.
   * @returns What is known of it, or undefined.
   * @throws {TypeError} If what is stored is no record.
   */
  get(network: string): IntervalRecord | undefined {
    const text = this.#storage.getItem(this.#prefix + network);
    if (text === null) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw cannotUse(network, "it is no JSON", { cause });
    }
    return checkedRecord(network, value);
  }

  /**
   * Keeps a record.
   *
   * @param network The network's identity.
   * @param record What was learned.
   * @throws {Error} What the storage throws (`QuotaExceededError`) if there is no room even without other records.
   */
  set(network: string, record: IntervalRecord): void {
    const key = this.#prefix + network;
    const text = JSON.stringify(record);
    const others = this.#othersByAge(key);
    for (const other of others.splice(0, others.length + 1 - this.#maxNetworks)) {
      this.#storage.removeItem(other);
    }
    for (;;) {
      try {
        return this.#storage.setItem(key, text);
      } catch (error) {
        // Full: what was learned long ago is worth less than what was learned now.
        const oldest = others.shift();
        if (oldest === undefined) throw error;
        this.#storage.removeItem(oldest);
      }
    }
  }

  /** The other keys of this store, the oldest record first; what cannot be read is older than all. */
  #othersByAge(key: string): string[] {
    const ages: [number, string][] = [];
    for (let i = 0; i < this.#storage.length; i++) {
      const other = this.#storage.key(i);
      if (other?.startsWith(this.#prefix) && other !== key) ages.push([this.#atMs(other), other]);
    }
    return ages.sort(([one], [two]) => one - two).map(([, other]) => other);
  }

  #atMs(key: string): number {
    try {
      return this.get(key.slice(this.#prefix.length))?.atMs ?? -1;
    } catch {
      return -1;
    }
  }
}
