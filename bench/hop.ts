/**
 * What one handler hop costs, next to Netty in Java (bench/netty).
 *
 * Counted: `pipeline.fireChannelRead(message)` and `pipeline.write(message)`
 * through ten handlers of five classes that pass the message on and do nothing
 * else, up to a sink that counts it. The whole call, with its entry, the sink
 * and (for a write) making and settling its promise, divided by ten. Not
 * counted: flush, sockets, codecs.
 */

import {
  type ChannelHandler,
  type ChannelHandlerContext,
  type ChannelPromise,
  EmbeddedChannel,
} from "../pipeline/mod.ts";
import { missingForNetty, nettyHop } from "./_netty.ts";
import type { Measurement } from "./_measurement.ts";

const HANDLERS = 10;
const TIMES = 200_000;
const WARM_UP_ROUNDS = 30;
const ROUNDS = 25;

/** A decoded message, as handlers behind a frame decoder see it. */
const MESSAGE = { text: "hello" };

// Five classes with one body: one call site sees five receivers, as with five
// different handlers. A single class would let the engine inline the chain.
class HandlerA implements ChannelHandler {
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    context.fireChannelRead(message);
  }
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    context.write(message, promise);
  }
}

class HandlerB implements ChannelHandler {
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    context.fireChannelRead(message);
  }
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    context.write(message, promise);
  }
}

class HandlerC implements ChannelHandler {
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    context.fireChannelRead(message);
  }
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    context.write(message, promise);
  }
}

class HandlerD implements ChannelHandler {
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    context.fireChannelRead(message);
  }
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    context.write(message, promise);
  }
}

class HandlerE implements ChannelHandler {
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    context.fireChannelRead(message);
  }
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    context.write(message, promise);
  }
}

/** Consumes what arrives, so that neither the tail's list nor the transport's buffer is measured. */
class Sink implements ChannelHandler {
  count = 0;

  channelRead(_context: ChannelHandlerContext, _message: unknown): void {
    this.count++;
  }
  write(_context: ChannelHandlerContext, _message: unknown, promise: ChannelPromise): void {
    this.count++;
    promise.resolve();
  }
}

/** Numbers of one hop, in ns; null where Netty is not there. */
export interface HopNumbers extends Record<string, number | null> {
  inboundNs: number;
  outboundNs: number;
  nettyInboundNs: number | null;
  nettyOutboundNs: number | null;
  inboundRatioToNetty: number | null;
  outboundRatioToNetty: number | null;
  nettyByteBufInboundNs: number | null;
  nettyByteBufOutboundNs: number | null;
}

/** Measures a hop here and in Netty, one after the other. */
export async function benchHop(): Promise<Measurement<HopNumbers>> {
  const inboundNs = inbound();
  const outboundNs = outbound();
  const missing = await missingForNetty();
  const netty = missing === undefined ? await nettyHop("object") : undefined;
  const nettyByteBuf = missing === undefined ? await nettyHop("bytebuf") : undefined;
  return {
    numbers: {
      inboundNs,
      outboundNs,
      nettyInboundNs: netty?.inboundNs ?? null,
      nettyOutboundNs: netty?.outboundNs ?? null,
      inboundRatioToNetty: netty === undefined ? null : inboundNs / netty.inboundNs,
      outboundRatioToNetty: netty === undefined ? null : outboundNs / netty.outboundNs,
      nettyByteBufInboundNs: nettyByteBuf?.inboundNs ?? null,
      nettyByteBufOutboundNs: nettyByteBuf?.outboundNs ?? null,
    },
    notes: [
      `ns a handler, through ${HANDLERS} handlers of five classes; the whole call divided by ${HANDLERS}`,
      missing === undefined
        ? `Netty ${netty?.version} with its defaults; the message is a plain object, for the ByteBuf rows a ByteBuf`
        : `no numbers for Netty: ${missing}`,
    ],
  };
}

function inbound(): number {
  const sink = new Sink();
  const { pipeline } = new EmbeddedChannel({ handlers: [...forwarders(), sink] });
  return measure("inbound", () => pipeline.fireChannelRead(MESSAGE), sink);
}

function outbound(): number {
  const sink = new Sink();
  const { pipeline } = new EmbeddedChannel({ handlers: [sink, ...forwarders()] });
  return measure("outbound", () => void pipeline.write(MESSAGE), sink);
}

function forwarders(): ChannelHandler[] {
  const classes = [HandlerA, HandlerB, HandlerC, HandlerD, HandlerE];
  return Array.from({ length: HANDLERS }, (_, i) => new classes[i % classes.length]!());
}

/** Median ns a hop. */
function measure(name: string, fire: () => void, sink: Sink): number {
  for (let i = 0; i < WARM_UP_ROUNDS; i++) round(name, fire, sink);
  const nanos = Array.from({ length: ROUNDS }, () => round(name, fire, sink)).sort((a, b) => a - b);
  const [median, least, most] = [nanos[ROUNDS >> 1]!, nanos[0]!, nanos[ROUNDS - 1]!];
  console.error(
    `  longlink ${name}: ${median.toFixed(2)} ns a hop (${least.toFixed(2)} to ${
      most.toFixed(2)
    } in ${ROUNDS} rounds)`,
  );
  return median;
}

function round(name: string, fire: () => void, sink: Sink): number {
  const before = sink.count;
  const start = performance.now();
  for (let i = 0; i < TIMES; i++) fire();
  const nanos = (performance.now() - start) * 1e6;
  if (sink.count - before !== TIMES) {
    throw new Error(`Cannot measure ${name}: ${sink.count - before} of ${TIMES} messages arrived`);
  }
  return nanos / TIMES / HANDLERS;
}
