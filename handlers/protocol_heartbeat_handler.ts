/**
 * Heartbeats on the link of another protocol's client.
 *
 * @module
 */

import {
  type ChannelHandler,
  type ChannelHandlerContext,
  type ChannelPromise,
  LinkDownError,
  type LinkDownEvent,
  type LinkDownReason,
  PeerError,
  type WireMessage,
} from "../pipeline/mod.ts";
import { DecodeError } from "./errors.ts";
import { Heartbeat } from "./heartbeat/heartbeat.ts";
import type { ProtocolFormat, ProtocolPart, ProtocolTracker } from "./heartbeat/protocol_format.ts";

/** A ping that waits until the client is between two of its packets. */
interface WaitingPing {
  readonly ping: Heartbeat;
  readonly promises: ChannelPromise[];
}

/**
 * Puts pings between the packets of a client that speaks another protocol, and
 * takes what answers them out of what its server sends. Both see the bytes that
 * they would see without it: only as they are cut into chunks may they differ.
 *
 * A ping waits for the end of the packet that the client is sending, and for the
 * handshake of client and server, which is told as `protocolReady`. What the
 * peer says of errors is passed on as `exceptionCaught`, and to the client as
 * well. Where the peer sends what cannot be followed, the link is dropped with
 * the reason `protocol`; where the client does, it is left alone: no pings then.
 *
 * Its place is between an `IdleStateHandler` and what writes heartbeats;
 * `keepAliveUnder()` puts them in order.
 *
 * @example A ping between two packets
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, Heartbeat, natsFormat, ProtocolHeartbeatHandler } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ handlers: [new ProtocolHeartbeatHandler(natsFormat())] });
 * const text = (bytes: unknown) => new TextDecoder().decode(bytes as Uint8Array);
 * const utf8 = (text: string) => new TextEncoder().encode(text);
 * channel.writeOutbound(utf8("CONNECT {}\r\nPING\r\n"));
 * channel.writeInbound(utf8("PONG\r\n")); // the client's own
 * assertEquals(channel.drainInbound().map(text), ["PONG\r\n"]);
 *
 * channel.writeOutbound(utf8("PUB news 5\r\nhel"), new Heartbeat("ping"), utf8("lo\r\n"));
 * assertEquals(channel.drainOutbound().map(text).slice(1), ["PUB news 5\r\nhel", "lo\r\n", "PING\r\n"]);
 * channel.writeInbound(utf8("+OK\r\nPONG\r\n"));
 * assertEquals(text(channel.readInbound()), "+OK\r\n");
 * assertEquals((channel.readInbound() as Heartbeat).kind, "pong");
 * ```
 */
export class ProtocolHeartbeatHandler implements ChannelHandler {
  /** Whether it is in a pipeline now; kept by the pipeline. */
  isAdded = false;
  readonly #format: ProtocolFormat;
  #tracker: ProtocolTracker | undefined = undefined;
  #waiting: WaitingPing | undefined = undefined;
  #lastWriteMs = 0;
  #downReason: LinkDownReason = "error";
  /** What the reads since the last `channelReadComplete` brought. */
  #outcome: "nothing" | "heartbeats" | "messages" = "nothing";

  /**
   * Makes a handler, for one channel.
   *
   * @param format The protocol.
   */
  constructor(format: ProtocolFormat) {
    this.#format = format;
  }

  /**
   * Begins with the link.
   *
   * @throws {TypeError} If the link stands already: where in its packets the client is could not be known.
   */
  handlerAdded(context: ChannelHandlerContext): void {
    if (!context.channel.isActive) return;
    if (context.channel.flushedBytes + context.channel.pendingBytes > 0) {
      throw new TypeError(
        "Cannot follow the client: the handler must be there before the link carries anything",
      );
    }
    this.#begin(context);
  }

  /** Fails the ping that waits, and passes on what was held back. */
  handlerRemoved(context: ChannelHandlerContext): void {
    this.#end(context);
  }

  /** Begins with the link. */
  channelActive(context: ChannelHandlerContext): void {
    this.#begin(context);
    context.fireChannelActive();
  }

  /** Ends with the link. */
  channelInactive(context: ChannelHandlerContext): void {
    this.#end(context);
    context.fireChannelInactive();
  }

