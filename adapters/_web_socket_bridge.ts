/**
 * The last handler of a channel that serves as a WebSocket.
 *
 * @module
 */

import { DecodeError } from "../handlers/mod.ts";
import {
  type ChannelHandler,
  type ChannelHandlerContext,
  type LinkDownEvent,
  PeerError,
  type WireMessage,
} from "../pipeline/mod.ts";

/** Why there is no link any more. */
export interface Ending {
  /** What happened to the link; undefined if there was none. */
  readonly down: LinkDownEvent | undefined;
  /** What the peer complained of, or could not be understood of it, before that. */
  readonly complaint: Error | undefined;
}

/** What the WebSocket is told. */
export interface WebSocketSink {
  /** A link stands. */
  opened(): void;
  /** A message came in. */
  received(message: WireMessage): void;
  /** The channel is closed, or about to be. Called once, and last. */
  ended(ending: Ending): void;
}

/** Tells a WebSocket of its channel. */
export class WebSocketBridge implements ChannelHandler {
  readonly #sink: WebSocketSink;
  #down: LinkDownEvent | undefined = undefined;
  #complaint: Error | undefined = undefined;
  #hasEnded = false;

  constructor(sink: WebSocketSink) {
    this.#sink = sink;
  }

  channelActive(context: ChannelHandlerContext): void {
    this.#down = this.#complaint = undefined;
    this.#sink.opened();
    context.fireChannelActive();
  }

  channelRead(context: ChannelHandlerContext, message: unknown): void {
    if (message instanceof Uint8Array || typeof message === "string") this.#sink.received(message);
    else context.fireChannelRead(message);
  }

  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    if ((event as LinkDownEvent)?.type === "linkDown") this.#down = event as LinkDownEvent;
    context.fireUserEventTriggered(event);
  }

  exceptionCaught(context: ChannelHandlerContext, error: unknown): void {
    // These are told with the end that they lead to; whoever speaks the protocol has heard the peer's words too.
    if (error instanceof PeerError || error instanceof DecodeError) this.#complaint = error;
    else context.fireExceptionCaught(error);
  }

  channelInactive(context: ChannelHandlerContext): void {
    if (context.channel.autoClose) this.#end();
    context.fireChannelInactive();
  }

  handlerRemoved(): void {
    this.#end();
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#sink.ended({ down: this.#down, complaint: this.#complaint });
  }
}
