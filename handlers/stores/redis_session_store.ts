/**
 * Keeps sessions in Redis, for a fleet of servers.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { checkedMs } from "../_checks.ts";
import { SessionTakenError } from "../errors.ts";
import { RedisGoneError, RedisLink, type RedisStoreOptions } from "./_redis_link.ts";
import { CLAIM, COUNT, CREATE, FIELDS, READ, REDIS_VERSION, REMOVE, UPDATE } from "./_redis_scripts.ts";
import {
  checkedNew,
  firstClaim,
  outlineOf,
  problemOf,
  type SessionCounts,
  shown,
} from "./_session_record.ts";
import { type SessionUpdate, together, waiting } from "./_session_updates.ts";
import { Turns } from "./_turns.ts";
import type {
  ClaimedSession,
  SessionChange,
  SessionOutline,
  SessionRecord,
  SessionStore,
} from "./session_store.ts";
import { StorageFullError } from "./storage_full_error.ts";
import { UnusableSessionError } from "./unusable_session_error.ts";

/**
 * Options of {@linkcode RedisSessionStore}.
 *
 * @example A new session does not wait for a Redis that is gone
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { SessionRecord } from "@longlink/pipeline";
 * import { redisSessionStore, type RedisSessionStoreOptions } from "@longlink/pipeline/stores/redis";
 *
 * const run = () => Promise.reject(new Error("connection lost"));
 * const redis = { evalSha: run, eval: run, withTypeMapping: () => redis };
 * const options: RedisSessionStoreOptions = { redis, keepMs: 2 * 3_600_000 };
 * const secrets = { id: "00112233445566778899aabbccddeeff", token: "0".repeat(64) };
 * const record: SessionRecord = { ...secrets, links: 1, received: 0, acknowledged: 0, messages: [], atMs: 0 };
 * await using store = redisSessionStore(options);
 * await store.create(record.id, record);
 * assertEquals([store.isUp, store.unkept], [false, 1]);
 * ```
 */
export interface RedisSessionStoreOptions extends RedisStoreOptions {
  /**
   * How long Redis keeps a session that nobody uses, in ms, 1 to
   * 7,776,000,000 (90 days):
   * longer than the server's `retentionMs`, and than an outage of Redis that
   * sessions are to outlive. Default: 3,600,000 (1 hour).
   */
  readonly keepMs?: number;
}

/** A session that this store holds. */
interface Held {
  readonly claim: number;
  counts: SessionCounts;
  /** How many messages wait. */
  kept: number;
  /** What Redis does not have yet. */
  unkept: SessionRecord | undefined;
  /** Whether a change of it is on its way. */
  isBusy: boolean;
}

/** A claim, or a session that is made, finds another one's hands on it so often before it is given up. */
const MOST_TRIES = 8;
/** So many new sessions wait for Redis to come back; more are asked to wait themselves. */
const MOST_UNKEPT = 100_000;

/**
 * A {@linkcode SessionStore} in Redis 6 or later, which many server processes
 * share: a client may go on with its session at any of them.
 *
 * What `update` has passed for is as safe as Redis itself is: give it an
 * append-only file (`appendonly yes`), and no other data that may push sessions
 * out (`maxmemory-policy noeviction`). Each call is one script, which Redis
 * does as a whole or not at all; a session's keys share a hash tag, so that a
 * Redis Cluster has them in one place. A claim fences off the earlier holder.
 *
 * While Redis is gone, or answers later than `timeoutMs`:
 *
 * - `update` and `remove` wait, and are done when it is back;
 * - `create` passes, and the session is put into Redis when it is back: until
 *   then it is only here, and holds nothing that was acknowledged;
 * - `claim` fails at once, so that the client is asked to come back later.
 *
 * What was asked twice because an answer was missing is done once. If Redis
 * has lost what it had kept, its session counts as gone.
 *
 * @example In a server
 * ```ts
 * import { answerKeepAlive, SessionRegistry } from "@longlink/pipeline";
 * import { redisSessionStore } from "@longlink/pipeline/stores/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = redisSessionStore({
 *   redis: "redis://127.0.0.1:6379",
 *   onState: (event) => console.error(event.type === "down" ? event.error.message : "Redis is back"),
 * });
 * const sessions = new SessionRegistry({ store });
 * assertEquals(answerKeepAlive({ sessions }).length > 0, true);
 * ```
 */