  /** Takes the answers to pings out. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    const tracker = this.#tracker;
    if (tracker === undefined || !isWireMessage(message)) return context.fireChannelRead(message);
    if (this.#outcome === "nothing") this.#outcome = "heartbeats";
    const parts = tracker.received(message);
    // Why the peer wants no more is told first: whoever reads that as well may end the channel over it.
    for (const part of parts) if (part instanceof PeerError) context.fireExceptionCaught(part);
    for (const part of parts) {
      // Whoever got the part before may have dropped the link.
      if (this.#tracker !== tracker) return;
      if (!(part instanceof PeerError)) this.#pass(context, part);
    }
    if (this.#tracker !== tracker) return;
    if (this.#sendWaiting(context)) context.flush();
  }

  /** Asks for more where `autoRead` is off and nothing came for whoever asked. */
  channelReadComplete(context: ChannelHandlerContext): void {
    const isStarved = this.#outcome === "heartbeats";
    this.#outcome = "nothing";
    if (isStarved && !context.channel.autoRead) context.read();
    context.fireChannelReadComplete();
  }

  /** Takes the reason of the link's end, and says more of it where the protocol's rules do. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const down = event as LinkDownEvent;
    if (down?.type === "linkDown") {
      this.#downReason = down.reason;
      const isPeers = down.reason === "remoteClosed" || down.reason === "reset";
      const error = isPeers ? this.#tracker?.ended?.(context.loop.now() - this.#lastWriteMs) : undefined;
      if (error !== undefined) context.fireExceptionCaught(error satisfies PeerError);
    }
    context.fireUserEventTriggered(event);
  }

  /**
   * Follows what the client sends, and puts pings between its packets.
   *
   * @throws {TypeError} (as the write's failure) If it is a heartbeat of another kind than a ping.
   */
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    if (message instanceof Heartbeat) {
      this.#ping(context, message, promise);
      return;
    }
    const error = isWireMessage(message) ? this.#tracker?.sent(message) : undefined;
    this.#lastWriteMs = context.loop.now();
    context.write(message, promise);
    if (error !== undefined) context.fireExceptionCaught(error);
    this.#sendWaiting(context);
  }

  #begin(context: ChannelHandlerContext): void {
    this.#tracker = this.#format.track();
    this.#lastWriteMs = context.loop.now();
    this.#outcome = "nothing";
  }

  #end(context: ChannelHandlerContext): void {
    const rest = this.#tracker?.rest();
    this.#tracker = undefined;
    for (const promise of this.#waiting?.promises ?? []) {
      promise.reject(new LinkDownError("write", this.#downReason));
    }
    this.#waiting = undefined;
    if (rest !== undefined) context.fireChannelRead(rest);
  }

  #pass(context: ChannelHandlerContext, part: ProtocolPart): void {
    if (isWireMessage(part)) {
      this.#outcome = "messages";
      context.fireChannelRead(part);
    } else if (part instanceof Heartbeat) context.fireChannelRead(part);
    else if (part instanceof Error) {
      context.fireExceptionCaught(part);
      if (part instanceof DecodeError) context.channel.drop("protocol", part);
    } else context.fireUserEventTriggered(part);
  }

  #ping(context: ChannelHandlerContext, ping: Heartbeat, promise: ChannelPromise): void {
    if (ping.kind !== "ping" || this.#format.kinds.length === 0) {
      throw new TypeError(`Cannot send the heartbeat: ${this.#format.name} has no ${ping.kind} of a client`);
    }
    // One is enough, however many were asked for while they had to wait.
    this.#waiting = { ping, promises: [...this.#waiting?.promises ?? [], promise] };
    this.#sendWaiting(context);
  }

  /** @returns Whether a ping went out. */
  #sendWaiting(context: ChannelHandlerContext): boolean {
    const waiting = this.#waiting;
    if (waiting === undefined || !this.#tracker?.mayPing) return false;
    this.#waiting = undefined;
    this.#lastWriteMs = context.loop.now();
    const [first, ...others] = waiting.promises;
    first!.observe((error) => {
      for (const promise of others) error === undefined ? promise.resolve() : promise.reject(error);
    });
    context.write(this.#tracker.ping(waiting.ping), first);
    return true;
  }
}

function isWireMessage(message: unknown): message is WireMessage {
  return message instanceof Uint8Array || typeof message === "string";
}
