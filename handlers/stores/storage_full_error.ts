/**
 * The error of a store that has no room left.
 *
 * @module
 */

import { shown } from "./_session_record.ts";

/**
 * A session store has no room left: a browser's quota is used up, or the disk
 * is full. Nothing of what was to be kept was kept; what was kept before is
 * still there.
 *
 * @example The key is a field
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { StorageFullError } from "@longlink/pipeline";
 *
 * const error = new StorageFullError("phone");
 * assertEquals(error.key, "phone");
 * assertEquals(error.message, 'Cannot keep the session "phone": there is no room left');
 * ```
 */
export class StorageFullError extends Error {
  /** The session's key in its store. */
  readonly key: string;

  /**
   * Makes the error.
   *
   * @param key The session's key in its store.
   * @param options Standard error options; `cause` is what the storage threw.
   */
  constructor(key: string, options?: ErrorOptions) {
    super(`Cannot keep the session ${shown(key)}: there is no room left`, options);
    this.name = "StorageFullError";
    this.key = key;
  }
}
