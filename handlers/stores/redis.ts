/**
 * Stores in Redis, for servers that share them; for Deno, Node and Bun. An
 * export of its own: it alone needs the package `redis`, and that only where
 * it is given a URL.
 *
 * @module
 */

export {
  type RedisClient,
  type RedisScriptOptions,
  type RedisStateEvent,
  type RedisStoreOptions,
} from "./_redis_link.ts";
export * from "./redis_interval_store.ts";
export * from "./redis_session_store.ts";
