/**
 * The options of a client's session.
 *
 * @module
 */

import { checkedCount, checkedMs } from "../_checks.ts";
import type { SessionStore } from "../stores/session_store.ts";
import { type SessionLimits, type SessionSettings, sessionSettings } from "./_session_settings.ts";

/** Options of {@linkcode SessionHandler}. */
export interface SessionOptions extends SessionLimits {
  /**
   * Where the session is kept, so that a process that was killed or a page that
   * was closed comes back to it. Default: it ends with its channel.
   */
  readonly store?: SessionStore;
  /** Under which key it is kept there, not empty. Two channels need two. Default: `default`. */
  readonly name?: string;
  /** How long the server may take to open a session or to go on with it, in ms, above 0. Default: 10,000. */
  readonly handshakeTimeoutMs?: number;
  /** How long `close()` waits for what is not acknowledged, in ms, 0 or more. Default: 2,000. */
  readonly closeTimeoutMs?: number;
  /**
   * The longest frame that the framing handlers let through, in bytes, 64 or
   * more: a message has to fit in one with up to 18 bytes of the session.
   * `keepAlive()` sets it to its own. Default: 1,048,576.
   */
  readonly maxFrameBytes?: number;
}

/** The same, checked. */
export type ClientSettings = SessionSettings & {
  readonly store: SessionStore | undefined;
  readonly name: string;
  readonly handshakeTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly maxFrameBytes: number | undefined;
};

const MAX_MS = 3_600_000;

/**
 * Checks the options.
 *
 * @throws {RangeError} If a number is out of range.
 * @throws {TypeError} If the policy of the queue is one that drops messages, or the name is empty.
 */
export function clientSettings(options: SessionOptions): ClientSettings {
  const action = "make the handler";
  const { store, name = "default", handshakeTimeoutMs = 10_000, closeTimeoutMs = 2_000, maxFrameBytes } =
    options;
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`Cannot ${action}: name must be a text that is not empty`);
  }
  return {
    ...sessionSettings(action, options),
    store,
    name,
    handshakeTimeoutMs: checkedMs(action, "handshakeTimeoutMs", handshakeTimeoutMs, 1, MAX_MS),
    closeTimeoutMs: checkedMs(action, "closeTimeoutMs", closeTimeoutMs, 0, MAX_MS),
    maxFrameBytes: maxFrameBytes === undefined
      ? undefined
      : checkedCount(action, "maxFrameBytes", maxFrameBytes, 64, 2 ** 32 - 1),
  };
}
