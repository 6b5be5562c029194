/**
 * From a channel to a byte stream of another kind.
 *
 * @module
 */

import type { ChannelHandler } from "../channel_handler.ts";
import type { ChannelHandlerContext } from "../channel_handler_context.ts";
import type { ChannelPromise } from "../channel_promise.ts";
import { ChannelClosedError, LinkDownError } from "../errors.ts";
import type { LinkDownEvent } from "../link_event.ts";
import { PeerError } from "../peer_error.ts";
import type { RemoteSource } from "../transport.ts";

/** What the stream is told. */
export interface BridgeSink {
  /** A link stands; the first one, or another one where the stream outlives its links. */
  opened(): void;
  /** Bytes came in. They are the stream's own. */
  received(bytes: Uint8Array): void;
  /** Nothing more comes and nothing more can be written. Called once, and last. */
  ended(error: unknown): void;
}

/** Options of a {@linkcode ChannelBridge}. */
export interface BridgeOptions {
  /** Whether the stream goes on when the link is lost, since a session below loses nothing. */
  readonly acrossLinks: boolean;
}

interface Waiting {
  readonly bytes: Uint8Array;
  readonly done: (error?: unknown) => void;
}

/**
 * The last handler of a channel that serves as a byte stream. It reads when it
 * is asked to, and lets a writer go on while the channel is writable.
 */
export class ChannelBridge implements ChannelHandler {
  readonly #sink: BridgeSink;
  readonly #acrossLinks: boolean;
  #context: ChannelHandlerContext | undefined = undefined;
  #isOpen = false;
  #isAsked = true;
  #hasEnded = false;
  /** Before the first link: what is to be written. */
  #early: Waiting | undefined = undefined;
  /** While the channel is not writable: who wants to write on. */
  #blocked: (() => void) | undefined = undefined;
  #last: ChannelPromise | undefined = undefined;
  #down: LinkDownEvent | undefined = undefined;
  /** What the peer complained of; mostly why it then ends the link. */
  #complaint: PeerError | undefined = undefined;

  constructor(sink: BridgeSink, options: BridgeOptions) {
    this.#sink = sink;
    this.#acrossLinks = options.acrossLinks;
  }

  // --- what the stream wants ---

  /** Asks for one more batch. */
  ask(): void {
    this.#isAsked = true;
    if (this.#isOpen) this.#context?.read();
  }

  /**
   * Writes bytes, once there is a link.
   *
   * @param bytes They are the channel's from now on.
   * @param done Called when more may be written. The stream ends where a write fails, and that tells.
   */
  send(bytes: Uint8Array, done: (error?: unknown) => void): void {
    const context = this.#context;
    if (this.#hasEnded || context === undefined) return done(new ChannelClosedError("write"));
    if (!this.#isOpen) {
      this.#early = { bytes, done };
      return;
    }
    this.#last = context.writeAndFlush(bytes);
    this.#last.onSettled((error) => {
      if (error !== undefined) this.#writeFailed(error);
    });
    if (context.channel.isWritable || this.#hasEnded) done();
    else this.#blocked = done;
  }

  /** Closes the channel once all has left. */
  end(done: () => void): void {
    const close = () => {
      done();
      this.#context?.channel.close().onSettled(() => {});
    };
    if (this.#last === undefined) close();
    else this.#last.onSettled(close);
  }

  /** Closes the channel at once. */
  destroy(done: () => void): void {
    this.#hasEnded = true;
    this.#release();
    const channel = this.#context?.channel;
    if (channel === undefined) return done();
    channel.drop("closed");
    channel.close().onSettled(done);
  }

  // --- what the pipeline tells ---

  handlerAdded(context: ChannelHandlerContext): void {
    this.#context = context;
    context.channel.autoRead = false;
    if (context.channel.isActive) this.#opened();
  }

  handlerRemoved(): void {
    this.#end();
    this.#context = undefined;
  }

  connect(context: ChannelHandlerContext, remote: RemoteSource, promise: ChannelPromise): void {
    promise.onSettled((error) => {
      if (error !== undefined) this.#end(error);
    });
    context.connect(remote, promise);
  }

  channelActive(context: ChannelHandlerContext): void {
    this.#opened();
    context.fireChannelActive();
  }

  channelRead(context: ChannelHandlerContext, message: unknown): void {
    if (this.#hasEnded) return;
    if (message instanceof Uint8Array) {
      this.#isAsked = false;
      this.#sink.received(message);
      return;
    }
    const error = typeof message === "string" ? textForBytes(message) : noBytes(message);
    this.#end(error);
    context.channel.drop("protocol", error);
  }

  channelWritabilityChanged(context: ChannelHandlerContext): void {
    if (context.channel.isWritable) this.#unblock();
    context.fireChannelWritabilityChanged();
  }

  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    if ((event as LinkDownEvent)?.type === "linkDown") this.#down = event as LinkDownEvent;
    context.fireUserEventTriggered(event);
  }

  exceptionCaught(context: ChannelHandlerContext, error: unknown): void {
    // Told with the end, if that follows; the stream's user has it in the bytes as well.
    if (error instanceof PeerError) this.#complaint = error;
    else if (error !== this.#down?.error) context.fireExceptionCaught(error);
  }

  channelInactive(context: ChannelHandlerContext): void {
    this.#isOpen = false;
    if (!this.#acrossLinks || context.channel.autoClose) this.#end();
    context.fireChannelInactive();
  }

  #opened(): void {
    if (this.#hasEnded) return;
    this.#isOpen = true;
    this.#down = this.#complaint = undefined;
    this.#sink.opened();
    if (this.#isAsked) this.#context?.read();
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) this.send(early.bytes, early.done);
    else this.#unblock();
  }

  #unblock(): void {
    const blocked = this.#blocked;
    this.#blocked = undefined;
    blocked?.();
  }

  #writeFailed(error: unknown): void {
    // The end of the link says better why, and follows.
    const isLinks = error instanceof LinkDownError || error instanceof ChannelClosedError;
    if (!isLinks || this.#acrossLinks) this.#end(error);
  }

  #end(error?: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const why = error ?? this.#why();
    this.#release(why ?? new LinkDownError("write", this.#down?.reason ?? "closed"));
    this.#sink.ended(why);
    // A handler that reconnects would keep it for nobody.
    this.#context?.channel.close().onSettled(() => {});
  }

  /** Nobody must wait for ever. */
  #release(error?: unknown): void {
    const early = this.#early;
    this.#early = undefined;
    this.#unblock();
    early?.done(error);
  }

  /** Why there is no link any more; undefined if that is as it should be. */
  #why(): unknown {
    const { reason = "closed", error } = this.#down ?? {};
    const complaint = error instanceof PeerError ? error : this.#complaint;
    if (reason === "closed") return undefined;
    if (complaint !== undefined) return complaint;
    if (reason === "remoteClosed" && error === undefined) return undefined;
    return new LinkDownError("read", reason, { cause: error });
  }
}

/** It is what some proxies and servers say in place of an answer. */
function textForBytes(text: string): PeerError {
  const reason = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  return new PeerError(`Cannot read: the peer sent text where bytes are due: ${JSON.stringify(reason)}`, {
    protocol: "websocket",
    reason,
  });
}

function noBytes(message: unknown): TypeError {
  const what = (message as object | undefined)?.constructor?.name ?? typeof message;
  return new TypeError(`Cannot read: got ${what} where bytes are due; is there a codec in the pipeline?`);
}
