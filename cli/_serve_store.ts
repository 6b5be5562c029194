/**
 * Where `serve` keeps its sessions and what it learns for its clients, and how
 * it numbers its pushes.
 *
 * @module
 */

import { join } from "node:path";
import type { IntervalStore, SessionStore } from "../mod.ts";
import { FileIntervalStore, fileSessionStore } from "../handlers/stores/file.ts";
import { RedisIntervalStore, redisSessionStore } from "../handlers/stores/redis.ts";
import { Counter } from "./_counter.ts";

/** What `serve` keeps. */
export interface ServeStore {
  /** Undefined: nothing is kept. */
  readonly store: SessionStore | undefined;
  /** The number of the last push so far. */
  readonly lastPush: number;
  /** A push has this number. */
  readonly pushed: (n: number) => void;
  readonly close: () => Promise<void>;
}

/** Of servers that share a Redis each numbers its pushes from a range of its own: who sees both can tell them apart. */
const PUSHES_PER_PROCESS = 1_000_000_000;
/** Redis keeps sessions for longer than they are kept without a link: through an outage of its own. */
const LEAST_KEEP_MS = 3_600_000;
/** What was survived longer ago is told to nobody. */
const ADVICE_MS = 7 * 86_400_000;
/** The file is written as a whole. */
const MOST_NETWORKS = 1_000;

/** What `serve` keeps for its clients of their networks. */
export interface AdviceStore {
  /** Undefined: only as long as the process lives. */
  readonly store: IntervalStore | undefined;
  readonly close: () => Promise<void>;
}

/**
 * Opens the store of what is learned for clients. Nothing is asked of it yet,
 * and it may fail later: then they learn by themselves.
 *
 * @param place A folder, or the URL of a Redis.
 */
export function adviceStore(place: string | undefined): AdviceStore {
  if (place !== undefined && isRedis(place)) {
    const store = new RedisIntervalStore({ redis: place, expireInMs: ADVICE_MS });
    return { store, close: () => store.close() };
  }
  const store = place === undefined
    ? undefined
    : new FileIntervalStore({ path: join(place, "advice.json"), maxNetworks: MOST_NETWORKS });
  return { store, close: () => Promise.resolve() };
}

/**
 * Opens the store.
 *
 * @param place A folder, or the URL of a Redis.
 * @param note Told when Redis is gone, and when it is back.
 * @throws {Error} (rejects) If it cannot be used.
 */
export async function serveStore(
  place: string | undefined,
  retentionMs: number,
  note: (text: string) => void,
): Promise<ServeStore> {
  if (place === undefined || !isRedis(place)) {
    const counter = new Counter(place, "last-push");
    return {
      store: place === undefined ? undefined : fileSessionStore({ path: join(place, "sessions") }),
      lastPush: counter.value,
      pushed: (n) => counter.set(n),
      close: () => Promise.resolve(),
    };
  }
  const store = redisSessionStore({
    redis: place,
    keepMs: Math.max(2 * retentionMs, LEAST_KEEP_MS),
    onState: (event) =>
      note(
        event.type === "down"
          ? `${event.error.message}; nothing is sent or acknowledged that it does not have`
          : `Redis is back after ${(event.downMs / 1_000).toFixed(1)} s`,
      ),
  });
  try {
    const lastPush = await store.count("serve") * PUSHES_PER_PROCESS;
    return { store, lastPush, pushed: () => {}, close: () => store.close() };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Whether this names a Redis, and no folder. */
function isRedis(place: string): boolean {
  return /^(rediss?|redis\+unix):\/\//.test(place);
}
