/**
 * The folder of a file session store, and what makes its steps atomic.
 *
 * ```text
 * <folder>/<2 digits>/<62 digits>.<claim>/log     a session; the digits are the SHA-256 of its key
 *                                        /<claim>.new      a log that is to take the place of that one
 *                     <62 digits>.damaged/        one that could not be read
 *                     <any>.new/  <any>.gone/     a session that is being made, or is on its way out
 * ```
 *
 * The claim is part of the path. Who claims a session renames its folder,
 * which one of many can do once; from then on every path of the earlier holder
 * leads nowhere. A holder that had opened the log just before may still write
 * to it: it looks afterwards whether the path still leads there, and the
 * claimer has begun a new file, so that nothing can follow what it has read.
 *
 * @module
 */

import * as timers from "node:timers/promises";
import { createHash, randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { decodeLog, encodeSnapshot, type SessionLog } from "./_session_log.ts";
import { firstClaim, outlineOf } from "./_session_record.ts";
import type { SessionOutline, SessionRecord } from "./session_store.ts";

/** A session that was taken hold of. */
export interface HeldFolder {
  readonly claim: number;
  /** The session's folder. */
  readonly path: string;
  /** How many bytes the log has. */
  readonly bytes: number;
}

const SESSION = /^([0-9a-f]{62})\.(\d+)$/;
const PASSING = /\.(new|gone)$/;

/** What is done with the files of a folder. What it gives back as undefined or false was taken by somebody else. */
export class SessionFolder {
  readonly #root: string;
  readonly #flushToDisk: boolean;

  constructor(root: string, flushToDisk: boolean) {
    this.#root = root;
    this.#flushToDisk = flushToDisk;
  }

  /** Puts a session there, in place of an earlier one. */
  async create(key: string, record: SessionRecord): Promise<HeldFolder> {
    const snapshot = encodeSnapshot(key, record);
    for (let lost = 0;; lost++) {
      if (lost > 0) await pauseAfter(lost);
      const found = await this.#find(key);
      if (found === undefined) {
        const claim = await this.#make(key, snapshot);
        if (claim !== undefined) return this.#held(key, claim, snapshot);
      } else if (
        await this.#moved(this.#path(key, found), this.#path(key, found + 1)) &&
        await this.replaceLog(this.#held(key, found + 1, snapshot), snapshot)
      ) {
        return this.#held(key, found + 1, snapshot);
      }
    }
  }

  /** @throws {Error} If it is damaged; it has been put aside. */
  async claim(
    key: string,
    accept?: (session: SessionOutline) => boolean,
  ): Promise<{ held: HeldFolder; record: SessionRecord } | undefined> {
    for (let lost = 0;; lost++) {
      if (lost > 0) await pauseAfter(lost);
      const found = await this.#find(key);
      if (found === undefined) return undefined;
      if (accept !== undefined) {
        const seen = await this.readLog(this.#path(key, found));
        if (seen === undefined) continue;
        if (!accept(outlineOf(seen.record))) return undefined;
      }
      const path = this.#path(key, found + 1);
      if (!(await this.#moved(this.#path(key, found), path))) continue;
      const log = await this.readLog(path);
      if (log === undefined) continue;
      const snapshot = encodeSnapshot(key, log.record);
      const held = this.#held(key, found + 1, snapshot);
      if (await this.replaceLog(held, snapshot)) return { held, record: log.record };
    }
  }

  /**
   * Puts a frame at the end of a log. Where that fails, part of it may be there.
   *
   * @returns Whether the session was still held when it was there.
   */
  async append(path: string, frame: Uint8Array): Promise<boolean> {
    const log = join(path, "log");
    // Without O_CREAT: what is not there is somebody else's.
    const file = await unlessGone(open(log, constants.O_WRONLY | constants.O_APPEND));
    if (file === undefined) return false;
    try {
      await file.writeFile(frame);
      if (this.#flushToDisk) await file.sync();
      return await exists(log);
    } finally {
      await file.close();
    }
  }

  /** Puts another log in the place of one: the old one or the new one is there, whatever happens. */
  async replaceLog({ path, claim }: HeldFolder, snapshot: Uint8Array): Promise<boolean> {
    // The claim in its name: an earlier holder may be writing to its own at this moment.
    const beside = join(path, `${claim}.new`);
    if (!(await this.#written(beside, snapshot))) return false;
    const isReplaced = await this.#moved(beside, join(path, "log"));
    if (!isReplaced) return false;
    for (const name of await unlessGone(readdir(path)) ?? []) {
      if (name !== "log") await rm(join(path, name), { force: true });
    }
    return true;
  }

  /**
   * Reads a log, or as much of it as is known to be good; undefined if the folder is not there any longer.
   *
   * @throws {Error} If it is damaged; it has been put aside.
   */
  async readLog(path: string, length = Infinity): Promise<SessionLog | undefined> {
    const bytes = await unlessGone(readFile(join(path, "log")));
    try {
      if (bytes !== undefined) return decodeLog(bytes.subarray(0, length));
      if (!(await exists(path))) return undefined;
      throw new TypeError("there is no log");
    } catch (cause) {
      const aside = path.replace(/\d+$/, "damaged");
      await rm(aside, { recursive: true, force: true });
      if (!(await this.#moved(path, aside))) return undefined;
      const detail = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Cannot read the session in ${path}: ${detail}; it is now ${aside}`, { cause });
    }
  }

  /** Takes a folder out; true if it was there. */
  async discard(path: string): Promise<boolean> {
    // First out of the way in one step: a folder without its log would look like a damaged one.
    const away = join(path, "..", `${randomUUID()}.gone`);
    if (!(await this.#moved(path, away))) return false;
    await rm(away, { recursive: true, force: true });
    return true;
  }

  /** The folders of all sessions, by shard. What a process left behind that died halfway is taken out. */
  async *shards(): AsyncGenerator<string[]> {
    for (const shard of await unlessGone(readdir(this.#root)) ?? []) {
      if (!/^[0-9a-f]{2}$/.test(shard)) continue;
      const names = await unlessGone(readdir(join(this.#root, shard))) ?? [];
      for (const name of names) {
        if (PASSING.test(name)) await this.discard(join(this.#root, shard, name));
      }
      yield names.filter((name) => SESSION.test(name)).map((name) => join(this.#root, shard, name));
    }
  }

  /** The claim that a session has now. Of two that were made in the same moment the higher one counts. */
  async #find(key: string): Promise<number | undefined> {
    const { shard, name } = this.#names(key);
    // A listing that runs while another process renames may show neither name; two in a row do not.
    for (let looks = 0; looks < 2; looks++) {
      const claims: number[] = [];
      for (const entry of await unlessGone(readdir(shard)) ?? []) {
        const [, ofName, claim] = SESSION.exec(entry) ?? [];
        if (ofName === name) claims.push(Number(claim));
      }
      const [found, ...lower] = claims.sort((one, two) => two - one);
      for (const claim of lower) await this.discard(this.#path(key, claim));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Makes a session that was not there; undefined if somebody else just did. */
  async #make(key: string, snapshot: Uint8Array): Promise<number | undefined> {
    const claim = firstClaim();
    const beside = join(this.#names(key).shard, `${randomUUID()}.new`);
    await mkdir(beside, { recursive: true, mode: 0o700 });
    if (!(await this.#written(join(beside, "log"), snapshot))) return undefined;
    if (!(await this.#moved(beside, this.#path(key, claim)))) return undefined;
    if (this.#flushToDisk) await syncFolder(this.#root);
    if (await this.#find(key) === claim) return claim;
    await this.discard(this.#path(key, claim));
    return undefined;
  }

  #held(key: string, claim: number, snapshot: Uint8Array): HeldFolder {
    return { claim, path: this.#path(key, claim), bytes: snapshot.length };
  }

  #path(key: string, claim: number): string {
    const { shard, name } = this.#names(key);
    return join(shard, `${name}.${claim}`);
  }

  /** A key may be longer than a name, name another folder, or differ from another key by case alone. */
  #names(key: string): { shard: string; name: string } {
    const digits = createHash("sha256").update(key, "utf16le").digest("hex");
    return { shard: join(this.#root, digits.slice(0, 2)), name: digits.slice(2) };
  }

  async #written(path: string, bytes: Uint8Array): Promise<boolean> {
    const file = await unlessGone(open(path, "w", 0o600));
    if (file === undefined) return false;
    try {
      await file.writeFile(bytes);
      if (this.#flushToDisk) await file.sync();
      return true;
    } finally {
      await file.close();
    }
  }

  async #moved(from: string, to: string): Promise<boolean> {
    const isMoved = await unlessGone(rename(from, to).then(() => true));
    if (isMoved === true && this.#flushToDisk) await syncFolder(join(to, ".."));
    return isMoved ?? false;
  }
}

/** What a call gives, or undefined if what it was for is not there, or something is where nothing was to be. */
async function unlessGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (["ENOENT", "ENOTEMPTY", "EEXIST"].includes((error as { code?: string }).code ?? "")) return undefined;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return await unlessGone(stat(path)) !== undefined;
}

/** Without this a power cut can undo a renaming. Windows opens no folder, and keeps a journal of its own. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await unlessGone(open(path, "r"));
  await folder?.sync();
  await folder?.close();
}

/** Those who want the same session at once would otherwise take it from each other in step, for ever. */
function pauseAfter(lost: number): Promise<void> {
  const [random] = crypto.getRandomValues(new Uint16Array(1));
  return timers.setTimeout(random! / 0xffff * Math.min(2 ** lost, 64));
}
