/**
 * Keeps sessions in files; for Deno, Node and Bun.
 *
 * @module
 */

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { SessionTakenError } from "../errors.ts";
import { type HeldFolder, SessionFolder } from "./_session_folder.ts";
import { encodeChange, encodeSnapshot } from "./_session_log.ts";
import { checkedNew, type SessionCounts } from "./_session_record.ts";
import { storageError } from "./_storage_error.ts";
import { type SessionUpdate, together, waiting } from "./_session_updates.ts";
import { Turns } from "./_turns.ts";
import type {
  ClaimedSession,
  SessionChange,
  SessionOutline,
  SessionRecord,
  SessionStore,
} from "./session_store.ts";

/**
 * Options of {@linkcode FileSessionStore} and {@linkcode fileSessionStore}.
 *
 * @example What a power cut must not take
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { SessionRecord } from "@longlink/pipeline";
 * import { FileSessionStore, type FileSessionStoreOptions } from "@longlink/pipeline/stores/file";
 *
 * const secrets = { id: "00112233445566778899aabbccddeeff", token: "0".repeat(64) };
 * const record: SessionRecord = { ...secrets, links: 1, received: 0, acknowledged: 0, messages: [], atMs: 0 };
 * const path = await Deno.makeTempDir();
 * const options: FileSessionStoreOptions = { path, flushToDisk: true };
 * await new FileSessionStore(options).create("phone", record);
 * assertEquals((await new FileSessionStore(options).claim("phone"))?.record, record);
 * await Deno.remove(path, { recursive: true });
 * ```
 */
export interface FileSessionStoreOptions {
  /** The folder; it is made if it is missing. */
  readonly path: string | URL;
  /**
   * Whether to wait until the disk has what was written. Without it what was
   * kept outlives the process, also one that is killed (`kill -9`): the
   * operating system has it. With it also a power cut, on a disk that tells the
   * truth, at the price of some milliseconds a change. Default: false.
   */
  readonly flushToDisk?: boolean;
}

/** A session that this store holds. */
interface Held {
  folder: HeldFolder;
  counts: SessionCounts;
  /** How many messages wait. */
  kept: number;
  /** How many bytes of the log are good. */
  bytes: number;
  /** At how many bytes the log is written anew; 0: before anything else, since what is behind `bytes` is no good. */
  compactAt: number;
}

/** How many sessions are worked at at once: each has a file open, and processes have 1,024 at most on many systems. */
const SIDE_BY_SIDE = 64;
/** A log is written anew once it has 4 times the bytes of its session, and not below 64 KiB. */
const COMPACT_FACTOR = 4;
const COMPACT_BYTES = 65_536;

/**
 * A {@linkcode SessionStore} in a folder that only its owner can read: what
 * `create`, `claim` and `update` have passed for is there after the process
 * was killed at any moment.
 *
 * Each session has a log to which changes are appended, each with its length
 * and checksum; half a frame at its end, where a process died while it wrote,
 * is cut off. The log is written anew beside the old one, and renamed, when it
 * has grown long. Calls for one session come one after the other, and changes
 * that piled up meanwhile are written in one; different sessions are written
 * side by side. No file stays open.
 *
 * Several stores and several processes may use one folder on a local disk.
 * Claiming a session renames its folder, which one of them can do once, so a
 * change is kept only if the session is still held after it was written. A
 * change that is refused, or fails, in the very moment in which the session is
 * claimed may yet be in what the claimer got; never the other way round. A
 * store takes the claims that it gave itself.
 *
 * What cannot be read is renamed to `*.damaged`, and the call that found it
 * fails with an error that says so; the session counts as gone.
 *
 * @example What the next process finds
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { SessionRecord } from "@longlink/pipeline";
 * import { FileSessionStore } from "@longlink/pipeline/stores/file";
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
 * const path = await Deno.makeTempDir();
 * const store = new FileSessionStore({ path });
 * const claim = await store.create("phone", record);
 * await store.update("phone", claim, { messages: [new Uint8Array([7])], received: 3, atMs: record.atMs });
 *
 * const found = await new FileSessionStore({ path }).claim("phone");
 * assertEquals(found?.record, { ...record, received: 3, messages: [new Uint8Array([7])] });
 * await Deno.remove(path, { recursive: true });
 * ```
 */
