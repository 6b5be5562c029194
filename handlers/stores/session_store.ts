/**
 * Where sessions are kept.
 *
 * @module
 */

export * from "./unusable_session_error.ts";

/**
 * What a side has to know to go on with a session. Plain data, so that any store can keep it.
 *
 * @example A session that is put into another store
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { LocalStorageSessionStore, MemorySessionStore, type SessionRecord } from "@longlink/pipeline";
 *
 * const secrets = { id: "00112233445566778899aabbccddeeff", token: "0".repeat(64) };
 * const record: SessionRecord = { ...secrets, links: 1, received: 0, acknowledged: 0, messages: [], atMs: 0 };
 * const [memory, tab] = [new MemorySessionStore(), new LocalStorageSessionStore({ storage: sessionStorage })];
 * memory.create("phone", record);
 * tab.create("moved", memory.claim("phone")!.record);
 * assertEquals(tab.claim("moved")?.record, record);
 * ```
 */
export interface SessionRecord {
  /** Which session it is: 32 hexadecimal digits, made by the server. */
  readonly id: string;
  /** What the client proves with that it is its session: 64 hexadecimal digits from a cryptographic source. */
  readonly token: string;
  /** How many links the session has had. A resume that arrives after a later one is told by that. */
  readonly links: number;
  /** The number of the last message from the peer that is done with, and was or may be acknowledged; 0: none. */
  readonly received: number;
  /** The number of the last own message that the peer has acknowledged; 0: none. */
  readonly acknowledged: number;
  /** The own messages after that, in order and without a gap: the first has the number `acknowledged + 1`. */
  readonly messages: readonly Uint8Array[];
  /** When it was last in use, ms since 1970. */
  readonly atMs: number;
}

/**
 * What a store has of a session before it is claimed, for the claimer to judge.
 *
 * @example Only whoever knows the token may have it
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { MemorySessionStore, type SessionOutline, type SessionRecord } from "@longlink/pipeline";
 *
 * const secrets = { id: "00112233445566778899aabbccddeeff", token: "0".repeat(64) };
 * const record: SessionRecord = { ...secrets, links: 1, received: 0, acknowledged: 0, messages: [], atMs: 0 };
 * const store = new MemorySessionStore();
 * store.create("phone", record);
 * const accept = (shown: string) => ({ token }: SessionOutline) => token === shown;
 * assertEquals(store.claim("phone", accept("1".repeat(64))), undefined);
 * assertEquals(store.claim("phone", accept("0".repeat(64)))?.record, record);
 * ```
 */
export interface SessionOutline extends Omit<SessionRecord, "messages"> {
  /** The number of the last own message, acknowledged or not; 0: none. */
  readonly last: number;
}

/**
 * What became of a session since the store was told last. What is absent has not changed.
 *
 * @example A message is kept, and another one is acknowledged
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { MemorySessionStore, type SessionChange, type SessionRecord } from "@longlink/pipeline";
 *
 * const secrets = { id: "00112233445566778899aabbccddeeff", token: "0".repeat(64) };
 * const record: SessionRecord = { ...secrets, links: 1, received: 0, acknowledged: 0, messages: [], atMs: 0 };
 * const store = new MemorySessionStore();
 * const claim = store.create("phone", record);
 * const change: SessionChange = { messages: [new Uint8Array([1]), new Uint8Array([2])], atMs: 1_000 };
 * store.update("phone", claim, change);
 * store.update("phone", claim, { acknowledged: 1, atMs: 2_000 });
 * assertEquals(store.claim("phone")?.record.messages, [new Uint8Array([2])]);
 * ```
 */
export interface SessionChange {
  /** See {@linkcode SessionRecord.links}. */
  readonly links?: number;
  /** See {@linkcode SessionRecord.received}. */
  readonly received?: number;
  /** See {@linkcode SessionRecord.acknowledged}: the messages up to this one need not be kept any longer. */
  readonly acknowledged?: number;
  /** New own messages, to be kept after those that are there. */
  readonly messages?: readonly Uint8Array[];
  /** See {@linkcode SessionRecord.atMs}. */
  readonly atMs: number;
}

