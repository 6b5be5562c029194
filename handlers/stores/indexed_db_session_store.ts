/**
 * Keeps sessions in a browser's IndexedDB.
 *
 * @module
 */

import { SessionTakenError } from "../errors.ts";
import { answerOf, IndexedDatabase } from "./_indexed_db.ts";
import { changed, checkedNew, firstClaim, outlineOf, problemOf, shown } from "./_session_record.ts";
import { storageError } from "./_storage_error.ts";
import type { IndexedDb } from "./indexed_db_interval_store.ts";
import type {
  ClaimedSession,
  SessionChange,
  SessionOutline,
  SessionRecord,
  SessionStore,
} from "./session_store.ts";
import { UnusableSessionError } from "./unusable_session_error.ts";

/**
 * Options of {@linkcode IndexedDbSessionStore}.
 *
 * @example A database of this name, opened when it is needed
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { IndexedDbSessionStore, type IndexedDbSessionStoreOptions } from "@longlink/pipeline";
 *
 * const opened: string[] = [];
 * const open = (name: string) => {
 *   opened.push(name);
 *   throw new Error("no database here"); // in a page: leave the factory out, and it is indexedDB
 * };
 * const options: IndexedDbSessionStoreOptions = { database: "chat-sessions", factory: { open }, flushToDisk: true };
 * await assertRejects(() => new IndexedDbSessionStore(options).claim("chat"), Error, "no database here");
 * assertEquals(opened, ["chat-sessions"]);
 * ```
 */
export interface IndexedDbSessionStoreOptions {
  /** The database's name. It is the store's alone. Default: `longlink-sessions`. */
  readonly database?: string;
  /** What opens it. Default: `indexedDB`. */
  readonly factory?: IndexedDb;
  /**
   * Whether to wait until the disk has what was written, so that it outlives a
   * power cut and not only the page and the browser. Default: false.
   */
  readonly flushToDisk?: boolean;
}

const VERSION = 1;
const SESSIONS = "sessions";
const MESSAGES = "messages";

/** What is under a session's key. Its messages are under `[key, number]`, so that a change need not write all anew. */
interface Row extends Omit<SessionRecord, "messages"> {
  readonly version: number;
  readonly claim: number;
  /** The number of the last message that waits; `acknowledged` if none does. */
  readonly last: number;
}

/**
 * A {@linkcode SessionStore} that outlives the page, also where several tabs
 * share a session: each call is one transaction, and what an earlier claim
 * wants to change is refused inside it. For pages and workers.
 *
 * @example In a page; other runtimes say that they have none
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { IndexedDbSessionStore } from "@longlink/pipeline";
 *
 * const store = new IndexedDbSessionStore({ database: "chat" });
 * if (typeof indexedDB === "object") assertEquals(await store.claim("chat"), undefined);
 * else await assertRejects(() => store.claim("chat"), TypeError, "there is no indexedDB here");
 * ```
 */
export class IndexedDbSessionStore implements SessionStore, AsyncDisposable {
  readonly #database: IndexedDatabase;

  /**
   * Makes a store on a database, which is opened with the first call.
   *
   * @param options Which one.
   */
  constructor(options: IndexedDbSessionStoreOptions = {}) {
    const { database = "longlink-sessions" } = options;
    this.#database = new IndexedDatabase(database, [SESSIONS, MESSAGES], options);
  }

