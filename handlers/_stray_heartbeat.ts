/**
 * Heartbeats that nobody in the pipeline has a use for.
 *
 * @module
 */

import type { ChannelHandlerClass, ChannelHandlerContext } from "../pipeline/mod.ts";
import { HeartbeatError } from "./errors.ts";
import type { Heartbeat } from "./heartbeat/heartbeat.ts";

const takers: ChannelHandlerClass[] = [];

/** Says that the handlers of a class take heartbeats; called by the class. */
export function takesHeartbeats(handlerClass: ChannelHandlerClass): void {
  takers.push(handlerClass);
}

/**
 * Passes a heartbeat on if a handler nearer to the tail may take it. Otherwise
 * it ends here as an error: an application must not mistake it for a message.
 *
 * @returns Whether it was passed on.
 */
export function passHeartbeatOn(context: ChannelHandlerContext, heartbeat: Heartbeat): boolean {
  let isBehind = false;
  for (const { handler } of context.pipeline.iterate()) {
    if (isBehind && takers.some((taker) => handler instanceof taker)) {
      context.fireChannelRead(heartbeat);
      return true;
    }
    if (handler === context.handler) isBehind = true;
  }
  context.fireExceptionCaught(new HeartbeatError(heartbeat.kind, heartbeat.sequence));
  return false;
}
