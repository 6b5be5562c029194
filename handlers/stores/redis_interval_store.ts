/**
 * Keeps learned intervals in Redis.
 *
 * @module
 */

import { checkedMs } from "../_checks.ts";
import { cannotUse, checkedRecord } from "./_interval_record.ts";
import { RedisLink, type RedisStoreOptions } from "./_redis_link.ts";
import { GET_TEXT, REDIS_VERSION, SET_TEXT } from "./_redis_scripts.ts";
import { Turns } from "./_turns.ts";
import type { IntervalRecord, IntervalStore } from "./interval_store.ts";

/**
 * Options of {@linkcode RedisIntervalStore}.
 *
 * @example Networks are remembered for a week
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { IntervalRecord } from "@longlink/pipeline";
 * import { RedisIntervalStore, type RedisIntervalStoreOptions } from "@longlink/pipeline/stores/redis";
 *
 * const seen: unknown[] = [];
 * const run = (_script: string, options: { arguments: unknown[] }) => Promise.resolve(seen.push(options.arguments[1]));
 * const redis = { evalSha: run, eval: run, withTypeMapping: () => redis };
 * const options: RedisIntervalStoreOptions = { redis, expireInMs: 7 * 86_400_000 };
 * const learned = { strategy: "edge", intervalMs: 295_000, loMs: 298_500, hiMs: 303_000 };
 * const record: IntervalRecord = { ...learned, isSettled: true, atMs: 0, direction: "push", confirmations: 3 };
 * await using store = new RedisIntervalStore(options);
 * await store.set("home", record);
 * assertEquals(seen, ["604800000"]);
 * ```
 */
export interface RedisIntervalStoreOptions extends RedisStoreOptions {
  /**
   * How long a network is remembered after it was last met, in ms, 1 to
   * 3,153,600,000,000 (100 years): that is what bounds their number. Default:
   * 7,776,000,000 (90 days).
   */
  readonly expireInMs?: number;
}

const DAY_MS = 86_400_000;

/**
 * An {@linkcode IntervalStore} in Redis, one key a network: what one process
 * has learned of a network serves all.
 *
 * While Redis is gone, or answers later than `timeoutMs`, its calls fail, and
 * the interval is learned without it.
 *
 * @example Shared by many processes
 * ```ts
 * import { keepAlive } from "@longlink/pipeline";
 * import { RedisIntervalStore } from "@longlink/pipeline/stores/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = new RedisIntervalStore({ redis: "redis://127.0.0.1:6379" });
 * assertEquals(keepAlive({ store }).length > 0, true);
 * ```
 */
export class RedisIntervalStore implements IntervalStore, AsyncDisposable {
  readonly #link: RedisLink;
  readonly #expireInMs: string;
  /** Of two writes the later one counts, so one waits for the other. */
  readonly #turns = new Turns<never>(Infinity, () => Promise.resolve());

  /**
   * Makes a store. Nothing is asked of Redis yet.
   *
   * @param options Which Redis, and for how long.
   * @throws {TypeError} If the URL is none of Redis, or the prefix has braces.
   * @throws {RangeError} If a time is out of range.
   */
  constructor(options: RedisIntervalStoreOptions) {
    const { expireInMs = 90 * DAY_MS } = options;
    const checked = checkedMs("make the store", "expireInMs", expireInMs, 1, 36_500 * DAY_MS);
    this.#expireInMs = String(Math.ceil(checked));
    this.#link = new RedisLink(options);
  }

  /**
   * Looks a network up.
   *
   * @param network The network's identity.
   * @returns What is known of it, or undefined.
   * @throws {TypeError} (rejects) If what is stored is no record, or of another version.
   * @throws {Error} (rejects) If Redis is gone, or the store is closed.
   */
  async get(network: string): Promise<IntervalRecord | undefined> {
    const found = await this.#link.run(GET_TEXT, [this.#keyOf(network)]);
    if (found === null || found === undefined) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(String(found));
    } catch (cause) {
      throw cannotUse(network, "it is no JSON", { cause });
    }
    const { version, ...record } = (value ?? {}) as Record<string, unknown>;
    if (String(version) !== REDIS_VERSION) {
      throw cannotUse(network, `its version must be ${REDIS_VERSION}, got ${version}`);
    }
    return checkedRecord(network, record);
  }

  /**
   * Keeps a record, after those that were to be kept before.
   *
   * @param network The network's identity.
   * @param record What was learned.
   * @throws {Error} (rejects) If Redis is gone, has no room, or the store is closed.
   */
  async set(network: string, record: IntervalRecord): Promise<void> {
    const text = JSON.stringify({ version: Number(REDIS_VERSION), ...record });
    await this.#turns.run(network, async () => {
      await this.#link.run(SET_TEXT, [this.#keyOf(network)], [text, this.#expireInMs]);
    });
  }

  /** Ends the store. What is kept stays. Closing it again does nothing. */
  async close(): Promise<void> {
    await this.#turns.idle();
    await this.#link.close();
  }

  /** The same as {@linkcode close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #keyOf(network: string): string {
    return `${this.#link.prefix}interval:${JSON.stringify(network).slice(1, -1)}`;
  }
}