  /**
   * Keeps a new session, in place of what is there.
   *
   * @param key The session's key: any text that is not empty.
   * @param record What is known of it.
   * @returns The claim.
   * @throws {TypeError} (rejects) If the key is empty, the record none, or there is no indexedDB.
   * @throws {StorageFullError} (rejects) If there is no room; what was there stays.
   */
  async create(key: string, record: SessionRecord): Promise<number> {
    const { messages, ...rest } = checkedNew(key, record);
    return await this.#transact(key, async (sessions, stored) => {
      const row = await answerOf(sessions.get(key));
      const isRow = problemOfRow(row) === undefined;
      const claim = isRow ? row.claim + 1 : firstClaim();
      if (isRow) deleteMessages(stored, key, row.acknowledged, row.last);
      const last = putMessages(stored, key, rest.acknowledged, messages);
      sessions.put({ version: VERSION, claim, ...rest, last }, key);
      return claim;
    });
  }

  /**
   * Takes hold of a session.
   *
   * @param key The session's key.
   * @param accept Whether to claim what is there. Default: it is claimed.
   * @returns The session, or undefined if there is none or it was not accepted.
   * @throws {UnusableSessionError} (rejects) If what is there is no session or of another version. It stays until it is replaced or expires.
   * @throws {TypeError} (rejects) If there is no indexedDB.
   */
  async claim(
    key: string,
    accept?: (session: SessionOutline) => boolean,
  ): Promise<ClaimedSession | undefined> {
    return await this.#transact(key, async (sessions, stored) => {
      const row = await answerOf(sessions.get(key));
      if (row === undefined) return undefined;
      const problem = problemOfRow(row);
      if (problem !== undefined) throw new UnusableSessionError(key, problem);
      const { id, token, links, received, acknowledged, atMs, last } = row as Row;
      const waiting = last - acknowledged;
      if (waiting > await answerOf(stored.count())) {
        throw new UnusableSessionError(key, `not all of its ${waiting} messages are there`);
      }
      const numbers = Array.from({ length: waiting }, (_, i) => acknowledged + 1 + i);
      const messages = await Promise.all(numbers.map((number) => answerOf(stored.get([key, number]))));
      const record = { id, token, links, received, acknowledged, messages, atMs };
      const damage = problemOf(record);
      if (damage !== undefined) throw new UnusableSessionError(key, damage);
      if (accept?.(outlineOf(record)) === false) return undefined;
      const claim = row.claim + 1;
      sessions.put({ ...row, claim }, key);
      return { record, claim };
    });
  }

  /**
   * Keeps what changed, all of it or nothing.
   *
   * @param key The session's key.
   * @param claim What {@linkcode claim} or {@linkcode create} gave.
   * @param change What changed.
   * @throws {SessionTakenError} (rejects) If it was claimed anew, or is gone.
   * @throws {RangeError} (rejects) If a number goes back, or acknowledges what was never there.
   * @throws {StorageFullError} (rejects) If there is no room.
   */
  async update(key: string, claim: number, change: SessionChange): Promise<void> {
    // Of its own, as it may wait: the caller's list may grow meanwhile.
    const copy = { ...change, messages: [...change.messages ?? []] };
    await this.#transact(key, async (sessions, stored) => {
      const row = await answerOf(sessions.get(key));
      if (problemOfRow(row) !== undefined || row.claim !== claim) throw new SessionTakenError(key);
      const { acknowledged, last } = row as Row;
      const counts = changed(key, row, last - acknowledged, copy);
      const end = putMessages(stored, key, last, copy.messages);
      deleteMessages(stored, key, acknowledged, counts.acknowledged);
      sessions.put({ ...row, ...counts, last: end }, key);
    });
  }

  /**
   * Forgets a session. Does nothing if it was claimed anew, or is gone.
   *
   * @param key The session's key.
   * @param claim What {@linkcode claim} or {@linkcode create} gave.
   */
  async remove(key: string, claim: number): Promise<void> {
    await this.#transact(key, async (sessions, stored) => {
      const row = await answerOf(sessions.get(key));
      if (problemOfRow(row) === undefined && row.claim === claim) deleteSession(sessions, stored, key, row);
    });
  }

  /**
   * Forgets all sessions that were last in use before a time, and what is none.
   *
   * @param beforeMs The time, ms since 1970.
   * @returns How many there were.
   */
  async expire(beforeMs: number): Promise<number> {
    return await this.#database.transact("readwrite", async (transaction) => {
      const sessions = transaction.objectStore(SESSIONS);
      const stored = transaction.objectStore(MESSAGES);
      const [keys, rows] = await Promise.all([answerOf(sessions.getAllKeys()), answerOf(sessions.getAll())]);
      // What another version of the page keeps there is judged by its age alone.
      const old = keys.flatMap((key, i) => Number(rows[i]?.atMs) >= beforeMs ? [] : [[String(key), rows[i]]]);
      for (const [key, row] of old) deleteSession(sessions, stored, key, row);
      return old.length;
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

  async #transact<T>(
    key: string,
    body: (sessions: IDBObjectStore, stored: IDBObjectStore) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#database.transact(
        "readwrite",
        (transaction) => body(transaction.objectStore(SESSIONS), transaction.objectStore(MESSAGES)),
      );
    } catch (error) {
      throw storageError(key, error);
    }
  }
}

/** Adds messages after a number; gives the number of the last. */
function putMessages(
  stored: IDBObjectStore,
  key: string,
  after: number,
  messages: readonly Uint8Array[],
): number {
  let last = after;
  // Copies: of a part of a buffer the whole buffer would be stored.
  for (const message of messages) stored.put(new Uint8Array(message), [key, ++last]);
  return last;
}

function deleteMessages(stored: IDBObjectStore, key: string, after: number, last: number): void {
  for (let number = after + 1; number <= last; number++) stored.delete([key, number]);
}

function deleteSession(sessions: IDBObjectStore, stored: IDBObjectStore, key: string, row: Row): void {
  if (problemOfRow(row) === undefined) deleteMessages(stored, key, row.acknowledged, row.last);
  sessions.delete(key);
}

/** The first thing that is wrong with what is under a session's key, or undefined. */
function problemOfRow(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return `it must be an object, got ${shown(value)}`;
  const { version, claim, last, acknowledged } = value as Row;
  if (version !== VERSION) return `its version must be ${VERSION}, got ${shown(version)}`;
  if (!Number.isSafeInteger(claim)) return `its claim must be a whole number, got ${shown(claim)}`;
  const problem = problemOf({ ...value, messages: [] });
  if (problem !== undefined) return problem;
  if (Number.isSafeInteger(last) && last >= acknowledged) return undefined;
  return `last must be a whole number of ${acknowledged} or more, got ${shown(last)}`;
}
