/**
 * Ending a link so that the peer knows why.
 *
 * @module
 */

import type { ChannelHandlerContext, ChannelPromise } from "../pipeline/mod.ts";
import { type GoAwayReason, Heartbeat, MAX_HEARTBEAT_TIME_MS } from "./heartbeat/heartbeat.ts";

/** Why a server of this version ends a link. */
export type GoodbyeReason = Exclude<GoAwayReason, "unknown">;

/** How long the last word may take to leave, ms, before the link is dropped without it. */
const LAST_WORD_MS = 1_000;

/**
 * Says why, and when to come back. A format that has no such kind says
 * nothing: then, as where the word is lost with its link, that is no error.
 */
export function sayGoAway(
  context: ChannelHandlerContext,
  reason: GoodbyeReason,
  comeBackMs: number = 0,
): ChannelPromise {
  const word = Heartbeat.goAway(reason, Math.min(comeBackMs, MAX_HEARTBEAT_TIME_MS));
  const promise = context.writeAndFlush(word);
  promise.onSettled(ignore);
  return promise;
}

/** Says why, and closes a channel of whose link the handlers nearer to the tail know nothing. */
export function turnAway(context: ChannelHandlerContext, reason: GoodbyeReason, comeBackMs?: number): void {
  sayGoAway(context, reason, comeBackMs);
  // From here and not from the tail: who does not know of the link has nothing to end.
  context.close().onSettled(ignore);
}

/**
 * Says why, and ends a link that is in use. A channel that outlives its links
 * (a session's) stays; its link is dropped once the last word has left. What
 * comes in until then is the caller's to let go.
 *
 * @param error What `linkDown` tells of it then.
 */
export function endLink(
  context: ChannelHandlerContext,
  reason: GoodbyeReason,
  error: Error,
  comeBackMs?: number,
): void {
  const { channel, loop } = context;
  const word = sayGoAway(context, reason, comeBackMs);
  if (channel.autoClose) {
    channel.close().onSettled(ignore);
    return;
  }
  const timer = loop.schedule(LAST_WORD_MS, () => channel.drop("closed", error));
  word.onSettled(() => {
    timer.cancel();
    channel.drop("closed", error);
  });
}

function ignore(): void {}
