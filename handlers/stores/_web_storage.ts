/**
 * The browser's storage for text, where there is one.
 *
 * @module
 */

import type { KeyValueStorage } from "./local_storage_interval_store.ts";

/**
 * `localStorage`. Reading the global can throw by itself: where cookies are
 * blocked, and in sandboxed frames.
 *
 * @throws {TypeError} If there is none, or the browser refuses it.
 */
export function storageHere(): KeyValueStorage {
  let storage: KeyValueStorage | undefined;
  let cause: unknown;
  try {
    storage = globalThis.localStorage;
  } catch (error) {
    cause = error;
  }
  if (storage) return storage;
  throw new TypeError("Cannot make the store: there is no localStorage here, and no storage was given", {
    cause,
  });
}
