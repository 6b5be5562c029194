/**
 * Keeps learned intervals in a browser's IndexedDB.
 *
 * @module
 */

import { checkedCount } from "../_checks.ts";
import { answerOf, IndexedDatabase } from "./_indexed_db.ts";
import { checkedRecord } from "./_interval_record.ts";
import type { IntervalRecord, IntervalStore } from "./interval_store.ts";

/**
 * What the stores need of an `IDBFactory` (Indexed Database API); the type is
 * not named here, since a program may be compiled without a browser's types.
 *
 * @example A browser in which nothing may be kept
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { type IndexedDb, IndexedDbIntervalStore } from "@longlink/pipeline";
 *
 * const factory: IndexedDb = {
 *   open: () => {
 *     throw new DOMException("storage is turned off", "SecurityError");
 *   },
 * };
 * await assertRejects(() => new IndexedDbIntervalStore({ factory }).get("home"), DOMException, "turned off");
 * ```
 */
export interface IndexedDb {
  /** Opens a database; gives an `IDBOpenDBRequest`. */
  open(name: string, version?: number): unknown;
}

/**
 * Options of {@linkcode IndexedDbIntervalStore}.
 *
 * @example A database of this name, opened when it is needed
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { IndexedDbIntervalStore, type IndexedDbIntervalStoreOptions } from "@longlink/pipeline";
 *
 * const opened: string[] = [];
 * const open = (name: string) => {
 *   opened.push(name);
 *   throw new Error("no database here"); // in a page: leave the factory out, and it is indexedDB
 * };
 * const options: IndexedDbIntervalStoreOptions = { database: "chat-intervals", factory: { open }, maxNetworks: 20 };
 * const store = new IndexedDbIntervalStore(options);
 * assertEquals(opened, []);
 * await assertRejects(() => store.get("home"), Error, "no database here");
 * assertEquals(opened, ["chat-intervals"]);
 * ```
 */
export interface IndexedDbIntervalStoreOptions {
  /** The database's name. It is the store's alone. Default: `longlink-intervals`. */
  readonly database?: string;
  /** What opens it. Default: `indexedDB`. */
  readonly factory?: IndexedDb;
  /** How many networks to keep; the one learned first goes first. 1 to 1,000,000. Default: 100. */
  readonly maxNetworks?: number;
}

const INTERVALS = "intervals";

/**
 * An {@linkcode IntervalStore} that outlives the page; unlike `localStorage`
 * it is there in workers, too.
 *
 * @example In a page; other runtimes say that they have none
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { IndexedDbIntervalStore } from "@longlink/pipeline";
 *
 * const store = new IndexedDbIntervalStore({ database: "intervals" });
 * if (typeof indexedDB === "object") assertEquals(await store.get("home"), undefined);
 * else await assertRejects(() => store.get("home"), TypeError, "there is no indexedDB here");
 * ```
 */
export class IndexedDbIntervalStore implements IntervalStore, AsyncDisposable {
  readonly #database: IndexedDatabase;
  readonly #maxNetworks: number;

  /**
   * Makes a store on a database, which is opened with the first call.
   *
   * @param options Which one, and how much.
   * @throws {RangeError} If `maxNetworks` is not a whole number from 1 to 1,000,000.
   */
  constructor(options: IndexedDbIntervalStoreOptions = {}) {
    const { database = "longlink-intervals", maxNetworks = 100 } = options;
    this.#database = new IndexedDatabase(database, [INTERVALS], options);
    this.#maxNetworks = checkedCount("make the store", "maxNetworks", maxNetworks, 1, 1_000_000);
  }

  /**
   * Looks a network up.
   *
   * @param network The network's identity.
   * @returns What is known of it, or undefined.
   * @throws {TypeError} (rejects) If what is stored is no record, or there is no indexedDB.
   */
  async get(network: string): Promise<IntervalRecord | undefined> {
    const value = await this.#database.transact(
      "readonly",
      (transaction) => answerOf(transaction.objectStore(INTERVALS).get(network)),
    );
    return checkedRecord(network, value);
  }

  /**
   * Keeps a record; the network learned first goes if there are too many.
   *
   * @param network The network's identity.
   * @param record What was learned.
   * @throws {DOMException} (rejects) What the database throws (`QuotaExceededError`) if there is no room.
   * @throws {TypeError} (rejects) If there is no indexedDB.
   */
  async set(network: string, record: IntervalRecord): Promise<void> {
    const copy = { ...record };
    await this.#database.transact("readwrite", async (transaction) => {
      const intervals = transaction.objectStore(INTERVALS);
      intervals.put(copy, network);
      const count = await answerOf(intervals.count());
      if (count <= this.#maxNetworks) return;
      const [keys, values] = await Promise.all([
        answerOf(intervals.getAllKeys()),
        answerOf(intervals.getAll()),
      ]);
      const byAge = keys
        .map((key, i) => ({ key, atMs: typeof values[i]?.atMs === "number" ? values[i].atMs : -1 }))
        .filter(({ key }) => key !== network)
        .sort((one, two) => one.atMs - two.atMs);
      for (const { key } of byAge.slice(0, count - this.#maxNetworks)) intervals.delete(key);
    });
  }

  /** Closes the connection to the database; the next call opens another. */
  async close(): Promise<void> {
    await this.#database.close();
  }

  /** The same as {@linkcode close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
