/**
 * What the handlers of both sides do with a link on which a session is agreed upon.
 *
 * @module
 */

import type { ChannelHandlerContext } from "../../pipeline/mod.ts";
import { DecodeError } from "../errors.ts";
import { encodeSessionFrame, type SessionFrame } from "./_session_frame.ts";

/** Sends a frame and lets its promise go: if it is lost with its link, the next link begins anew. */
export function sendSessionFrame(context: ChannelHandlerContext, frame: SessionFrame): void {
  context.writeAndFlush(encodeSessionFrame(frame)).onSettled(ignore);
}

/** Ends a link whose peer sends what makes no sense, if that is the error; throws any other one. */
export function refuseBytes(context: ChannelHandlerContext, error: unknown): void {
  if (!(error instanceof DecodeError)) throw error;
  context.fireExceptionCaught(error);
  context.channel.drop("protocol", error);
}

function ignore(): void {}
