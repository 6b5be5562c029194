/**
 * A channel's link while it stands.
 *
 * @module
 */

import type { Channel } from "./channel.ts";
import type { HalfCloseEvent, LinkDownReason } from "./link_event.ts";
import type { Link, LinkSink, WireMessage } from "./transport.ts";

/** What a link's sink needs of its channel and only the channel can give. */
export interface ChannelAccess {
  isCurrent(channel: Channel, link: ActiveLink): boolean;
  /** So many more bytes left; returns whether `isWritable` changed. */
  flushed(channel: Channel, bytes: number): boolean;
  lost(channel: Channel, link: ActiveLink, reason: LinkDownReason, error: Error | undefined): void;
}

/**
 * The channel states `active` and `closing`. Each link has its own sink, which
 * is how late events of an earlier link are recognised: its sink is no longer
 * the channel's state.
 */
export class ActiveLink implements LinkSink {
  kind: "active" | "closing" = "active";

  constructor(readonly channel: Channel, readonly link: Link, readonly access: ChannelAccess) {}

  onRead(message: WireMessage): void {
    if (this.#isOpen()) this.channel.pipeline.fireChannelRead(message);
  }

  onReadComplete(): void {
    if (!this.#isOpen()) return;
    this.channel.pipeline.fireChannelReadComplete();
    if (this.#isOpen() && this.channel.autoRead) this.channel.pipeline.read();
  }

  onFlushed(bytes: number): void {
    if (!this.access.isCurrent(this.channel, this)) return;
    const changed = this.access.flushed(this.channel, bytes);
    if (changed && this.#isOpen()) this.channel.pipeline.fireChannelWritabilityChanged();
  }

  onInputEnded(): boolean {
    let isKept = false;
    const event: HalfCloseEvent = { type: "halfClose", ended: "input", keep: () => (isKept = true) };
    if (this.#isOpen()) this.channel.pipeline.fireUserEventTriggered(event);
    return isKept;
  }

  onClosed(reason: LinkDownReason, error?: Error): void {
    if (this.access.isCurrent(this.channel, this)) this.access.lost(this.channel, this, reason, error);
  }

  #isOpen(): boolean {
    return this.kind === "active" && this.access.isCurrent(this.channel, this);
  }
}
