/**
 * A handler's place in a pipeline, and its way to its neighbours.
 *
 * @module
 */

import type { Channel } from "./channel.ts";
import type { ChannelHandler } from "./channel_handler.ts";
import type { ChannelPipeline } from "./channel_pipeline.ts";
import type { ChannelPromise } from "./channel_promise.ts";
import type { EventLoop } from "./event_loop.ts";
import type { RemoteSource } from "./transport.ts";

/**
 * One handler's place in one pipeline. `fire...` passes an inbound event on
 * towards the tail; the operations pass outbound work on towards the head.
 * The context of a removed handler still passes things on to where its
 * neighbours are.
 *
 * @example Passing on what comes, changed, and answering it
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type ChannelHandlerContext, EmbeddedChannel } from "@longlink/pipeline";
 *
 * const shout = {
 *   channelRead(context: ChannelHandlerContext, message: unknown) {
 *     context.fireChannelRead(String(message).toUpperCase());
 *     context.writeAndFlush("heard");
 *   },
 * };
 * const channel = new EmbeddedChannel({ handlers: [shout] });
 * channel.writeInbound("hello");
 * assertEquals([channel.readInbound(), channel.readOutbound()], ["HELLO", "heard"]);
 * ```
 */
export interface ChannelHandlerContext {
  /** The handler's name, unique in its pipeline. */
  readonly name: string;
  /** The handler. */
  readonly handler: ChannelHandler;
  /** Its channel. */
  readonly channel: Channel;
  /** Its pipeline. */
  readonly pipeline: ChannelPipeline;
  /** Clock, timers and randomness of the channel. */
  readonly loop: EventLoop;
  /** Whether the handler was taken out. */
  readonly isRemoved: boolean;

  /** Passes `channelActive` on. */
  fireChannelActive(): void;
  /** Passes `channelInactive` on. */
  fireChannelInactive(): void;
  /** Passes a message on. */
  fireChannelRead(message: unknown): void;
  /**
   * Passes a message on, and tells when the handlers are done with it: those
   * that it reached before this returns. One that keeps it and passes it on
   * later must return a promise for that.
   *
   * @param message The message.
   * @returns undefined if all were done at once, else a promise that never
   *   rejects: what a handler fails with goes to `exceptionCaught` as always.
   */
  fireChannelReadTracked(message: unknown): Promise<void> | undefined;
  /** Passes `channelReadComplete` on. */
  fireChannelReadComplete(): void;
  /** Passes `channelWritabilityChanged` on. */
  fireChannelWritabilityChanged(): void;
  /** Passes a user event on, or starts one. */
  fireUserEventTriggered(event: unknown): void;
  /** Passes an error on. */
  fireExceptionCaught(error: unknown): void;

  /** Passes a wish to connect on. */
  connect(remote: RemoteSource, promise?: ChannelPromise): ChannelPromise;
  /** Passes a message on towards the head. Pass the promise you were given along. */
  write(message: unknown, promise?: ChannelPromise): ChannelPromise;
  /** Passes a flush on. */
  flush(): void;
  /** {@linkcode write}, then {@linkcode flush}. */
  writeAndFlush(message: unknown, promise?: ChannelPromise): ChannelPromise;
  /** Passes a wish for more data on. */
  read(): void;
  /** Passes a close on. */
  close(promise?: ChannelPromise): ChannelPromise;
}
