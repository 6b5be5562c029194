/**
 * What can be said of reconnecting.
 *
 * @module
 */

import type { BackoffRule } from "./_backoff.ts";
import { checkedCount, checkedMs } from "./_checks.ts";
import { type QueueLimits, type QueueSettings, queueSettings } from "./_outbound_queue.ts";

/** Options of `ReconnectHandler`. */
export interface ReconnectOptions {
  /** The first try comes at a random moment within this time, in ms, 0 or more. Default: 800. */
  readonly firstMs?: number;
  /** The longest wait between tries at first, in ms, `firstMs` or more. Default: 5,000. */
  readonly capMs?: number;
  /** The longest wait between tries in a long outage, in ms, `capMs` or more. Default: 30,000. */
  readonly lateCapMs?: number;
  /** From when on an outage is a long one, in ms, 0 or more. Default: 120,000. */
  readonly lateAfterMs?: number;
  /**
   * The longest time that a server may ask to stay away for, in ms, 0 or more;
   * 0: it has no say. Asked for more, the client comes back at a random moment
   * in the later half of this time. Default: 600,000.
   */
  readonly maxServerDelayMs?: number;
  /**
   * With several addresses: how long one is tried alone before the next one is
   * tried as well, in ms, 0 or more. Default: 250 (RFC 8305).
   */
  readonly raceDelayMs?: number;
  /** How many tries may fail in a row before it gives up and closes the channel, 1 or more. Default: Infinity. */
  readonly maxAttempts?: number;
  /** Ends the tries and closes the channel when aborted, whether a link stands or not. Default: none. */
  readonly signal?: AbortSignal;
  /** How much may be written while there is no link, and what becomes of the rest. */
  readonly queue?: QueueLimits;
}

/** {@linkcode ReconnectOptions}, checked and filled in. */
export interface ReconnectSettings extends BackoffRule {
  readonly maxServerDelayMs: number;
  /** Undefined: as the source says, or the pipeline's own default. */
  readonly raceDelayMs: number | undefined;
  readonly maxAttempts: number;
  readonly signal: AbortSignal | undefined;
  readonly queue: QueueSettings;
}

const MAX_MS = 24 * 3_600_000;

/** What channels share that have no options of their own. */
export const DEFAULT_RECONNECT_SETTINGS: ReconnectSettings = reconnectSettings({});

/**
 * Checks the options and fills in what was left out.
 *
 * @throws {RangeError} If a number is out of range.
 * @throws {TypeError} If there is no such queue policy.
 */
export function reconnectSettings(options: ReconnectOptions): ReconnectSettings {
  const action = "make the handler";
  const {
    firstMs = 800,
    capMs = 5_000,
    lateCapMs = 30_000,
    lateAfterMs = 120_000,
    maxServerDelayMs = 600_000,
    raceDelayMs,
    maxAttempts = Infinity,
    signal,
    queue,
  } = options;
  return {
    firstMs: checkedMs(action, "firstMs", firstMs, 0, MAX_MS),
    capMs: checkedMs(action, "capMs", capMs, firstMs, MAX_MS),
    lateCapMs: checkedMs(action, "lateCapMs", lateCapMs, capMs, MAX_MS),
    lateAfterMs: checkedMs(action, "lateAfterMs", lateAfterMs, 0, MAX_MS),
    maxServerDelayMs: checkedMs(action, "maxServerDelayMs", maxServerDelayMs, 0, MAX_MS),
    raceDelayMs: raceDelayMs === undefined
      ? undefined
      : checkedMs(action, "raceDelayMs", raceDelayMs, 0, MAX_MS),
    maxAttempts: checkedCount(action, "maxAttempts", maxAttempts, 1, Infinity),
    signal,
    queue: queueSettings(action, queue),
  };
}
