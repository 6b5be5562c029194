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

/** Which methods a handler has, and the two that are called once per message. */
export interface HandlerShape {
  readonly mask: number;
  readonly onRead: ChannelHandler["channelRead"];
  readonly onWrite: ChannelHandler["write"];
}

/** The shape of a handler that was taken out: the pipeline steps over it. */
export const REMOVED: HandlerShape = { mask: 0, onRead: undefined, onWrite: undefined };

/** All instances of a class share one shape, so that a million links do not keep ten million. */
const classShapes = new WeakMap<object, HandlerShape>();

/** The methods that the handler has now. */
export function shapeOf(handler: ChannelHandler): HandlerShape {
  const prototype = Object.getPrototypeOf(handler);
  if (prototype === null || METHODS.some((method) => Object.hasOwn(handler, method))) {
    return makeShape(handler);
  }
  let shape = classShapes.get(prototype);
  if (shape === undefined) classShapes.set(prototype, shape = makeShape(handler));
  return shape;
}

function makeShape(handler: ChannelHandler): HandlerShape {
  let mask = 0;
  for (const method of METHODS) {
    if (typeof handler[method] === "function") mask |= BIT[method];
  }
  return { mask, onRead: handler.channelRead, onWrite: handler.write };
}
