/**
 * The sessions of a server.
 *
 * @module
 */

import type { Channel, EventLoop } from "../../pipeline/mod.ts";
import { checkedCount, checkedMs } from "../_checks.ts";
import { QueueFullError } from "../errors.ts";
import type { SessionStore } from "../stores/session_store.ts";
import type { SessionHome } from "./_session_home.ts";
import { type SessionLimits, type SessionSettings, sessionSettings } from "./_session_settings.ts";

/**
 * Options of a {@linkcode SessionRegistry}.
 *
 * @example Sessions are kept for an hour
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, SessionHandler, SessionRegistry, type SessionRegistryOptions } from "@longlink/pipeline";
 * import { SessionResponder } from "@longlink/pipeline";
 *
 * const options: SessionRegistryOptions = { retentionMs: 3_600_000, maxSessions: 1_000 };
 * const sessions = new SessionRegistry(options);
 * const client = new EmbeddedChannel({ handlers: [new SessionHandler()] });
 * const server = new EmbeddedChannel({ handlers: [new SessionResponder({ sessions })] });
 * server.writeInbound(...client.drainOutbound());
 * server.loseLink();
 * server.advanceBy(3_599_999);
 * assertEquals(sessions.away, 1);
 * server.advanceBy(1);
 * assertEquals(sessions.expired, 1);
 * ```
 */
export interface SessionRegistryOptions extends SessionLimits {
  /** Where sessions are kept, so that they outlive the process. Default: they end with it. */
  readonly store?: SessionStore;
  /** How long a session is kept without a link, in ms, 1 to 2,592,000,000 (30 days). Default: 600,000 (10 min). */
  readonly retentionMs?: number;
  /** How many sessions there may be at once, with a link or without, 1 or more. Default: 100,000. */
  readonly maxSessions?: number;
  /** How many bytes may wait for acknowledgement over all sessions, 1 or more. Default: 256 MiB. */
  readonly maxRetainedBytes?: number;
  /** Whether a client must have a session; without one its link is ended at its first message. Default: false. */
  readonly required?: boolean;
  /**
   * Whether who comes back with a session's token may go on with it, by what
   * `authenticate` said of the client that opened it and says of this one
   * (undefined without an `AuthenticationHandler`): a second account on the
   * same device must not get the first one's messages. Asked while the session
   * is in this process; after a restart the token alone counts. A throw refuses.
   * Default: two principals that are no objects must be the same.
   */
  readonly isSameClient?: (opened: unknown, resumed: unknown) => boolean;
  /**
   * How long a link may say nothing before the application sees it as one
   * without a session, in ms, 1 to 3,600,000. A client with a session speaks at once.
   * Default: 1,000.
   */
  readonly firstFrameMs?: number;
  /** How long `close()` waits for what is not acknowledged, in ms, 0 to 3,600,000. Default: 2,000. */
  readonly closeTimeoutMs?: number;
  /** How long a client that found no room is asked to stay away, in ms, 0 to 3,600,000. Default: 5,000. */
  readonly comeBackMs?: number;
}

/** The options, checked. */
export type RegistrySettings =
  & SessionSettings
  & Omit<Required<SessionRegistryOptions>, keyof SessionLimits | "store">
  & { readonly store: SessionStore | undefined };

/** What the handlers of one registry share; not for applications. */
export interface RegistryAccess {
  readonly settings: RegistrySettings;
  get(id: string): SessionHome | undefined;
  /** Makes room for one more; false if there is none. */
  makeRoom(): boolean;
  add(id: string, session: SessionHome, how: "opened" | "resumed"): void;
  remove(id: string, session: SessionHome): void;
  /** Its client is away, or back. */
  away(session: SessionHome, isAway: boolean): void;
  resumed(): void;
  refused(): void;
  expired(): void;
  retained(deltaBytes: number): void;
  /** @throws {QueueFullError} If there is no room for so many bytes more, though all went that could. */
  makeRoomFor(bytes: number): void;
  /** The sessions that the store is being asked for, with those who want the same one and wait for that. */
  readonly claims: Map<string, (() => void)[]>;
  /** Now and then lets the store forget what is too old. */
  sweep(loop: EventLoop, failed: (error: unknown) => void): void;
}

/** What the handlers may do with a registry. Assigned by the class, whose private parts it reaches. */
export let accessOf: (registry: SessionRegistry) => RegistryAccess;

/**
 * The sessions of a server: one registry for all its channels. Everything in it
 * is bounded. When a bound on sessions or bytes is reached, the session whose
 * client has been away for longest goes; if no client is away, a new one is
 * asked to come back later, and a write fails with a `QueueFullError`.
 *
 * @example A server that loses no message
 * ```ts
 * import { answerKeepAlive, ServerBootstrap, SessionRegistry } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 * import { assertEquals } from "@std/assert";
 *
 * const sessions = new SessionRegistry({ retentionMs: 3_600_000 });
 * await using server = await new ServerBootstrap({
 *   transport: memory(),
 *   pipeline: (p) => p.addLast(...answerKeepAlive({ sessions })),
 * }).listen("memory://chat");
 * assertEquals(sessions.size, 0);
 * ```
 */
