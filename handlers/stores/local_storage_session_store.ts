/**
 * Keeps sessions in a browser's storage.
 *
 * @module
 */

import { SessionTakenError } from "../errors.ts";
import { fromBase64, toBase64 } from "./_base64.ts";
import { changed, checkedNew, firstClaim, outlineOf, problemOf, shown } from "./_session_record.ts";
import { storageError } from "./_storage_error.ts";
import { storageHere } from "./_web_storage.ts";
import type { KeyValueStorage } from "./local_storage_interval_store.ts";
import type {
  ClaimedSession,
  SessionChange,
  SessionOutline,
  SessionRecord,
  SessionStore,
} from "./session_store.ts";
import { UnusableSessionError } from "./unusable_session_error.ts";

/**
 * Options of {@linkcode LocalStorageSessionStore}.
 *
 * @example For as long as the tab is open, under a name of its own
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { LocalStorageSessionStore, type LocalStorageSessionStoreOptions, type SessionRecord } from "@longlink/pipeline";
 *
 * const secrets = { id: "00112233445566778899aabbccddeeff", token: "0".repeat(64) };
 * const record: SessionRecord = { ...secrets, links: 1, received: 0, acknowledged: 0, messages: [], atMs: 0 };
 * const options: LocalStorageSessionStoreOptions = { storage: sessionStorage, prefix: "chat:session:" };
 * new LocalStorageSessionStore(options).create("room", record);
 * assertEquals(JSON.parse(sessionStorage.getItem("chat:session:room")!).id, record.id);
 * assertEquals(new LocalStorageSessionStore({ storage: sessionStorage }).claim("room"), undefined);
 * ```
 */
export interface LocalStorageSessionStoreOptions {
  /** Where to keep them. Default: `localStorage`. */
  readonly storage?: KeyValueStorage;
  /** What the keys begin with, since the storage is the whole site's. Default: `longlink:session:`. */
  readonly prefix?: string;
}

const VERSION = 1;

/** What is under a key, as JSON. The messages stay base64 until somebody claims them. */
interface Row extends Omit<SessionRecord, "messages"> {
  readonly version: number;
  readonly claim: number;
  readonly messages: readonly string[];
}

/**
 * A {@linkcode SessionStore} that outlives the page, one key a session.
 * Answers at once.
 *
 * Each change writes the session's text anew in one step, so that a page that
 * is closed leaves the old one or the new one. The text is a third longer than
 * the bytes that wait, and browsers give a site about 5 million characters.
 *
 * Of two tabs that share a session the one that claimed it later has it: the
 * number of the claim is kept beside it and compared at each change. Web
 * Storage has no transactions, though: of two tabs that write in the very same
 * moment the later one wins, and the other learns it with its next change.
 * Where several tabs are to share a session, use an `IndexedDbSessionStore`.
 *
 * @example What the next page finds
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { LocalStorageSessionStore, type SessionRecord } from "@longlink/pipeline";
 *
 * const record: SessionRecord = {
 *   id: "00112233445566778899aabbccddeeff",
 *   token: "0".repeat(64),
 *   links: 1,
 *   received: 0,
 *   acknowledged: 0,
 *   messages: [],
 *   atMs: 1_767_225_600_000,
 * };
 * const storage = sessionStorage; // in a browser: leave it out, and it is localStorage
 * const store = new LocalStorageSessionStore({ storage });
 * const claim = store.create("chat", record);
 * store.update("chat", claim, { messages: [new Uint8Array([7])], atMs: record.atMs });
 *
 * const next = new LocalStorageSessionStore({ storage }).claim("chat");
 * assertEquals(next?.record.messages, [new Uint8Array([7])]);
 * ```
 */
export class LocalStorageSessionStore implements SessionStore {
  readonly #storage: KeyValueStorage;
  readonly #prefix: string;

  /**
   * Makes a store on a storage.
   *
   * @param options Where.
   * @throws {TypeError} If there is no storage here, or the browser refuses it.
   */
  constructor(options: LocalStorageSessionStoreOptions = {}) {
    const { storage = storageHere(), prefix = "longlink:session:" } = options;
    this.#storage = storage;
    this.#prefix = prefix;
  }

