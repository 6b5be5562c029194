/**
 * Beating once the client above has shaken hands.
 *
 * @module
 */

import type { ChannelHandlerContext } from "../pipeline/mod.ts";
import { AdaptiveIntervalHandler } from "./adaptive_interval_handler.ts";
import { takesHeartbeats } from "./_stray_heartbeat.ts";
import type { ProtocolReadyEvent } from "./heartbeat/protocol_format.ts";

/**
 * Begins not with the link but when the client above and its server have shaken
 * hands: the first word on a link is theirs, and however long it takes them, no
 * answer of the peer is overdue before.
 */
export class LateIntervalHandler extends AdaptiveIntervalHandler {
  /** Only passes it on. */
  override channelActive(context: ChannelHandlerContext): void {
    context.fireChannelActive();
  }

  /** Begins when hands were shaken. */
  override userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    super.userEventTriggered(context, event);
    if ((event as ProtocolReadyEvent)?.type === "protocolReady") super.channelActive(begun(context));
  }
}

takesHeartbeats(LateIntervalHandler);

/** The same context for a handler that begins late: the others have been told of the link. */
function begun(context: ChannelHandlerContext): ChannelHandlerContext {
  return Object.create(context, {
    fireChannelActive: { value: () => {} },
    channel: { value: context.channel },
  });
}
