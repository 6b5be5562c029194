/**
 * The options of a client's session.
 *
 * @module
 */

import { checkedMs } from "../_checks.ts";
import type { SessionStore } from "../stores/session_store.ts";
import { type SessionLimits, type SessionSettings, sessionSettings } from "./_session_settings.ts";

/**
 * Options of {@linkcode SessionHandler}.
 *
 * @example Kept over a restart of the process
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, MemorySessionStore, SessionHandler, type SessionOptions } from "@longlink/pipeline";
 * import { SessionRegistry, SessionResponder } from "@longlink/pipeline";
 *
 * const sessions = new SessionRegistry();
 * const options: SessionOptions = { store: new MemorySessionStore(), name: "ann" };
 * const start = () => {
 *   const client = new EmbeddedChannel({ handlers: [new SessionHandler(options)] });
 *   const server = new EmbeddedChannel({ handlers: [new SessionResponder({ sessions })] });
 *   server.writeInbound(...client.drainOutbound());
 *   client.writeInbound(...server.drainOutbound());
 *   return client;
 * };
 * await start().close();
 * start();
 * assertEquals([sessions.opened, sessions.resumed], [1, 1]);
 * ```
 */
export interface SessionOptions extends SessionLimits {
  /**
   * Where the session is kept, so that a process that was killed or a page that
   * was closed comes back to it. Default: it ends with its channel.
   */
  readonly store?: SessionStore;
  /** Under which key it is kept there, not empty. Two channels need two. Default: `default`. */
  readonly name?: string;
  /** How long the server may take to open a session or to go on with it, in ms, 1 to 3,600,000. Default: 10,000. */
  readonly handshakeTimeoutMs?: number;
  /** How long `close()` waits for what is not acknowledged, in ms, 0 to 3,600,000. Default: 2,000. */
  readonly closeTimeoutMs?: number;
}

/** The same, checked. */
export type ClientSettings = SessionSettings & {
  readonly store: SessionStore | undefined;
  readonly name: string;
  readonly handshakeTimeoutMs: number;
  readonly closeTimeoutMs: number;
};

const MAX_MS = 3_600_000;

/**
 * Checks the options.
 *
 * @throws {RangeError} If a number is out of range.
 * @throws {TypeError} If the policy of the queue is one that drops messages, there is no such `writes`, or the name is empty.
 */
export function clientSettings(options: SessionOptions): ClientSettings {
  const action = "make the handler";
  const { store, name = "default", handshakeTimeoutMs = 10_000, closeTimeoutMs = 2_000 } = options;
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`Cannot ${action}: name must be a text that is not empty`);
  }
  return {
    ...sessionSettings(action, options),
    store,
    name,
    handshakeTimeoutMs: checkedMs(action, "handshakeTimeoutMs", handshakeTimeoutMs, 1, MAX_MS),
    closeTimeoutMs: checkedMs(action, "closeTimeoutMs", closeTimeoutMs, 0, MAX_MS),
  };
}
