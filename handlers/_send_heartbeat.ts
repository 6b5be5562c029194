/**
 * Sending heartbeats.
 *
 * @module
 */

import type { ChannelHandlerContext } from "../pipeline/mod.ts";
import type { Heartbeat } from "./heartbeat/heartbeat.ts";

/**
 * Sends a heartbeat and lets its promise go: if it is lost with its link, that
 * is no news to anybody who waits for an answer, and not an error to report.
 */
export function sendHeartbeat(context: ChannelHandlerContext, heartbeat: Heartbeat): void {
  context.writeAndFlush(heartbeat).onSettled(ignore);
}

function ignore(): void {}