/**
 * A session that was taken hold of.
 *
 * @example Whoever claims it may change it
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type ClaimedSession, MemorySessionStore, type SessionRecord } from "@longlink/pipeline";
 *
 * const secrets = { id: "00112233445566778899aabbccddeeff", token: "0".repeat(64) };
 * const record: SessionRecord = { ...secrets, links: 1, received: 0, acknowledged: 0, messages: [], atMs: 0 };
 * const store = new MemorySessionStore();
 * const first = store.create("phone", record);
 * const claimed: ClaimedSession = store.claim("phone")!;
 * store.update("phone", claimed.claim, { received: 1, atMs: 1_000 });
 * store.remove("phone", first); // whose claim is over
 * assertEquals(store.claim("phone")?.record.received, 1);
 * ```
 */
export interface ClaimedSession {
  /** What is known of it. */
  readonly record: SessionRecord;
  /** Proves to the store that nobody has claimed it since; another number at each claim. */
  readonly claim: number;
}

/**
 * Keeps sessions. A server keeps them under their id, a client under a name
 * of its own.
 *
 * Whoever goes on with a session claims it first. From then on what an earlier
 * holder says is refused with a {@linkcode SessionTakenError}: of two servers
 * that both think that a client is theirs, only one may acknowledge.
 *
 * A store may answer at once or with a promise. What is done with `update`
 * must outlive what the store promises to survive (the process, for a file):
 * messages are sent, and acknowledged, only after that. Calls for one session
 * come one after the other, each once the one before is done. A claim is used
 * with the store object that gave it.
 *
 * @example The store that forgets with its process
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { MemorySessionStore, type SessionRecord } from "@longlink/pipeline";
 *
 * const store = new MemorySessionStore();
 * const record: SessionRecord = {
 *   id: "00112233445566778899aabbccddeeff",
 *   token: "0".repeat(64),
 *   links: 1,
 *   received: 0,
 *   acknowledged: 0,
 *   messages: [],
 *   atMs: 1_767_225_600_000,
 * };
 * const claim = store.create("phone", record);
 * store.update("phone", claim, { messages: [new Uint8Array([1])], received: 3, atMs: record.atMs + 1 });
 * assertEquals(store.claim("phone")?.record.messages.length, 1);
 * ```
 */
export interface SessionStore {
  /**
   * Keeps a new session, in place of one that is there.
   *
   * @param key The session's key: any text that is not empty.
   * @param record What is known of it. The bytes of its messages must not be changed from now on.
   * @returns The claim, as for {@linkcode claim}.
   */
  create(key: string, record: SessionRecord): number | Promise<number>;
  /**
   * Takes hold of a session.
   *
   * @param key The session's key.
   * @param accept Asked before anything happens whether to claim what is there; false leaves it to its holder. It may
   *   be asked again, about what has changed meanwhile: the last answer counts. Default: it is claimed.
   * @returns The session, or undefined if there is none or it was not accepted.
   * @throws {UnusableSessionError} (or rejects) If what is there is no session, or of another version.
   * @throws {Error} (or rejects) If it cannot be read.
   */
  claim(
    key: string,
    accept?: (session: SessionOutline) => boolean,
  ): ClaimedSession | undefined | Promise<ClaimedSession | undefined>;
  /**
   * Keeps what changed, all of it or nothing. Where a store that is reached
   * over a network fails, nobody may know which of the two it was: who asks
   * again gives the same messages first, and then those that came since.
   *
   * @param key The session's key.
   * @param claim What {@linkcode claim} or {@linkcode create} gave.
   * @param change What changed.
   * @throws {SessionTakenError} (or rejects) If it was claimed anew, or is gone. A change that is refused in the
   *   very moment of the claim may already be in what the claimer got.
   * @throws {RangeError} (or rejects) If a number goes back, or beyond what is there.
   */
  update(key: string, claim: number, change: SessionChange): void | Promise<void>;
  /**
   * Forgets a session. Does nothing if it was claimed anew, or is gone.
   *
   * @param key The session's key.
   * @param claim What {@linkcode claim} or {@linkcode create} gave.
   */
  remove(key: string, claim: number): void | Promise<void>;
  /**
   * Forgets all sessions that were last in use before a time. A store that
   * does so by itself has nothing to do here.
   *
   * @param beforeMs The time, ms since 1970.
   * @returns How many there were.
   */
  expire(beforeMs: number): number | Promise<number>;
}
