/**
 * The way to a Redis that may be slow, or gone.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { type EventLoop, systemEventLoop, type Timer } from "../../pipeline/mod.ts";
import { checkedMs } from "../_checks.ts";
import { PROBE, type RedisScript } from "./_redis_scripts.ts";
import { Gate } from "./_turns.ts";

/**
 * What the stores need of a client of `npm:redis` (version 5 or later):
 * `createClient()`, `createCluster()`, `createSentinel()` and
 * `createClientPool()` all have it.
 *
 * @example A stand-in for tests, with nothing in it
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type RedisClient, RedisIntervalStore } from "@longlink/pipeline/stores/redis";
 *
 * const redis: RedisClient = {
 *   evalSha: () => Promise.resolve(null),
 *   eval: () => Promise.resolve(null),
 *   withTypeMapping: () => redis,
 * };
 * await using store = new RedisIntervalStore({ redis });
 * assertEquals(await store.get("home"), undefined);
 * ```
 */
export interface RedisClient {
  /** Runs a script that Redis knows. */
  evalSha(sha1: string, options: RedisScriptOptions): Promise<unknown>;
  /** Runs a script. */
  eval(script: string, options: RedisScriptOptions): Promise<unknown>;
  /** The same client, with answers of other types. */
  // deno-lint-ignore no-explicit-any -- the client's own types differ between its kinds
  withTypeMapping(mapping: any): any;
}

/**
 * What a script is given.
 *
 * @example Which keys are asked for
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { RedisIntervalStore, type RedisScriptOptions } from "@longlink/pipeline/stores/redis";
 *
 * const keys: string[] = [];
 * const run = (_script: string, options: RedisScriptOptions) => {
 *   keys.push(...options.keys);
 *   return Promise.resolve(null);
 * };
 * const redis = { evalSha: run, eval: run, withTypeMapping: () => redis };
 * await using store = new RedisIntervalStore({ redis, prefix: "chat:" });
 * await store.get("home");
 * assertEquals(keys, ["chat:interval:home"]);
 * ```
 */
export interface RedisScriptOptions {
  /** Which keys it uses. */
  keys: string[];
  /** What else it needs to know. */
  arguments: (string | Buffer)[];
}

/**
 * Whether Redis can be reached.
 *
 * @example A log of outages
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { VirtualEventLoop } from "@longlink/pipeline";
 * import { RedisIntervalStore, type RedisStateEvent } from "@longlink/pipeline/stores/redis";
 *
 * let isThere = false;
 * const run = () => isThere ? Promise.resolve(null) : Promise.reject(new Error("connection lost"));
 * const redis = { evalSha: run, eval: run, withTypeMapping: () => redis };
 * const log: string[] = [];
 * const onState = (event: RedisStateEvent) => void log.push(event.type === "down" ? event.error.message : "back");
 * const loop = new VirtualEventLoop();
 * await using store = new RedisIntervalStore({ redis, onState, loop });
 * await assertRejects(() => store.get("home"));
 * isThere = true;
 * await loop.advanceByAsync(1_000);
 * assertEquals(log, ["Cannot reach Redis: connection lost", "back"]);
 * ```
 */
export type RedisStateEvent =
  /** It cannot, or does not answer in time. What is to be kept waits. */
  | { readonly type: "down"; readonly error: Error }
  /** It can be reached again, after so many ms. */
  | { readonly type: "up"; readonly downMs: number };

/**
 * Options that all stores on Redis have.
 *
 * @example The same for two stores
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { RedisIntervalStore, redisSessionStore, type RedisStoreOptions } from "@longlink/pipeline/stores/redis";
 *
 * const keys: string[] = [];
 * const run = (_script: string, options: { keys: string[] }) => Promise.resolve(keys.push(...options.keys) && null);
 * const redis = { evalSha: run, eval: run, withTypeMapping: () => redis };
 * const shared: RedisStoreOptions = { redis, prefix: "chat:", timeoutMs: 500 };
 * await using intervals = new RedisIntervalStore(shared);
 * await using sessions = redisSessionStore(shared);
 * await intervals.get("home");
 * await sessions.count("links");
 * assertEquals(keys, ["chat:interval:home", "chat:count:links"]);
 * ```
 */
