/**
 * Which events a handler has methods for, as bits, so that the pipeline can
 * skip it for the others. Computed once, when the handler is added.
 *
 * @module
 */

import type { ChannelHandler } from "./channel_handler.ts";

/** The inbound methods that the pipeline calls along the chain. */
export type InboundEvent =
  | "channelActive"
  | "channelInactive"
  | "channelRead"
  | "channelReadComplete"
  | "channelWritabilityChanged"
  | "userEventTriggered"
  | "exceptionCaught";

/** The outbound methods that the pipeline calls along the chain. */
export type OutboundOperation = "connect" | "write" | "flush" | "read" | "close";

/** One bit per method. */
export const BIT: Readonly<Record<InboundEvent | OutboundOperation, number>> = {
  channelActive: 1 << 0,
  channelInactive: 1 << 1,
  channelRead: 1 << 2,
  channelReadComplete: 1 << 3,
  channelWritabilityChanged: 1 << 4,
  userEventTriggered: 1 << 5,
  exceptionCaught: 1 << 6,
  connect: 1 << 7,
  write: 1 << 8,
  flush: 1 << 9,
  read: 1 << 10,
  close: 1 << 11,
};

const METHODS = Object.keys(BIT) as (InboundEvent | OutboundOperation)[];

/** The bits of the methods that the handler has. */
export function maskOf(handler: ChannelHandler): number {
  let mask = 0;
  for (const method of METHODS) {
    if (typeof handler[method] === "function") mask |= BIT[method];
  }
  return mask;
}
