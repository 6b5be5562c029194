/**
 * Keeps learned intervals in Deno KV.
 *
 * @module
 */

import { checkedMs } from "../_checks.ts";
import { checkedRecord } from "./_interval_record.ts";
import type { IntervalRecord, IntervalStore } from "./interval_store.ts";

/**
 * What the store needs of a `Deno.Kv`.
 *
 * @example Another database in its place
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { DenoKvIntervalStore, type IntervalRecord, type KvStorage } from "@longlink/pipeline";
 *
 * const rows = new Map<string, unknown>();
 * const kv: KvStorage = {
 *   get: (key) => Promise.resolve({ value: rows.get(key.join("/")) ?? null }),
 *   set: (key, value) => Promise.resolve(rows.set(key.join("/"), value)),
 * };
 * const learned = { strategy: "edge", intervalMs: 295_000, loMs: 298_500, hiMs: 303_000 };
 * const record: IntervalRecord = { ...learned, isSettled: true, atMs: 0, direction: "push", confirmations: 3 };
 * await new DenoKvIntervalStore({ kv }).set("home", record);
 * assertEquals(rows.get("longlink/interval/home"), record);
 * ```
 */
export interface KvStorage {
  /** The value under a key; null if there is none. */
  get(key: readonly string[]): Promise<{ readonly value: unknown }>;
  /** Puts a value under a key, for `expireIn` ms at least. */
  set(key: readonly string[], value: unknown, options: { readonly expireIn: number }): Promise<unknown>;
}

/**
 * Options of {@linkcode DenoKvIntervalStore}.
 *
 * @example One application of several, for a week
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { DenoKvIntervalStore, type DenoKvIntervalStoreOptions, type IntervalRecord } from "@longlink/pipeline";
 *
 * const written: unknown[] = [];
 * const kv: DenoKvIntervalStoreOptions["kv"] = {
 *   get: () => Promise.resolve({ value: null }),
 *   set: (key, _value, { expireIn }) => Promise.resolve(written.push([key, expireIn])),
 * };
 * const options: DenoKvIntervalStoreOptions = { kv, prefix: ["chat"], expireInMs: 7 * 86_400_000 };
 * const learned = { strategy: "edge", intervalMs: 295_000, loMs: 298_500, hiMs: 303_000 };
 * const record: IntervalRecord = { ...learned, isSettled: true, atMs: 0, direction: "push", confirmations: 3 };
 * await new DenoKvIntervalStore(options).set("home", record);
 * assertEquals(written, [[["chat", "home"], 604_800_000]]);
 * ```
 */
export interface DenoKvIntervalStoreOptions {
  /** The open database, as `Deno.openKv()` gives it. Who opened it closes it. */
  readonly kv: KvStorage;
  /** What the keys begin with. Default: `["longlink", "interval"]`. */
  readonly prefix?: readonly string[];
  /**
   * How long a network is remembered after it was last met, in ms, 1 to
   * 3,153,600,000,000 (100 years): that is what bounds their number. Default:
   * 7,776,000,000 (90 days).
   */
  readonly expireInMs?: number;
}

const DAY_MS = 86_400_000;

/**
 * An {@linkcode IntervalStore} in Deno KV, one key a network.
 *
 * @example With a database
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { DenoKvIntervalStore, type KvStorage } from "@longlink/pipeline";
 *
 * // In Deno, with --unstable-kv: const kv = await Deno.openKv();
 * const rows = new Map<string, unknown>();
 * const kv: KvStorage = {
 *   get: (key) => Promise.resolve({ value: rows.get(key.join("/")) ?? null }),
 *   set: (key, value) => Promise.resolve(rows.set(key.join("/"), value)),
 * };
 * const store = new DenoKvIntervalStore({ kv });
 * assertEquals(await store.get("home"), undefined);
 * ```
 */
export class DenoKvIntervalStore implements IntervalStore {
  readonly #kv: KvStorage;
  readonly #prefix: readonly string[];
  readonly #expireInMs: number;
  /** A database that is far away may finish two writes in either order; so one waits for the other. */
  #lastWrite: Promise<unknown> = Promise.resolve();

  /**
   * Makes a store on an open database.
   *
   * @param options Which one, and for how long.
   * @throws {RangeError} If `expireInMs` is out of range.
   */
  constructor(options: DenoKvIntervalStoreOptions) {
    const { kv, prefix = ["longlink", "interval"], expireInMs = 90 * DAY_MS } = options;
    this.#kv = kv;
    this.#prefix = [...prefix];
    this.#expireInMs = checkedMs("make the store", "expireInMs", expireInMs, 1, 36_500 * DAY_MS);
  }

  /**
   * Looks a network up.
   *
   * @param network The network's identity, at most about 2,000 bytes (a limit of Deno KV).
   * @returns What is known of it, or undefined.
   * @throws {TypeError} (rejects) If what is stored is no record.
   */
  async get(network: string): Promise<IntervalRecord | undefined> {
    const { value } = await this.#kv.get([...this.#prefix, network]);
    return checkedRecord(network, value);
  }

  /**
   * Keeps a record, after those that were to be kept before.
   *
   * @param network The network's identity.
   * @param record What was learned.
   */
  async set(network: string, record: IntervalRecord): Promise<void> {
    const copy = { ...record };
    const write = () => this.#kv.set([...this.#prefix, network], copy, { expireIn: this.#expireInMs });
    await (this.#lastWrite = this.#lastWrite.then(write, write));
  }
}