export class FileSessionStore implements SessionStore, AsyncDisposable {
  /** The folder, as an absolute path. */
  readonly path: string;
  readonly #folder: SessionFolder;
  readonly #held = new Map<string, Held>();
  /** When the sessions that others hold, or nobody, were last in use as far as is known, by their folders. */
  #seenAtMs = new Map<string, number>();
  readonly #turns = new Turns<SessionUpdate>(SIDE_BY_SIDE, (key, updates) => this.#apply(key, updates));
  #isClosed = false;

  /**
   * Makes a store on a folder. Nothing is read or written yet.
   *
   * @param options Which folder, and how safe.
   * @throws {TypeError} If the path is a URL other than `file:`.
   */
  constructor(options: FileSessionStoreOptions) {
    const { path, flushToDisk = false } = options;
    this.path = resolve(path instanceof URL ? fileURLToPath(path) : path);
    this.#folder = new SessionFolder(this.path, flushToDisk);
  }

  /**
   * Keeps a new session, in place of one that is there.
   *
   * @param key The session's key: any text that is not empty.
   * @param record What is known of it.
   * @returns The claim.
   * @throws {TypeError} (rejects) If the key is empty or the record none.
   * @throws {StorageFullError} (rejects) If there is no room.
   * @throws {Error} (rejects) If it cannot be written, or the store is closed.
   */
  async create(key: string, record: SessionRecord): Promise<number> {
    const copy = checkedNew(key, record);
    return await this.#inTurn(key, async () => {
      const folder = await this.#folder.create(key, copy);
      this.#hold(key, folder, copy);
      return folder.claim;
    });
  }

  /**
   * Takes hold of a session.
   *
   * @param key The session's key.
   * @param accept Whether to claim what is there. Default: it is claimed.
   * @returns The session, or undefined if there is none or it was not accepted.
   * @throws {StorageFullError} (rejects) If there is no room to begin a new log.
   * @throws {Error} (rejects) If it was damaged, cannot be read, or the store is closed.
   */
  async claim(
    key: string,
    accept?: (session: SessionOutline) => boolean,
  ): Promise<ClaimedSession | undefined> {
    return await this.#inTurn(key, async () => {
      const claimed = await this.#folder.claim(key, accept);
      if (claimed === undefined) return undefined;
      this.#hold(key, claimed.held, claimed.record);
      return { record: claimed.record, claim: claimed.held.claim };
    });
  }

  /**
   * Keeps what changed, all of it or nothing.
   *
   * @param key The session's key.
   * @param claim What {@linkcode claim} or {@linkcode create} of this store gave.
   * @param change What changed.
   * @throws {SessionTakenError} (rejects) If it was claimed anew, or is gone.
   * @throws {RangeError} (rejects) If a number goes back, or acknowledges what was never there.
   * @throws {StorageFullError} (rejects) If there is no room.
   * @throws {Error} (rejects) If it cannot be written, or the store is closed.
   */
  update(key: string, claim: number, change: SessionChange): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError(key));
    return waiting(claim, change, (update) => this.#turns.update(key, update));
  }

  /**
   * Forgets a session. Does nothing if it was claimed anew, or is gone.
   *
   * @param key The session's key.
   * @param claim What {@linkcode claim} or {@linkcode create} of this store gave.
   * @throws {Error} (rejects) If its files cannot be removed, or the store is closed.
   */
  async remove(key: string, claim: number): Promise<void> {
    await this.#inTurn(key, async () => {
      const held = this.#held.get(key);
      if (held?.folder.claim === claim) await this.#discard(key, held);
    });
  }

  /**
   * Forgets all sessions that were last in use before a time, whoever holds
   * them, and tidies up what processes left behind that were killed.
   *
   * @param beforeMs The time, ms since 1970.
   * @returns How many there were.
   * @throws {AggregateError} (rejects) If some were damaged or could not be removed; the others are done.
   * @throws {Error} (rejects) If the store is closed.
   */
  async expire(beforeMs: number): Promise<number> {
    if (this.#isClosed) throw new Error("Cannot expire sessions: the store is closed");
    const keys = new Map(Array.from(this.#held, ([key, { folder }]) => [folder.path, key]));
    const seenAtMs = new Map<string, number>();
    const errors: unknown[] = [];
    let expired = 0;
    for await (const paths of this.#folder.shards()) {
      await Promise.all(paths.map(async (path) => {
        try {
          const isExpired = await this.#turns.run(
            keys.get(path) ?? path,
            () => this.#expireOne(path, keys.get(path), beforeMs, seenAtMs),
          );
          if (isExpired) expired++;
        } catch (error) {
          errors.push(error);
        }
      }));
    }
    this.#seenAtMs = seenAtMs;
    if (errors.length > 0) {
      throw new AggregateError(
        errors,
        `Cannot expire all sessions: ${errors.length} could not be read or removed`,
      );
    }
    return expired;
  }

  /** Ends the store once all that was asked for is done. What is kept stays. Closing it again does nothing. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#turns.idle();
    this.#held.clear();
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
      throw storageError(key, error);
    }
  }

  #hold(key: string, folder: HeldFolder, { messages, ...counts }: SessionRecord): void {
    const { bytes } = folder;
    this.#held.set(key, { folder, counts, kept: messages.length, bytes, compactAt: compactAtOf(bytes) });
  }

  async #discard(key: string, { folder }: Held): Promise<boolean> {
    this.#held.delete(key);
    return await this.#folder.discard(folder.path);
  }

  async #expireOne(
    path: string,
    key: string | undefined,
    beforeMs: number,
    seenAtMs: Map<string, number>,
  ): Promise<boolean> {
    const held = key === undefined ? undefined : this.#held.get(key);
    if (held?.folder.path === path) return held.counts.atMs < beforeMs && await this.#discard(key!, held);
    // Who holds it can only have used it since, so it need not be read again each time.
    let atMs = this.#seenAtMs.get(path) ?? -Infinity;
    if (atMs < beforeMs) atMs = (await this.#folder.readLog(path))?.record.atMs ?? Infinity;
    if (atMs < beforeMs) return await this.#folder.discard(path);
    seenAtMs.set(path, atMs);
    return false;
  }

  /** Does changes in order; all those that can be done are done in one write. */
  async #apply(key: string, updates: SessionUpdate[]): Promise<void> {
    const held = this.#held.get(key);
    const all = together(
      key,
      held && { claim: held.folder.claim, counts: held.counts, kept: held.kept },
      updates,
    );
    if (held === undefined || all === undefined) return;
    const { good, counts, kept, messages } = all;
    try {
      if (!(await this.#written(key, held, encodeChange(counts, messages)))) {
        this.#held.delete(key);
        throw new SessionTakenError(key);
      }
      Object.assign(held, { counts, kept });
      for (const { pass } of good) pass();
    } catch (error) {
      for (const { fail } of good) fail(storageError(key, error));
    }
  }

  async #written(key: string, held: Held, frame: Uint8Array): Promise<boolean> {
    if (held.bytes >= held.compactAt && !(await this.#compacted(key, held))) return false;
    const { compactAt } = held;
    held.compactAt = 0;
    if (!(await this.#folder.append(held.folder.path, frame))) return false;
    held.bytes += frame.length;
    held.compactAt = compactAt;
    return true;
  }

  async #compacted(key: string, held: Held): Promise<boolean> {
    const log = await this.#folder.readLog(held.folder.path, held.bytes);
    if (log === undefined) return false;
    const snapshot = encodeSnapshot(key, log.record);
    if (!(await this.#folder.replaceLog(held.folder, snapshot))) return false;
    held.bytes = snapshot.length;
    held.compactAt = compactAtOf(snapshot.length);
    return true;
  }
}

/**
 * Makes a {@linkcode FileSessionStore}: sessions that outlive the process.
 *
 * @param options Which folder, and how safe.
 * @returns The store.
 * @throws {TypeError} If the path is a URL other than `file:`.
 *
 * @example For a server that restarts
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { fileSessionStore } from "@longlink/pipeline/stores/file";
 *
 * const path = await Deno.makeTempDir();
 * await using store = fileSessionStore({ path });
 * assertEquals(await store.claim("phone"), undefined);
 * await Deno.remove(path, { recursive: true });
 * ```
 */
export function fileSessionStore(options: FileSessionStoreOptions): FileSessionStore {
  return new FileSessionStore(options);
}

function compactAtOf(bytes: number): number {
  return Math.max(COMPACT_BYTES, COMPACT_FACTOR * bytes);
}

function closedError(key: string): Error {
  return new Error(`Cannot use the session ${JSON.stringify(key)}: the store is closed`);
}
