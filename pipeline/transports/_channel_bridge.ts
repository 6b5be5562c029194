/**
 * From a channel to a byte stream of another kind.
 *
 * @module
 */

import type { Channel } from "../channel.ts";
import type { ChannelHandler } from "../channel_handler.ts";
import type { ChannelHandlerContext } from "../channel_handler_context.ts";
import type { ChannelPromise } from "../channel_promise.ts";
import { ChannelClosedError, LinkDownError } from "../errors.ts";
import type { HalfCloseEvent, LinkDownEvent } from "../link_event.ts";
import { PeerError } from "../peer_error.ts";
import type { RemoteSource } from "../transport.ts";

/** What is written at once, bytes: a stream gathers what waits, and would exceed any limit of a frame. */
const MESSAGE_BYTES = 64 * 1024;
/**
 * How much may be written that is not done: what a handler keeps back (a
 * session, whose queue is full) does not show in whether the channel is
 * writable, and the handler's limits are not to be exceeded.
 */
const UNSETTLED_BYTES = 512 * 1024;
const UNSETTLED_WRITES = 256;

/** What the stream is told. */
export interface BridgeSink {
  /** A link stands; the first one, or another one where the stream outlives its links. */
  opened(): void;
  /**
   * Bytes came in. They are the stream's own.
   *
   * @returns Whether it has room for more.
   */
  received(bytes: Uint8Array): boolean;
  /** The peer has ended its direction; what is written still leaves. Called at most once. */
  inputEnded(): void;
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
 * is asked to, and lets a writer go on while the channel is writable. Until it
 * is told of a link, and once the channel is being closed, the channel reads by
 * itself: handlers nearer to the head may have to hear of the peer first (who
 * it is, which session, whether all has arrived), and would wait for ever.
 */
export class ChannelBridge implements ChannelHandler {
  readonly #sink: BridgeSink;
  readonly #acrossLinks: boolean;
  #context: ChannelHandlerContext | undefined = undefined;
  #isOpen = false;
  #isAsked = true;
  #hasEnded = false;
  /** The peer has ended its direction, and the link is kept for this side's. */
  #hasInputEnded = false;
  #hasOutputEnded = false;
  /** Whether the channel is being closed: what the stream has no room for is then discarded. */
  #isClosing = false;
  /** Whether something was discarded: nothing may follow it. */
  #isDeaf = false;
  /** Before the first link: what is to be written. */
  #early: Waiting | undefined = undefined;
  /** While the channel is not writable: who wants to write on. */
  #blocked: (() => void) | undefined = undefined;
  #last: ChannelPromise | undefined = undefined;
  #unsettledBytes = 0;
  #unsettledWrites = 0;
  /** Who ended the stream before there was a link, or waits for both ends to have left. */
  #ending: (() => void) | undefined = undefined;
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
    let at = 0;
    do {
      this.#write(context, bytes.subarray(at, at += MESSAGE_BYTES));
    } while (at < bytes.length && this.#hasRoom);
    if (at < bytes.length) this.#blocked = () => this.send(bytes.subarray(at), done);
    else if (this.#hasRoom || this.#hasEnded) done();
    else this.#blocked = done;
  }

  /**
   * Ends this side's direction once all has left: alone, if the link, the
   * handlers and the stream can go on with the other one, else with the channel.
   *
   * @param wantsInput Whether the stream is interested in what the peer still sends.
   */
  end(done: () => void, wantsInput = true): void {
    const channel = this.#context?.channel;
    if (channel === undefined) return done();
    if (channel.state === "connecting" && wantsInput && !this.#acrossLinks) {
      this.#ending = done;
      return;
    }
    const isHalf = wantsInput && this.#mayEndOutput();
    if (!isHalf) this.#discard(channel);
    const end = () => {
      if (isHalf && !this.#hasEnded && channel.shutdownOutput()) return this.#outputEnded(done);
      done();
      channel.close().onSettled(() => {});
    };
    if (this.#last === undefined) end();
    else this.#last.onSettled(end);
  }

  /** Closes the channel at once. */
  destroy(done: () => void): void {
    this.#hasEnded = true;
    this.#release();
    const channel = this.#context?.channel;
    if (channel === undefined) return done();
    // Where both sides have ended, nothing is left to be cut off but the end itself.
    if (!this.#hasInputEnded || !this.#hasOutputEnded) channel.drop("closed");
    channel.close().onSettled(done);
  }

  // --- what the pipeline tells ---

  handlerAdded(context: ChannelHandlerContext): void {
    this.#context = context;
    if (context.channel.isActive) this.#opened();
    else context.channel.autoRead = true;
  }

  handlerRemoved(): void {
    // Whoever takes it out goes on with the channel: a session does so with one that carries it from now on.
    this.#context = undefined;
    this.#end();
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
    if (this.#hasEnded || this.#isDeaf) return;
    if (message instanceof Uint8Array) {
      this.#isAsked = false;
      const hasRoom = this.#sink.received(message);
      this.#isDeaf = this.#isClosing && !hasRoom;
      return;
    }
    const error = typeof message === "string" ? textForBytes(message) : noBytes(message);
    this.#end(error);
    context.channel.drop("protocol", error);
  }

  channelReadComplete(context: ChannelHandlerContext): void {
    // The batch had nothing for the stream, heartbeats perhaps: who asked still waits.
    if (this.#isAsked && this.#isOpen) context.read();
    context.fireChannelReadComplete();
  }

  channelWritabilityChanged(context: ChannelHandlerContext): void {
    if (this.#hasRoom) this.#unblock();
    context.fireChannelWritabilityChanged();
  }

  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const known = event as LinkDownEvent | HalfCloseEvent | undefined;
    if (known?.type === "halfClose") this.#halfClosed(known);
    else if (known?.type === "linkDown") this.#down = known;
    context.fireUserEventTriggered(event);
  }

  exceptionCaught(context: ChannelHandlerContext, error: unknown): void {
    // Told with the end, if that follows; the stream's user has it in the bytes as well.
    if (error instanceof PeerError) this.#complaint = error;
    else if (error !== this.#down?.error) context.fireExceptionCaught(error);
  }

  close(context: ChannelHandlerContext, promise: ChannelPromise): void {
    // Handlers nearer to the head may wait for the peer's last word, which may be behind what nobody reads.
    this.#discard(context.channel);
    context.close(promise);
  }

  channelInactive(context: ChannelHandlerContext): void {
    this.#isOpen = false;
    context.channel.autoRead = true;
    if (!this.#acrossLinks || context.channel.autoClose) this.#end();
    context.fireChannelInactive();
  }

  #opened(): void {
    if (this.#hasEnded) return;
    const context = this.#context!;
    this.#isOpen = true;
    this.#down = this.#complaint = undefined;
    if (!this.#isClosing) context.channel.autoRead = false;
    this.#sink.opened();
    if (this.#isAsked) context.read();
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) this.send(early.bytes, early.done);
    else this.#unblock();
    const ending = this.#ending;
    this.#ending = undefined;
    if (ending !== undefined) this.end(ending);
  }

  /** From now on the channel reads by itself, and what the stream has no room for is lost. */
  #discard(channel: Channel): void {
    this.#isClosing = true;
    channel.autoRead = true;
  }

  /** Whether all handlers can go on without this side's direction; whether the link can is not known yet. */
  #mayEndOutput(): boolean {
    if (!this.#isOpen || this.#acrossLinks || this.#hasEnded) return false;
    let isKept = false;
    const event: HalfCloseEvent = { type: "halfClose", ended: "output", keep: () => (isKept = true) };
    this.#context!.pipeline.fireUserEventTriggered(event);
    return isKept;
  }

  #outputEnded(done: () => void): void {
    this.#hasOutputEnded = true;
    // With both directions ended the link is about to go; a stream that is done would drop it before.
    if (this.#hasInputEnded) this.#ending = done;
    else done();
  }

  #halfClosed(event: HalfCloseEvent): void {
    if (this.#acrossLinks || this.#hasEnded) return;
    event.keep();
    if (event.ended === "output") return;
    this.#hasInputEnded = true;
    this.#sink.inputEnded();
  }

  get #hasRoom(): boolean {
    return this.#unsettledBytes < UNSETTLED_BYTES && this.#unsettledWrites < UNSETTLED_WRITES &&
      this.#context?.channel.isWritable === true;
  }

  #write(context: ChannelHandlerContext, bytes: Uint8Array): void {
    this.#unsettledBytes += bytes.length;
    this.#unsettledWrites++;
    this.#last = context.writeAndFlush(bytes);
    this.#last.onSettled((error) => {
      this.#unsettledBytes -= bytes.length;
      this.#unsettledWrites--;
      if (error !== undefined) this.#writeFailed(error);
      else if (this.#blocked !== undefined && this.#hasRoom) this.#unblock();
    });
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
    const ending = this.#ending;
    this.#early = this.#ending = undefined;
    this.#unblock();
    early?.done(error);
    ending?.();
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