export class RedisSessionStore implements SessionStore, AsyncDisposable {
  readonly #link: RedisLink;
  readonly #keepMs: string;
  readonly #held = new Map<string, Held>();
  readonly #unkept = new Set<string>();
  // Those of the same session wait for each other; the link sees to the others.
  readonly #turns = new Turns<SessionUpdate>(Infinity, (key, updates) => this.#apply(key, updates));
  #isClosed = false;

  /**
   * Makes a store. Nothing is asked of Redis yet.
   *
   * @param options Which Redis, and for how long.
   * @throws {TypeError} If the URL is none of Redis, or the prefix has braces.
   * @throws {RangeError} If a time is out of range.
   */
  constructor(options: RedisSessionStoreOptions) {
    const { keepMs = 3_600_000 } = options;
    const kept = checkedMs("make the store", "keepMs", keepMs, 1, 90 * 24 * 3_600_000);
    this.#keepMs = String(Math.ceil(kept));
    this.#link = new RedisLink(options);
    this.#link.onBack = () => this.#keepAll();
  }

  /** Whether Redis can be reached, as far as is known. */
  get isUp(): boolean {
    return this.#link.isUp;
  }

  /** How many calls wait for Redis to come back. */
  get waiting(): number {
    return this.#link.waiting;
  }

  /** How many new sessions are only here, and not in Redis yet. */
  get unkept(): number {
    return this.#unkept.size;
  }