export class SessionRegistry {
  /** How many sessions were opened. */
  opened = 0;
  /** How often a client went on with its session. */
  resumed = 0;
  /** How often a client asked in vain: for a session that is not there, or while there was no room. */
  refused = 0;
  /** How many sessions ended because their client stayed away for too long. */
  expired = 0;
  /** How many sessions ended to make room. */
  evicted = 0;
  readonly #access: RegistryAccess;
  readonly #sessions = new Map<string, SessionHome>();
  /** Those without a link; who has been away for longest comes first. */
  readonly #away = new Set<SessionHome>();
  #retainedBytes = 0;
  #sweptMs = -Infinity;

  /**
   * Makes a registry without sessions.
   *
   * @param options Store, limits.
   * @throws {RangeError} If a number is out of range.
   * @throws {TypeError} If the policy of the queue is one that drops messages, or there is no such `writes`.
   */
  constructor(options: SessionRegistryOptions = {}) {
    const settings = settingsOf(options);
    const sessions = this.#sessions;
    this.#access = {
      settings,
      get: (id) => sessions.get(id),
      makeRoom: () => sessions.size < settings.maxSessions || this.#evict(),
      add: (id, session, how) => {
        sessions.set(id, session);
        this[how]++;
      },
      remove: (id, session) => {
        if (sessions.get(id) === session) sessions.delete(id);
        this.#away.delete(session);
      },
      away: (session, isAway) => {
        this.#away.delete(session);
        if (isAway) this.#away.add(session);
      },
      resumed: () => this.resumed++,
      refused: () => this.refused++,
      expired: () => this.expired++,
      retained: (deltaBytes) => this.#retained(deltaBytes),
      makeRoomFor: (bytes) => this.#makeRoomFor(bytes),
      claims: new Map(),
      sweep: (loop, failed) => this.#sweep(loop, failed),
    };
  }

  /** How many sessions there are. */
  get size(): number {
    return this.#sessions.size;
  }

  /** How many of them have no link. */
  get away(): number {
    return this.#away.size;
  }

  /** How many bytes wait for acknowledgement, over all sessions. */
  get retainedBytes(): number {
    return this.#retainedBytes;
  }

  /**
   * Looks a session up.
   *
   * @param sessionId The session's id.
   * @returns Its channel, with a link or without, or undefined.
   */
  find(sessionId: string): Channel | undefined {
    return this.#sessions.get(sessionId)?.context.channel;
  }

  /**
   * Ends a session for good, also in the store, and closes its channel: for a
   * user who was banned.
   *
   * @param sessionId The session's id.
   * @returns Whether there was one.
   */
  end(sessionId: string): boolean {
    const session = this.#sessions.get(sessionId);
    session?.lose("closed");
    return session !== undefined;
  }

  #evict(): boolean {
    for (const session of this.#away) {
      this.evicted++;
      session.lose("evicted");
      return true;
    }
    return false;
  }

  #retained(deltaBytes: number): void {
    this.#retainedBytes += deltaBytes;
    const { maxRetainedBytes } = this.#access.settings;
    if (deltaBytes <= 0) return;
    while (this.#retainedBytes > maxRetainedBytes && this.#evict()) { /* one after the other */ }
  }

  #makeRoomFor(bytes: number): void {
    const { maxRetainedBytes } = this.#access.settings;
    while (this.#retainedBytes + bytes > maxRetainedBytes && this.#evict()) { /* one after the other */ }
    const wanted = this.#retainedBytes + bytes;
    if (wanted > maxRetainedBytes) throw new QueueFullError("bytes", wanted, maxRetainedBytes);
  }

  #sweep(loop: EventLoop, failed: (error: unknown) => void): void {
    const { store, retentionMs } = this.#access.settings;
    const nowMs = loop.wallNow();
    if (store === undefined || nowMs - this.#sweptMs < retentionMs / 2) return;
    this.#sweptMs = nowMs;
    try {
      const expired = store.expire(nowMs - retentionMs);
      if (typeof expired !== "number") expired.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  static {
    accessOf = (registry) => registry.#access;
  }
}

const MAX_MS = 30 * 24 * 3_600_000;

function settingsOf(options: SessionRegistryOptions): RegistrySettings {
  const action = "make the registry";
  const {
    store,
    retentionMs = 600_000,
    maxSessions = 100_000,
    maxRetainedBytes = 256 * 1024 * 1024,
    required = false,
    isSameClient = isSamePrincipal,
    firstFrameMs = 1_000,
    closeTimeoutMs = 2_000,
    comeBackMs = 5_000,
  } = options;
  return {
    ...sessionSettings(action, options),
    store,
    required,
    isSameClient,
    retentionMs: checkedMs(action, "retentionMs", retentionMs, 1, MAX_MS),
    maxSessions: checkedCount(action, "maxSessions", maxSessions, 1, Infinity),
    maxRetainedBytes: checkedCount(action, "maxRetainedBytes", maxRetainedBytes, 1, Infinity),
    firstFrameMs: checkedMs(action, "firstFrameMs", firstFrameMs, 1, 3_600_000),
    closeTimeoutMs: checkedMs(action, "closeTimeoutMs", closeTimeoutMs, 0, 3_600_000),
    comeBackMs: checkedMs(action, "comeBackMs", comeBackMs, 0, 3_600_000),
  };
}

/** Objects are made anew for each link, and nobody but the application knows which of their fields name the client. */
function isSamePrincipal(opened: unknown, resumed: unknown): boolean {
  return typeof opened === "object" || typeof resumed === "object" || opened === resumed;
}
