/**
 * Finding the handler that keeps the two clocks.
 *
 * @module
 */

import type { ChannelHandlerContext } from "../pipeline/mod.ts";
import { IdleStateHandler } from "./idle_state_handler.ts";

/**
 * The pipeline's IdleStateHandler; without one nobody would notice silence.
 *
 * @throws {TypeError} If there is none.
 */
export function idleStateOf(context: ChannelHandlerContext): IdleStateHandler {
  const idleState = context.pipeline.get(IdleStateHandler);
  if (idleState !== undefined) return idleState;
  throw new TypeError(
    `Cannot use the handler "${context.name}": it needs an IdleStateHandler in the pipeline, nearer to the head`,
  );
}
