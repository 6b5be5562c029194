/**
 * The options of the AdaptiveIntervalHandler, checked and complete.
 *
 * @module
 */

import type { Channel, ChannelHandler } from "../pipeline/mod.ts";
import type { IntervalStrategy } from "./adaptive/interval_strategy.ts";
import type { AdaptiveIntervalOptions } from "./adaptive_interval_handler.ts";
import { edge } from "./adaptive/edge.ts";
import type { BeatLimits } from "./_beat.ts";
import { checkedCount, checkedMs } from "./_checks.ts";
import { MAX_HEARTBEAT_TIME_MS } from "./heartbeat/heartbeat.ts";
import { networkIdentity } from "./network_identity.ts";

/** What the handler works with. One object for all channels that were given no options. */
export interface AdaptiveSettings extends BeatLimits {
  readonly strategy: IntervalStrategy;
  readonly foregroundIntervalMs: number;
  readonly warmUpBeats: number;
  readonly warmUpIntervalMs: number;
  readonly appState: "foreground" | "background";
  readonly network: (channel: Channel) => string;
  readonly scoutHandlers: (() => ChannelHandler[]) | undefined;
}

const identityOf = (channel: Channel) => networkIdentity(channel);
const DEFAULT_STRATEGY = edge();

/**
 * Checks the options.
 *
 * @throws {RangeError} If a number is out of range.
 */
export function adaptiveSettings(options: AdaptiveIntervalOptions): AdaptiveSettings {
  const action = "make the handler";
  const {
    strategy = DEFAULT_STRATEGY,
    foregroundIntervalMs = 25_000,
    warmUpBeats = 3,
    warmUpIntervalMs = 5_000,
    maxUnanswered = 5,
    minAnswerMs = 1_000,
    maxAnswerMs = Math.max(10_000, minAnswerMs),
    appState = "background",
    network = identityOf,
    scoutHandlers,
  } = options;
  return {
    strategy,
    foregroundIntervalMs: checkedMs(
      action,
      "foregroundIntervalMs",
      foregroundIntervalMs,
      1,
      MAX_HEARTBEAT_TIME_MS,
    ),
    warmUpBeats: checkedCount(action, "warmUpBeats", warmUpBeats, 1, 1_000),
    warmUpIntervalMs: checkedMs(action, "warmUpIntervalMs", warmUpIntervalMs, 1, MAX_HEARTBEAT_TIME_MS),
    maxUnanswered: checkedCount(action, "maxUnanswered", maxUnanswered, 1, 100),
    minMs: checkedMs(action, "minAnswerMs", minAnswerMs, 1, MAX_HEARTBEAT_TIME_MS),
    maxMs: checkedMs(action, "maxAnswerMs", maxAnswerMs, minAnswerMs, MAX_HEARTBEAT_TIME_MS),
    appState,
    network,
    scoutHandlers,
  };
}

/** The settings of a handler that was given no options. */
export const DEFAULT_ADAPTIVE_SETTINGS: AdaptiveSettings = adaptiveSettings({});