export interface RedisStoreOptions {
  /**
   * A connected client of `npm:redis`, which stays whoever's it is; or the URL
   * of one server (`redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, `rediss://`
   * for TLS, `redis+unix:///PATH`): then the store connects with the first
   * call, connects again whenever it has to, and `close()` ends that. A URL
   * needs the package `redis` to be there.
   */
  readonly redis: RedisClient | string;
  /** What all keys begin with; no braces. Default: `longlink:`. */
  readonly prefix?: string;
  /** How long an answer may take before Redis counts as gone, in ms, 1 to 3,600,000. Default: 2,000. */
  readonly timeoutMs?: number;
  /** Told when Redis is gone, and when it is back: for the operator's log. */
  readonly onState?: (event: RedisStateEvent) => void;
  /** Clock and timers. Default: those of the system. */
  readonly loop?: EventLoop;
}

/** Redis cannot be reached, or did not answer in time: what was asked may have been done, or may yet be. */
export class RedisGoneError extends Error {
  constructor(detail: string, options?: ErrorOptions) {
    super(`Cannot reach Redis: ${detail}`, options);
    this.name = "RedisGoneError";
  }
}

/** How `npm:redis` names the type of text in a mapping (RESP's "$"). */
const BLOB_STRING = 36;
/** So many commands are on their way at once: when Redis is back all want something. */
const MOST_COMMANDS = 1_000;
const PROBE_FIRST_MS = 100;
const PROBE_LAST_MS = 2_000;
/** Answers of a Redis that is there, and can do nothing just now. */
const NOT_NOW = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS) /;
/** An answer of Redis, and no failure of the connection. */
const ANSWER = /^[A-Z]+ /;

/** A connection, and what ends it. */
interface Connection {
  readonly client: RedisClient;
  readonly end: () => void;
}

/** Runs scripts, finds out when Redis is gone and when it is back. While it is gone it is not asked. */
export class RedisLink {
  readonly prefix: string;
  readonly #options: RedisStoreOptions;
  readonly #loop: EventLoop;
  readonly #timeoutMs: number;
  readonly #gate = new Gate(MOST_COMMANDS);
  #connection: Promise<Connection> | undefined = undefined;
  #gone: { readonly error: RedisGoneError; readonly sinceMs: number } | undefined = undefined;
  #probe: Timer | undefined = undefined;
  #probes = 0;
  #waiting: (() => void)[] = [];
  #isClosing = false;
  #isClosed = false;
  /** The question whether a client that is somebody else's works again: asked once, as it may wait there. */
  #asked: Promise<unknown> | undefined = undefined;
  /** Called when Redis is back, before those who wait go on. */
  onBack: () => void = () => {};

  /**
   * @throws {TypeError} If the prefix has braces, or the URL is none of Redis.
   * @throws {RangeError} If `timeoutMs` is out of range.
   */
  constructor(options: RedisStoreOptions) {
    const { redis, prefix = "longlink:", timeoutMs = 2_000, loop = systemEventLoop() } = options;
    if (/[{}]/.test(prefix)) {
      throw new TypeError(`Cannot make the store: prefix must have no braces, got "${prefix}"`);
    }
    if (typeof redis === "string" && !/^(rediss?|redis\+unix):\/\//.test(redis)) {
      throw new TypeError(
        `Cannot make the store: the URL must begin with redis://, rediss:// or redis+unix://`,
      );
    }
    this.prefix = prefix;
    this.#timeoutMs = checkedMs("make the store", "timeoutMs", timeoutMs, 1, 3_600_000);
    this.#options = options;
    this.#loop = loop;
  }

  get isUp(): boolean {
    return this.#gone === undefined;
  }

