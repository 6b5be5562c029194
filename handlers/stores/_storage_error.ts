/**
 * Tells a storage that is full from one that is broken.
 *
 * @module
 */

import { StorageFullError } from "./storage_full_error.ts";

/** How storages say that they are full: Web Storage, IndexedDB, older Firefox; file systems. */
const FULL: readonly unknown[] = [
  "QuotaExceededError",
  "NS_ERROR_DOM_QUOTA_REACHED",
  "ENOSPC",
  "EDQUOT",
];

/**
 * Names the one failure of a storage that callers tell apart.
 *
 * @param key The session's key in its store.
 * @param error What the storage threw.
 * @returns A {@linkcode StorageFullError} if that was the reason, else the error itself.
 */
export function storageError(key: string, error: unknown): unknown {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown };
  return FULL.includes(name) || FULL.includes(code) ? new StorageFullError(key, { cause: error }) : error;
}