  /**
   * Keeps a new session, in place of one that is there; when Redis is back, if it is gone.
   *
   * @param key The session's key.
   * @param record What is known of it.
   * @returns The claim.
   * @throws {TypeError} (rejects) If the key is empty or the record none.
   * @throws {StorageFullError} (rejects) If Redis has no memory for it.
   * @throws {Error} (rejects) If Redis is gone and the session has messages already, or the store is closed.
   */
  async create(key: string, record: SessionRecord): Promise<number> {
    const copy = checkedNew(key, record);
    return await this.#inTurn(key, async () => {
      const { messages, ...counts } = copy;
      const held: Held = {
        claim: firstClaim(),
        counts,
        kept: messages.length,
        unkept: copy,
        isBusy: false,
      };
      try {
        await this.#create(key, held, false);
      } catch (error) {
        const isEmpty = messages.length === 0 && copy.received === 0;
        if (!(error instanceof RedisGoneError) || !isEmpty || this.#unkept.size >= MOST_UNKEPT) throw error;
        this.#unkept.add(key);
      }
      this.#held.set(key, held);
      return held.claim;
    });
  }

  /**
   * Takes hold of a session.
   *
   * @param key The session's key.
   * @param accept Whether to claim what is there; asked again if that has changed meanwhile. Default: it is claimed.
   * @returns The session, or undefined if there is none or it was not accepted.
   * @throws {UnusableSessionError} (rejects) If what is there is no session, or of another version; it stays there until it expires.
   * @throws {Error} (rejects) If Redis is gone, or the store is closed.
   */
  async claim(
    key: string,
    accept?: (session: SessionOutline) => boolean,
  ): Promise<ClaimedSession | undefined> {
    if (key === "") return undefined;
    // Not behind a change of the same session that waits: somebody waits for the answer.
    if (!this.#isClosed) this.#link.check();
    return await this.#inTurn(key, async () => {
      const keys = this.#keysOf(key);
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const found = await this.#link.run(READ, keys) as unknown[];
        if (found.length === 0) return undefined;
        const { claim: seen, ...outline } = outlineIn(key, found);
        if (accept?.(outline) === false) return undefined;
        const claim = firstClaim();
        const args = [REDIS_VERSION, String(seen), String(outline.links), String(claim), this.#keepMs];
        const [fields, messages] = await this.#link.run(CLAIM, keys, args) as [unknown[], Buffer[]] | [];
        // It was somebody else's in between: what is there now has to be looked at anew.
        if (fields === undefined) continue;
        const record = recordIn(key, fields, messages!);
        const { messages: kept, ...counts } = record;
        this.#held.set(key, { claim, counts, kept: kept.length, unkept: undefined, isBusy: false });
        this.#unkept.delete(key);
        return { record, claim };
      }
      throw new Error(
        `Cannot claim the session ${shown(key)}: it changed hands ${MOST_TRIES} times meanwhile`,
      );
    });
  }

  /**
   * Keeps what changed, all of it or nothing; when Redis is back, if it is gone.
   *
   * @param key The session's key.
   * @param claim What {@linkcode claim} or {@linkcode create} of this store gave.
   * @param change What changed.
   * @throws {SessionTakenError} (rejects) If it was claimed anew, or is gone.
   * @throws {RangeError} (rejects) If a number goes back, or acknowledges what was never there.
   * @throws {StorageFullError} (rejects) If Redis has no memory for it.
   * @throws {Error} (rejects) If Redis refuses it, or the store is closed.
   */
  update(key: string, claim: number, change: SessionChange): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError(key));
    return waiting(claim, change, (update) => this.#turns.update(key, update));
  }

  /**
   * Forgets a session; when Redis is back, if it is gone. Does nothing if it was claimed anew, or is gone.
   *
   * @param key The session's key.
   * @param claim What {@linkcode claim} or {@linkcode create} of this store gave.
   * @throws {Error} (rejects) If Redis refuses it, or the store is closed.
   */
  async remove(key: string, claim: number): Promise<void> {
    await this.#inTurn(key, async () => {
      if (this.#held.get(key)?.claim !== claim) return;
      this.#drop(key);
      // Also what was never kept: its answer may have been late.
      await this.#link.runWhenUp(REMOVE, this.#keysOf(key), [REDIS_VERSION, String(claim)]);
    });
  }

  /**
   * Redis forgets sessions by itself, `keepMs` after they were last in use;
   * here only what this store knows of them goes.
   *
   * @param beforeMs The time, ms since 1970.
   * @returns 0.
   */
  expire(beforeMs: number): Promise<number> {
    if (this.#link.isUp) {
      for (const [key, { counts, isBusy, unkept }] of this.#held) {
        if (counts.atMs < beforeMs && !isBusy && unkept === undefined) this.#held.delete(key);
      }
    }
    return Promise.resolve(0);
  }

  /**
   * Counts up a number that all who share the Redis share.
   *
   * @param name Which one.
   * @returns The next number, from 1 on.
   * @throws {Error} (rejects) If Redis is gone, or the store is closed.
   */
  async count(name: string): Promise<number> {
    return Number(String(await this.#link.run(COUNT, [`${this.#link.prefix}count:${name}`])));
  }

  /** Ends the store: what still waits for Redis fails. What is kept stays. Closing it again does nothing. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#link.endWaiting();
    await this.#turns.idle();
    await this.#link.close();
    this.#held.clear();
    this.#unkept.clear();
  }

  /** The same as {@linkcode close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #inTurn<T>(key: string, task: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw closedError(key);
    try {
      return await this.#turns.run(key, task);
    } catch (error) {
      throw redisError(key, error);
    }
  }

  /** @param isPatient Whether to wait for Redis to come back. */
  async #create(key: string, held: Held, isPatient: boolean): Promise<void> {
    const { id, token, links, received, acknowledged, atMs, messages } = held.unkept!;
    const last = acknowledged + messages.length;
    const fields = [id, token, links, received, acknowledged, last, atMs].map(String);
    let expected = "";
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const args = [
        REDIS_VERSION,
        String(held.claim),
        expected,
        this.#keepMs,
        ...fields,
        ...messages.map(bufferOf),
      ];
      const found = isPatient
        ? await this.#link.runWhenUp(CREATE, this.#keysOf(key), args)
        : await this.#link.run(CREATE, this.#keysOf(key), args);
      expected = String(found);
      if (expected !== String(held.claim)) continue;
      held.unkept = undefined;
      this.#unkept.delete(key);
      return;
    }
    throw new Error(`Cannot keep the session ${shown(key)}: others keep it all the time`);
  }

  /** Redis is back: now it gets what it has missed. */
  #keepAll(): void {
    for (const key of this.#unkept) {
      this.#turns.run(key, async () => {
        const held = this.#held.get(key);
        if (held?.unkept !== undefined) await this.#create(key, held, true);
      }).catch(() => {
        // Its next change tries again, and says so.
      });
    }
  }

  /** Does changes in order; all those that can be done are done at once. */
  async #apply(key: string, updates: SessionUpdate[]): Promise<void> {
    const held = this.#held.get(key);
    const all = together(key, held, updates);
    if (held === undefined || all === undefined) return;
    const { good, counts, kept, messages } = all;
    held.isBusy = true;
    try {
      await this.#update(key, held, counts, messages);
      Object.assign(held, { counts, kept });
      for (const { pass } of good) pass();
    } catch (error) {
      for (const { fail } of good) fail(redisError(key, error));
    } finally {
      held.isBusy = false;
    }
  }

  async #update(
    key: string,
    held: Held,
    counts: SessionCounts,
    messages: readonly Uint8Array[],
  ): Promise<void> {
    if (held.unkept !== undefined) await this.#create(key, held, true);
    const first = held.counts.acknowledged + held.kept + 1;
    const { links, received, acknowledged, atMs } = counts;
    const numbers = [links, received, acknowledged, first - 1 + messages.length, atMs].map(String);
    const args = [REDIS_VERSION, String(held.claim), String(first), this.#keepMs, ...numbers];
    const answer = String(
      await this.#link.runWhenUp(UPDATE, this.#keysOf(key), [...args, ...messages.map(bufferOf)]),
    );
    if (answer === "kept") return;
    this.#drop(key);
    const cause = answer === "lost"
      ? new UnusableSessionError(key, "not all of it is there any more")
      : undefined;
    throw new SessionTakenError(key, { cause });
  }

  #drop(key: string): void {
    this.#held.delete(key);
    this.#unkept.delete(key);
  }

  /** Both with the same hash tag, which ends with the first brace; and no two keys alike that are not. */
  #keysOf(key: string): string[] {
    const tag = JSON.stringify(key).slice(1, -1).replace(/[%{}]/g, encodeURIComponent);
    const name = `${this.#link.prefix}session:{${tag}}`;
    return [name, `${name}:messages`];
  }
}

