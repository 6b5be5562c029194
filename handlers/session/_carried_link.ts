/**
 * A link that another channel's link carries.
 *
 * @module
 */

import {
  type ChannelHandlerContext,
  ChannelPromise,
  type Link,
  type LinkDownReason,
  type LinkSink,
  type WireMessage,
} from "../../pipeline/mod.ts";

/**
 * When a client comes back, its new link was accepted as a channel of its own,
 * the carrier, whose handlers frame, answer heartbeats and authenticate. The
 * session's channel gets this link, which passes messages on to the carrier
 * and back, so that the application goes on with the channel that it knows.
 */
export class CarriedLink implements Link {
  readonly #carrier: ChannelHandlerContext;
  #sink: LinkSink | undefined = undefined;
  /** Whether this side has ended it. */
  isClosing = false;

  /** @param carrier The context of the carrier's session handler. */
  constructor(carrier: ChannelHandlerContext) {
    this.#carrier = carrier;
  }

  get localAddress(): string {
    return this.#carrier.channel.localAddress;
  }

  get remoteAddress(): string {
    return this.#carrier.channel.remoteAddress;
  }

  get isPaused(): boolean {
    return this.#carrier.channel.isPaused;
  }

  open(sink: LinkSink): void {
    this.#sink = sink;
  }

  read(): void {
    if (this.#sink !== undefined) this.#carrier.read();
  }

  write(message: WireMessage): void {
    const bytes = message.length;
    const written = new ChannelPromise();
    written.onSettled((error) => {
      if (error === undefined) this.#sink?.onFlushed(bytes);
    });
    this.#carrier.write(message, written);
  }

  flush(): void {
    this.#carrier.flush();
  }

  close(): void {
    this.isClosing = true;
    this.#carrier.channel.close().onSettled(() => this.carrierDown("closed", undefined));
  }

  abort(): void {
    this.isClosing = true;
    // It closes with its link.
    this.#carrier.channel.drop("closed");
    this.carrierDown("closed", undefined);
  }

  /** The carrier has read a message. */
  carrierRead(message: WireMessage): void {
    this.#sink?.onRead(message);
  }

  carrierReadComplete(): void {
    this.#sink?.onReadComplete();
  }

  /** The carrier's link is gone. */
  carrierDown(reason: LinkDownReason, error: Error | undefined): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.onClosed(this.isClosing ? "closed" : reason, error);
  }
}
