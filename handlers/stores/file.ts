/**
 * Stores in files; for Deno, Node and Bun. An export of its own, since a
 * browser has no files.
 *
 * @module
 */

export * from "./file_interval_store.ts";
export * from "./file_session_store.ts";