  /**
   * Keeps a new session, in place of what is there.
   *
   * @param key The session's key: any text that is not empty.
   * @param record What is known of it.
   * @returns The claim.
   * @throws {TypeError} If the key is empty or the record none.
   * @throws {StorageFullError} If there is no room; what was there stays.
   */
  create(key: string, record: SessionRecord): number {
    const { messages, ...rest } = checkedNew(key, record);
    const earlier = claimOf(this.#parsed(key));
    const claim = earlier === undefined ? firstClaim() : earlier + 1;
    this.#write(key, { version: VERSION, claim, ...rest, messages: messages.map(toBase64) });
    return claim;
  }

  /**
   * Takes hold of a session.
   *
   * @param key The session's key.
   * @param accept Whether to claim what is there. Default: it is claimed.
   * @returns The session, or undefined if there is none or it was not accepted.
   * @throws {UnusableSessionError} If what is there is no session, or of another version. It stays until it is replaced or expires.
   * @throws {StorageFullError} If there is no room even for another claim.
   */
  claim(key: string, accept?: (session: SessionOutline) => boolean): ClaimedSession | undefined {
    if (this.#storage.getItem(this.#nameOf(key)) === null) return undefined;
    const value = this.#parsed(key);
    const record = recordOf(key, value);
    if (accept?.(outlineOf(record)) === false) return undefined;
    const row = value as Row;
    const claim = row.claim + 1;
    this.#write(key, { ...row, claim });
    return { record, claim };
  }

  /**
   * Keeps what changed, all of it or nothing.
   *
   * @param key The session's key.
   * @param claim What {@linkcode claim} or {@linkcode create} gave.
   * @param change What changed.
   * @throws {SessionTakenError} If it was claimed anew, or is gone.
   * @throws {RangeError} If a number goes back, or acknowledges what was never there.
   * @throws {StorageFullError} If there is no room.
   */
  update(key: string, claim: number, change: SessionChange): void {
    const value = this.#parsed(key);
    if (claimOf(value) !== claim) throw new SessionTakenError(key);
    const row = value as Row;
    const counts = changed(key, row, row.messages.length, change);
    const messages = [...row.messages, ...(change.messages ?? []).map(toBase64)];
    messages.splice(0, counts.acknowledged - row.acknowledged);
    this.#write(key, { ...row, ...counts, messages });
  }

  /**
   * Forgets a session. Does nothing if it was claimed anew, or is gone.
   *
   * @param key The session's key.
   * @param claim What {@linkcode claim} or {@linkcode create} gave.
   */
  remove(key: string, claim: number): void {
    if (claimOf(this.#parsed(key)) === claim) this.#storage.removeItem(this.#nameOf(key));
  }

  /**
   * Forgets all sessions that were last in use before a time, and what is none.
   *
   * @param beforeMs The time, ms since 1970.
   * @returns How many there were.
   */
  expire(beforeMs: number): number {
    const old: string[] = [];
    for (let i = 0; i < this.#storage.length; i++) {
      const key = this.#storage.key(i);
      if (!key?.startsWith(this.#prefix)) continue;
      const row = parsed(this.#storage.getItem(key)) as Partial<Row> | null | undefined;
      // What another version of the page keeps there is judged by its age alone.
      if (!(Number(row?.atMs) >= beforeMs)) old.push(key);
    }
    // Not at once: the other keys would move up, and every second one be missed.
    for (const key of old) this.#storage.removeItem(key);
    return old.length;
  }

  /** The key's name in the storage. As JSON has it: some storages keep no halves of surrogate pairs. */
  #nameOf(key: string): string {
    return this.#prefix + JSON.stringify(key).slice(1, -1);
  }

  #parsed(key: string): unknown {
    return parsed(this.#storage.getItem(this.#nameOf(key)));
  }

  #write(key: string, row: Row): void {
    try {
      this.#storage.setItem(this.#nameOf(key), JSON.stringify(row));
    } catch (error) {
      throw storageError(key, error);
    }
  }
}

/** What a text says, whatever it is; undefined if it is no JSON, or there is none. */
function parsed(text: string | null): unknown {
  if (text === null) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws {TypeError} If the value is no row, or holds no session. */
function recordOf(key: string, value: unknown): SessionRecord {
  if (typeof value !== "object" || value === null) {
    throw new UnusableSessionError(key, "it is no JSON of an object");
  }
  const { version, claim, id, token, links, received, acknowledged, messages, atMs } = value as Row;
  if (version !== VERSION) {
    throw new UnusableSessionError(key, `its version must be ${VERSION}, got ${shown(version)}`);
  }
  if (!Number.isSafeInteger(claim)) {
    throw new UnusableSessionError(key, `its claim must be a whole number, got ${shown(claim)}`);
  }
  if (!Array.isArray(messages)) {
    throw new UnusableSessionError(key, `messages must be a list, got ${shown(messages)}`);
  }
  let bytes: Uint8Array[];
  try {
    bytes = messages.map(fromBase64);
  } catch (cause) {
    throw new UnusableSessionError(key, "a message is no base64", { cause });
  }
  const record = { id, token, links, received, acknowledged, messages: bytes, atMs };
  const problem = problemOf(record);
  if (problem !== undefined) throw new UnusableSessionError(key, problem);
  return record;
}

/** The claim of what is fit to be changed; undefined for anything else. */
function claimOf(value: unknown): number | undefined {
  const row = value as Row | null | undefined;
  if (row?.version !== VERSION || !Number.isSafeInteger(row.claim)) return undefined;
  const isWhole = Array.isArray(row.messages) && problemOf({ ...row, messages: [] }) === undefined;
  return isWhole ? row.claim : undefined;
}