/**
 * Makes a {@linkcode RedisSessionStore}: sessions that a fleet shares.
 *
 * @param options Which Redis, and for how long.
 * @returns The store.
 * @throws {TypeError} If the URL is none of Redis, or the prefix has braces.
 * @throws {RangeError} If a time is out of range.
 *
 * @example For one of many servers
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { redisSessionStore } from "@longlink/pipeline/stores/redis";
 *
 * await using store = redisSessionStore({ redis: "redis://127.0.0.1:6379", keepMs: 7_200_000 });
 * assertEquals(store.isUp, true); // it has not been asked yet
 * ```
 */
export function redisSessionStore(options: RedisSessionStoreOptions): RedisSessionStore {
  return new RedisSessionStore(options);
}

/** @throws {UnusableSessionError} If the answer of a READ is no session. */
function outlineIn(key: string, [kind, waiting, ...fields]: unknown[]): SessionOutline & { claim: number } {
  if (String(kind) !== "hash") throw new UnusableSessionError(key, `it is a ${kind} in Redis, and no hash`);
  const count = Number(String(waiting));
  const { claim, record, last } = partsIn(key, fields);
  if (count !== last - record.acknowledged) {
    throw new UnusableSessionError(
      key,
      `${last - record.acknowledged} messages must wait, and ${count} are there`,
    );
  }
  return { ...outlineOf(record), last, claim };
}

function recordIn(key: string, fields: unknown[], messages: Buffer[]): SessionRecord {
  const { record, last } = partsIn(key, fields);
  if (messages.length !== last - record.acknowledged) {
    throw new UnusableSessionError(key, `not all of its messages are there`);
  }
  // Copies: what waits long must not hold the whole answer in memory.
  return { ...record, messages: messages.map((message) => new Uint8Array(message)) };
}

/** The session without its messages. */
function partsIn(key: string, values: unknown[]): { record: SessionRecord; claim: number; last: number } {
  const texts = values.map((value) => value === null || value === undefined ? undefined : String(value));
  const [version, claimText, id, token, ...numbers] = texts;
  if (version !== REDIS_VERSION) {
    throw new UnusableSessionError(key, `its version must be ${REDIS_VERSION}, got ${shown(version)}`);
  }
  const claim = numberIn(claimText);
  const [links, received, acknowledged, last, atMs] = numbers.map(numberIn) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const record = { id: id!, token: token!, links, received, acknowledged, messages: [], atMs };
  const problem = problemOf(record);
  if (problem !== undefined) throw new UnusableSessionError(key, problem);
  for (const [name, value] of Object.entries({ claim, last })) {
    if (!Number.isSafeInteger(value)) {
      throw new UnusableSessionError(
        key,
        `${name} must be a whole number, got ${shown(texts[FIELDS.indexOf(name)])}`,
      );
    }
  }
  return { record, claim, last };
}

function numberIn(text: string | undefined): number {
  return text === undefined || text.trim() === "" ? NaN : Number(text);
}

function bufferOf(message: Uint8Array): Buffer {
  return Buffer.from(message.buffer, message.byteOffset, message.byteLength);
}

/** Names the one refusal of Redis that callers tell apart. */
function redisError(key: string, error: unknown): unknown {
  const isFull = error instanceof Error && error.message.startsWith("OOM ");
  return isFull ? new StorageFullError(key, { cause: error }) : error;
}

function closedError(key: string): Error {
  return new Error(`Cannot use the session ${shown(key)}: the store is closed`);
}
