/**
 * Keeps learned intervals in a file; for Deno, Node and Bun. An export of its
 * own, since a browser has no files.
 *
 * @module
 */

import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { checkedCount } from "../_checks.ts";
import { checkedRecord } from "./_interval_record.ts";
import type { IntervalRecord, IntervalStore } from "./interval_store.ts";

/**
 * Options of {@linkcode FileIntervalStore}.
 *
 * @example The last network only
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { IntervalRecord } from "@longlink/pipeline";
 * import { FileIntervalStore, type FileIntervalStoreOptions } from "@longlink/pipeline/stores/file";
 *
 * const learned = { strategy: "edge", intervalMs: 295_000, loMs: 298_500, hiMs: 303_000 };
 * const record: IntervalRecord = { ...learned, isSettled: true, atMs: 0, direction: "push", confirmations: 3 };
 * const folder = await Deno.makeTempDir();
 * const options: FileIntervalStoreOptions = { path: `${folder}/made/for/it.json`, maxNetworks: 1 };
 * const store = new FileIntervalStore(options);
 * await store.set("home", record);
 * await store.set("train", record);
 * assertEquals([await store.get("home"), await store.get("train")], [undefined, record]);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export interface FileIntervalStoreOptions {
  /** The file; its folder is made if it is missing. */
  readonly path: string | URL;
  /** How many networks to keep; the one not written for longest goes first. 1 to 1,000,000. Default: 100. */
  readonly maxNetworks?: number;
}

/** What is in the file. */
interface Contents {
  /** From the least to the most recently written; what they are is checked when one is asked for. */
  readonly records: Map<string, unknown>;
  /** Why the file could not be read, after it was put aside. */
  readonly damage?: Error;
}

const VERSION = 1;

/** The last task for each file: two stores of one file must not undo each other's work. */
const turns = new Map<string, Promise<unknown>>();

/**
 * An {@linkcode IntervalStore} in a file of JSON that only its owner can read.
 *
 * The file is replaced as a whole (written beside it, flushed to the disk,
 * renamed), so that a process that dies in the middle leaves the old one.
 * Calls within a process wait for each other, also those of two stores of the
 * same file; of two processes that write at the same moment the later one
 * counts, which costs the other network's record and no more.
 *
 * A file that cannot be read as one of this store's is renamed to `*.damaged`
 * and the store goes on empty; the call that found it fails with an error that
 * says so, once it has done its work. Under `keepAlive()` that comes as one
 * `exceptionCaught`.
 *
 * @example What the next process finds
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { IntervalRecord } from "@longlink/pipeline";
 * import { FileIntervalStore } from "@longlink/pipeline/stores/file";
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
 * const folder = await Deno.makeTempDir();
 * const path = `${folder}/intervals.json`;
 * await new FileIntervalStore({ path }).set("home", record);
 * assertEquals(await new FileIntervalStore({ path }).get("home"), record);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export class FileIntervalStore implements IntervalStore {
  /** The file, as an absolute path. */
  readonly path: string;
  readonly #maxNetworks: number;

  /**
   * Makes a store on a file. Nothing is read or written yet.
   *
   * @param options Which file, and how much.
   * @throws {RangeError} If `maxNetworks` is not a whole number from 1 to 1,000,000.
   * @throws {TypeError} If the path is a URL other than `file:`.
   */
  constructor(options: FileIntervalStoreOptions) {
    const { path, maxNetworks = 100 } = options;
    this.path = resolve(path instanceof URL ? fileURLToPath(path) : path);
    this.#maxNetworks = checkedCount("make the store", "maxNetworks", maxNetworks, 1, 1_000_000);
  }

  /**
   * Looks a network up.
   *
   * @param network The network's identity.
   * @returns What is known of it, or undefined.
   * @throws {Error} (rejects) If the file was damaged, cannot be read, or holds no record for the network but something else.
   */
  get(network: string): Promise<IntervalRecord | undefined> {
    return inTurn(this.path, async () => {
      const { records, damage } = await read(this.path);
      if (damage !== undefined) throw damage;
      return checkedRecord(network, records.get(network));
    });
  }

  /**
   * Keeps a record.
   *
   * @param network The network's identity.
   * @param record What was learned.
   * @throws {Error} (rejects) If the file was damaged (the record is kept all the same), or cannot be read or written.
   */
  set(network: string, record: IntervalRecord): Promise<void> {
    const copy = { ...record };
    return inTurn(this.path, async () => {
      const { records, damage } = await read(this.path);
      records.delete(network);
      records.set(network, copy);
      const networks = [...records].slice(-this.#maxNetworks);
      await replace(this.path, JSON.stringify({ version: VERSION, networks }, null, 1) + "\n");
      if (damage !== undefined) throw damage;
    });
  }
}

async function inTurn<T>(path: string, task: () => Promise<T>): Promise<T> {
  const turn = (turns.get(path) ?? Promise.resolve()).then(task, task);
  turns.set(path, turn);
  try {
    return await turn;
  } finally {
    if (turns.get(path) === turn) turns.delete(path);
  }
}

async function read(path: string): Promise<Contents> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return { records: new Map() };
    throw error;
  }
  try {
    return { records: parsed(text) };
  } catch (cause) {
    const aside = `${path}.damaged`;
    await rename(path, aside);
    const detail = cause instanceof Error ? cause.message : String(cause);
    const damage = new Error(`Cannot read the intervals in ${path}: ${detail}; it is now ${aside}`, {
      cause,
    });
    return { records: new Map(), damage };
  }
}

function parsed(text: string): Map<string, unknown> {
  const { version, networks } = (JSON.parse(text) ?? {}) as { version?: unknown; networks?: unknown };
  if (version !== VERSION) throw new TypeError(`its version must be ${VERSION}, got ${String(version)}`);
  if (!Array.isArray(networks) || !networks.every(isEntry)) {
    throw new TypeError("its networks must be a list of pairs");
  }
  return new Map(networks);
}

function isEntry(entry: unknown): entry is [string, unknown] {
  return Array.isArray(entry) && entry.length === 2 && typeof entry[0] === "string";
}

async function replace(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  // A name of its own, lest two processes write into one file.
  const beside = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    const file = await open(beside, "wx", 0o600);
    try {
      await file.writeFile(text);
      // Without this a power cut can leave the new name with none of the new content.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
