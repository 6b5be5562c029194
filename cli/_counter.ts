/**
 * A number that outlives its process.
 *
 * @module
 */

import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Counts on where an earlier process of the same folder stopped; without a folder from 0. */
export class Counter {
  readonly #path: string | undefined;
  #value = 0;

  /**
   * Reads the last number.
   *
   * @param folder Where it is kept, if anywhere.
   * @param name The file's name there.
   * @throws {Error} If the folder cannot be made, read or written: before anything is promised that it should keep.
   */
  constructor(folder: string | undefined, name: string) {
    if (folder === undefined) return;
    this.#path = join(folder, name);
    try {
      mkdirSync(folder, { recursive: true });
      accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
      const kept = Number(textOf(this.#path));
      if (Number.isSafeInteger(kept) && kept > 0) this.#value = kept;
    } catch (cause) {
      throw new Error(`Cannot keep anything in ${folder}: ${reasonOf(cause as Error)}`, { cause });
    }
  }

  /** The last number. */
  get value(): number {
    return this.#value;
  }

  /** The next number, which is kept before it is used: a process that is killed must not use it twice. */
  set(value: number): void {
    this.#value = value;
    if (this.#path !== undefined) writeFileSync(this.#path, String(value));
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return "";
    throw error;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "such a folder cannot be made",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
  EEXIST: "it is no folder",
  ENOTDIR: "it is no folder",
  EISDIR: "a folder is where its file should be",
  ENOSPC: "the disk is full",
};

function reasonOf(error: Error & { readonly code?: string }): string {
  return REASONS[error.code ?? ""] ?? error.message;
}
