/**
 * Keeps sessions in memory.
 *
 * @module
 */

import { checkedCount } from "../_checks.ts";
import { SessionTakenError } from "../errors.ts";
import { changed, checkedNew, outlineOf, type SessionCounts } from "./_session_record.ts";
import type {
  ClaimedSession,
  SessionChange,
  SessionOutline,
  SessionRecord,
  SessionStore,
} from "./session_store.ts";

/**
 * Options of {@linkcode MemorySessionStore}.
 *
 * @example No more than two sessions
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { MemorySessionStore, type MemorySessionStoreOptions, type SessionRecord } from "@longlink/pipeline";
 *
 * const secrets = { id: "00112233445566778899aabbccddeeff", token: "0".repeat(64) };
 * const record: SessionRecord = { ...secrets, links: 1, received: 0, acknowledged: 0, messages: [], atMs: 0 };
 * const options: MemorySessionStoreOptions = { maxSessions: 2 };
 * const store = new MemorySessionStore(options);
 * for (const key of ["phone", "tablet", "watch"]) store.create(key, record);
 * assertEquals([store.size, store.evicted, store.claim("phone")], [2, 1, undefined]);
 * ```
 */
export interface MemorySessionStoreOptions {
  /** How many sessions to keep; the one not used for longest goes first. 1 or more, or Infinity. Default: 1,000,000. */
  readonly maxSessions?: number;
}

interface Kept {
  claim: number;
  readonly id: string;
  readonly token: string;
  counts: SessionCounts;
  readonly messages: Uint8Array[];
}

/**
 * A {@linkcode SessionStore} for as long as the process lives: what is kept
 * outlives any link, and is lost with the process. Answers at once.
 *
 * It keeps the very bytes it is given, as whoever sends them keeps them as
 * well; they must not be changed afterwards.
 *
 * @example A later claim ends an earlier one
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { MemorySessionStore, type SessionRecord, SessionTakenError } from "@longlink/pipeline";
 *
 * const store = new MemorySessionStore({ maxSessions: 1_000 });
 * const record: SessionRecord = {
 *   id: "00112233445566778899aabbccddeeff",
 *   token: "0".repeat(64),
 *   links: 1,
 *   received: 0,
 *   acknowledged: 0,
 *   messages: [],
 *   atMs: 1_767_225_600_000,
 * };
 * const first = store.create("phone", record);
 * assertEquals(store.claim("phone")?.record, record);
 * assertThrows(() => store.update("phone", first, { received: 1, atMs: record.atMs }), SessionTakenError);
 * ```
 */
export class MemorySessionStore implements SessionStore {
  readonly #maxSessions: number;
  /** A map keeps the order of insertion: the first entry is the least recently used. */
  readonly #sessions = new Map<string, Kept>();
  #lastClaim = 0;
  #evicted = 0;
  #expired = 0;

  /**
   * Makes an empty store.
   *
   * @param options Its bound.
   * @throws {RangeError} If `maxSessions` is neither a whole number of 1 or more nor Infinity.
   */
  constructor(options: MemorySessionStoreOptions = {}) {
    const { maxSessions = 1_000_000 } = options;
    this.#maxSessions = checkedCount("make the store", "maxSessions", maxSessions, 1, Infinity);
  }

  /** How many sessions it keeps. */
  get size(): number {
    return this.#sessions.size;
  }

  /** How many sessions had to go because there were too many. */
  get evicted(): number {
    return this.#evicted;
  }

  /** How many sessions {@linkcode expire} has forgotten. */
  get expired(): number {
    return this.#expired;
  }

  /**
   * Keeps a new session; the one not used for longest goes if there are too many.
   *
   * @param key The session's key: any text that is not empty.
   * @param record What is known of it.
   * @returns The claim.
   * @throws {TypeError} If the key is empty or the record none.
   */
  create(key: string, record: SessionRecord): number {
    const { id, token, messages, ...counts } = checkedNew(key, record);
    const claim = ++this.#lastClaim;
    this.#touch(key, { claim, id, token, counts, messages: [...messages] });
    if (this.#sessions.size > this.#maxSessions) {
      const [oldest] = this.#sessions.keys();
      this.#sessions.delete(oldest!);
      this.#evicted++;
    }
    return claim;
  }

  /**
   * Takes hold of a session.
   *
   * @param key The session's key.
   * @param accept Whether to claim what is there. Default: it is claimed.
   * @returns The session, or undefined if there is none or it was not accepted.
   */
  claim(key: string, accept?: (session: SessionOutline) => boolean): ClaimedSession | undefined {
    const kept = this.#sessions.get(key);
    if (kept === undefined) return undefined;
    const { id, token, counts, messages } = kept;
    const record = { id, token, ...counts, messages: [...messages] };
    if (accept?.(outlineOf(record)) === false) return undefined;
    kept.claim = ++this.#lastClaim;
    this.#touch(key, kept);
    return { record, claim: kept.claim };
  }

  /**
   * Keeps what changed, all of it or nothing.
   *
   * @param key The session's key.
   * @param claim What {@linkcode claim} or {@linkcode create} gave.
   * @param change What changed.
   * @throws {SessionTakenError} If it was claimed anew, or is gone.
   * @throws {RangeError} If a number goes back, or acknowledges what was never there.
   */
  update(key: string, claim: number, change: SessionChange): void {
    const kept = this.#sessions.get(key);
    if (kept?.claim !== claim) throw new SessionTakenError(key);
    const { counts, messages } = kept;
    kept.counts = changed(key, counts, messages.length, change);
    for (const message of change.messages ?? []) messages.push(message);
    messages.splice(0, kept.counts.acknowledged - counts.acknowledged);
    this.#touch(key, kept);
  }

  /**
   * Forgets a session. Does nothing if it was claimed anew, or is gone.
   *
   * @param key The session's key.
   * @param claim What {@linkcode claim} or {@linkcode create} gave.
   */
  remove(key: string, claim: number): void {
    if (this.#sessions.get(key)?.claim === claim) this.#sessions.delete(key);
  }

  /**
   * Forgets all sessions that were last in use before a time.
   *
   * @param beforeMs The time, ms since 1970.
   * @returns How many there were.
   */
  expire(beforeMs: number): number {
    const before = this.#sessions.size;
    for (const [key, { counts }] of this.#sessions) {
      if (counts.atMs < beforeMs) this.#sessions.delete(key);
    }
    this.#expired += before - this.#sessions.size;
    return before - this.#sessions.size;
  }

  #touch(key: string, kept: Kept): void {
    this.#sessions.delete(key);
    this.#sessions.set(key, kept);
  }
}
