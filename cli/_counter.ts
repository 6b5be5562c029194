/**
 * A number that outlives its process.
 *
 * @module
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
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
   */
  constructor(folder: string | undefined, name: string) {
    if (folder === undefined) return;
    mkdirSync(folder, { recursive: true });
    this.#path = join(folder, name);
    try {
      const kept = Number(readFileSync(this.#path, "utf8"));
      if (Number.isSafeInteger(kept) && kept > 0) this.#value = kept;
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
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
