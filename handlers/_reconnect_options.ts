/**
 * What can be said of reconnecting.
 *
 * @module
 */

import type { BackoffRule } from "./_backoff.ts";
import { checkedCount, checkedMs } from "./_checks.ts";
import { type QueueLimits, type QueueSettings, queueSettings } from "./_outbound_queue.ts";

/**
 * Options of `ReconnectHandler`.
 *
 * @example A tool that is alone with its server need not wait
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, ReconnectHandler, type ReconnectOptions } from "@longlink/pipeline";
 *
 * const options: ReconnectOptions = { firstMs: 0, capMs: 1_000, maxAttempts: 20, queue: { maxMessages: 10 } };
 * const channel = new EmbeddedChannel({ active: false, handlers: [new ReconnectHandler(options)] });
 * channel.connect("embedded://peer");
 * channel.writeInbound("welcome");
 * channel.loseLink();
 * assertEquals(channel.state, "idle");
 * channel.advanceBy(0);
 * assertEquals(channel.state, "active");
 * ```
 */
export interface ReconnectOptions {
  /** The first try comes at a random moment within this time, in ms, 0 to 86,400,000. Default: 800. */
  readonly firstMs?: number;
  /** The longest wait between tries at first, in ms, `firstMs` to 86,400,000. Default: 5,000. */
  readonly capMs?: number;
  /** The longest wait between tries in a long outage, in ms, `capMs` to 86,400,000. Default: 30,000. */
  readonly lateCapMs?: number;
  /** From when on an outage is a long one, in ms, 0 to 86,400,000. Default: 120,000. */
  readonly lateAfterMs?: number;
  /**
   * The longest time that a server may ask to stay away for, in ms, 0 to
   * 86,400,000; 0: it has no say. Asked for more, the client comes back at a random moment
   * in the later half of this time. Default: 600,000.
   */
  readonly maxServerDelayMs?: number;
  /**
   * With several addresses: how long one is tried alone before the next one is
   * tried as well, in ms, 0 to 86,400,000. Default: 250 (RFC 8305).
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
