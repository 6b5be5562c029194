/**
 * What a handler is.
 *
 * @module
 */

import type { ChannelHandlerContext } from "./channel_handler_context.ts";
import type { ChannelPromise } from "./channel_promise.ts";
import type { RemoteSource } from "./transport.ts";

/**
 * Handles or changes what passes through a pipeline. Any object that has some
 * of these methods is a handler; for the events it lacks the pipeline skips it
 * at no cost. The methods are looked up once, when the handler is added.
 *
 * Inbound methods (`channelActive` to `exceptionCaught`) are told what
 * happened and pass it on with `context.fire...`. Outbound methods (`connect`
 * to `close`) are asked to do something and pass it on with the context's
 * method of the same name. What is not passed on ends here.
 *
 * Errors: what an inbound method throws, or rejects with where it returns a
 * promise, goes to `exceptionCaught` of this same handler and onwards from
 * there. What `connect`, `write` or `close` throws, or rejects with, fails that
 * operation's promise; `flush` and `read` have none, so theirs goes to
 * `exceptionCaught` as well. What `exceptionCaught` itself throws is reported
 * at once and goes no further. These are Netty 4.1's rules.
 *
 * @example A handler that answers
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type ChannelHandler, EmbeddedChannel } from "@longlink/pipeline";
 *
 * const echo: ChannelHandler = {
 *   channelRead: (context, message) => context.writeAndFlush(message),
 * };
 * const channel = new EmbeddedChannel({ handlers: [echo] });
 * channel.writeInbound("hello");
 * assertEquals(channel.readOutbound(), "hello");
 * ```
 */
export interface ChannelHandler {
  /** Whether one instance may be in several pipelines, or twice in one. Default: false. */
  readonly isSharable?: boolean;
  /**
   * Whether the handler is in a pipeline now; kept by the pipeline. A class
   * that declares it (`isAdded = false`) spares each of its instances an entry
   * in a table, which counts with very many channels. Leave it out otherwise.
   */
  isAdded?: boolean;

  /**
   * The handler was added to a pipeline. Runs exactly once per addition. A
   * throw takes the handler out again and goes from the head to the others as a
   * `PipelineError`; a promise that rejects comes too late for that and goes to
   * this handler's own `exceptionCaught`.
   */
  handlerAdded?(context: ChannelHandlerContext): unknown;
  /** The handler was taken out, or the channel closed. Runs exactly once per addition. */
  handlerRemoved?(context: ChannelHandlerContext): unknown;

  /** A link stands. Once per link: a channel can be reopened. */
  channelActive?(context: ChannelHandlerContext): unknown;
  /** The link is gone. Once per link; drop here what belonged to it. */
  channelInactive?(context: ChannelHandlerContext): unknown;
  /** A message came in. */
  channelRead?(context: ChannelHandlerContext, message: unknown): unknown;
  /** The current batch of messages is over. */
  channelReadComplete?(context: ChannelHandlerContext): unknown;
  /** `channel.isWritable` changed. */
  channelWritabilityChanged?(context: ChannelHandlerContext): unknown;
  /** Something a handler wants others to know; see the event's `type`. */
  userEventTriggered?(context: ChannelHandlerContext, event: unknown): unknown;
  /** This handler, or one nearer to the head, failed on an inbound event. */
  exceptionCaught?(context: ChannelHandlerContext, error: unknown): unknown;

  /** A link is wanted. */
  connect?(context: ChannelHandlerContext, remote: RemoteSource, promise: ChannelPromise): unknown;
  /** A message is to be sent once {@linkcode flush} comes. */
  write?(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): unknown;
  /** What was written is to be sent. */
  flush?(context: ChannelHandlerContext): unknown;
  /** More data is wanted. */
  read?(context: ChannelHandlerContext): unknown;
  /** The channel is to be closed for good. */
  close?(context: ChannelHandlerContext, promise: ChannelPromise): unknown;
}

/**
 * A class of handlers, for looking one up by its class.
 *
 * @example Looking for a handler of any class
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type ChannelHandlerClass, EmbeddedChannel, IdleStateHandler, ReconnectHandler } from "@longlink/pipeline";
 *
 * const { pipeline } = new EmbeddedChannel({ handlers: [new IdleStateHandler()] });
 * const has = (kind: ChannelHandlerClass) => pipeline.get(kind) !== undefined;
 * assertEquals([has(IdleStateHandler), has(ReconnectHandler)], [true, false]);
 * ```
 */
export type ChannelHandlerClass<T extends ChannelHandler = ChannelHandler> = abstract new (
  // deno-lint-ignore no-explicit-any
  ...args: any[]
) => T;