  /** @throws {RedisGoneError} If Redis is known to be gone. */
  check(): void {
    if (this.#gone !== undefined) throw this.#gone.error;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Runs a script.
   *
   * @throws {RedisGoneError} (rejects) If Redis cannot be reached.
   * @throws {Error} (rejects) What Redis says against it.
   */
  run(script: RedisScript, keys: string[], args: (string | Buffer)[] = []): Promise<unknown> {
    return this.#gate.run(async () => {
      if (this.#isClosed) throw closedError();
      if (this.#gone !== undefined) throw this.#gone.error;
      try {
        return await this.#inTime(this.#send(script, { keys, arguments: args }));
      } catch (error) {
        throw this.#judged(error);
      }
    });
  }

  /** Runs a script now, or when Redis is back; it may be run more than once. */
  async runWhenUp(script: RedisScript, keys: string[], args: (string | Buffer)[] = []): Promise<unknown> {
    for (;;) {
      if (this.#isClosed || (this.#isClosing && this.#gone !== undefined)) throw closedError();
      if (this.#gone !== undefined) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      try {
        return await this.run(script, keys, args);
      } catch (error) {
        if (!(error instanceof RedisGoneError)) throw error;
      }
    }
  }

  /** From now on nobody waits for Redis to come back. */
  endWaiting(): void {
    this.#isClosing = true;
    if (this.#gone !== undefined) this.#wake();
  }

  /** Ends it. A client that somebody else has made stays. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#probe?.cancel();
    this.#wake();
    await this.#disconnect();
  }

  async #send(script: RedisScript, options: RedisScriptOptions): Promise<unknown> {
    const { client } = await (this.#connection ??= this.#connect());
    try {
      return await client.evalSha(script.sha1, options);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      return await client.eval(script.source, options);
    }
  }

  async #connect(): Promise<Connection> {
    const { redis } = this.#options;
    const mapping = { [BLOB_STRING]: (await import("node:buffer")).Buffer };
    if (typeof redis !== "string") return { client: redis.withTypeMapping(mapping), end: () => {} };
    const { createClient } = await import("redis").catch((cause) => {
      throw new Error("the package redis is missing: npm install redis", { cause });
    });
    // It does not connect again by itself: a connection on which an answer is missing is of no use any more.
    const socket = { connectTimeout: this.#timeoutMs, reconnectStrategy: false } as const;
    const path = /^redis\+unix:\/\/(.*)$/.exec(redis)?.[1];
    const client = path === undefined
      ? createClient({ url: redis, socket, disableOfflineQueue: true })
      : createClient({ socket: { ...socket, path: decodeURI(path) }, disableOfflineQueue: true });
    client.on("error", (error) => {
      if (!this.#isClosed) this.#wentDown(error);
    });
    try {
      await client.connect();
    } catch (error) {
      // Also where it was refused: to ask for it again and again is the probe's business.
      throw new RedisGoneError(error instanceof Error ? error.message : String(error), { cause: error });
    }
    const end = () => {
      if (client.isOpen) client.destroy();
    };
    if (this.#isClosed) end();
    return { client: client.withTypeMapping(mapping), end };
  }

  async #disconnect(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    try {
      (await connection)?.end();
    } catch { /* it never was */ }
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#loop.schedule(this.#timeoutMs, () => {
        reject(new RedisGoneError(`no answer within ${this.#timeoutMs} ms`));
      });
      answer.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  /** What a failure means. */
  #judged(error: unknown): unknown {
    const message = error instanceof Error ? error.message : String(error);
    const isAnswer = !(error instanceof RedisGoneError) && ANSWER.test(message) && !NOT_NOW.test(message);
    if (isAnswer || this.#isClosed) return error;
    return this.#wentDown(error);
  }

  #wentDown(cause: unknown): RedisGoneError {
    const error = cause instanceof RedisGoneError
      ? cause
      : new RedisGoneError(cause instanceof Error ? cause.message : String(cause), { cause });
    if (this.#gone !== undefined) return error;
    this.#gone = { error, sinceMs: this.#loop.now() };
    this.#probes = 0;
    this.#probeLater();
    this.#options.onState?.({ type: "down", error });
    return error;
  }

  #probeLater(): void {
    const waitMs = Math.min(PROBE_FIRST_MS * 2 ** this.#probes++, PROBE_LAST_MS);
    this.#probe = this.#loop.schedule(waitMs * (0.75 + this.#loop.random() / 2), () => void this.#look());
  }

  async #look(): Promise<void> {
    try {
      // One's own client is made anew: on the old one answers may be missing for ever.
      if (typeof this.#options.redis === "string") {
        this.#asked = undefined;
        await this.#inTime(this.#disconnect());
      }
      this.#asked ??= this.#send(PROBE, { keys: [`${this.prefix}probe`], arguments: [] }).finally(() => {
        this.#asked = undefined;
      });
      await this.#inTime(this.#asked);
    } catch {
      if (!this.#isClosed) this.#probeLater();
      return;
    }
    if (this.#isClosed) return;
    const { sinceMs } = this.#gone!;
    this.#gone = undefined;
    this.#options.onState?.({ type: "up", downMs: this.#loop.now() - sinceMs });
    this.onBack();
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function closedError(): Error {
  return new Error("Cannot use Redis: the store is closed");
}
