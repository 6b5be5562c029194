/**
 * Counts bytes.
 *
 * @module
 */

import type { Channel, ChannelHandler, ChannelHandlerContext } from "../pipeline/mod.ts";

/** Which end of its links a channel is. */
export type Role = "client" | "server";

/** Bytes, by which end of its links a channel is. */
export type BytesByRole = Readonly<Record<Role, number>>;

/** What is used of a channel to tell which end of its links it is. */
export function roleOf(channel: Channel): Role {
  return channel.parent === undefined ? "client" : "server";
}

const UTF8 = new TextEncoder();

/**
 * Counts the bytes of all channels that it is in; first in their pipelines,
 * where messages are bytes. On a server only those of the link that a channel
 * was made for: a session's channel goes on with links that other channels
 * carry, and those count them.
 */
export class WireMeter implements ChannelHandler {
  readonly isSharable = true;
  /** How much each channel had sent before it counted. */
  readonly #sentBefore = new Map<Channel, number>();
  readonly #received = { client: 0, server: 0 };
  /** By channels that do not count any more. */
  readonly #sent = { client: 0, server: 0 };

  /** What came in. */
  get receivedBytes(): BytesByRole {
    return this.#received;
  }

  /** What left for the operating system. */
  get sentBytes(): BytesByRole {
    const sent = { ...this.#sent };
    for (const [channel, before] of this.#sentBefore) sent[roleOf(channel)] += channel.flushedBytes - before;
    return sent;
  }

  handlerAdded({ channel }: ChannelHandlerContext): void {
    this.#sentBefore.set(channel, channel.flushedBytes);
  }

  handlerRemoved({ channel }: ChannelHandlerContext): void {
    this.#end(channel);
  }

  channelInactive(context: ChannelHandlerContext): void {
    if (roleOf(context.channel) === "server") this.#end(context.channel);
    context.fireChannelInactive();
  }

  channelRead(context: ChannelHandlerContext, message: unknown): void {
    if (this.#sentBefore.has(context.channel)) this.#received[roleOf(context.channel)] += sizeOf(message);
    context.fireChannelRead(message);
  }

  #end(channel: Channel): void {
    const before = this.#sentBefore.get(channel);
    if (before === undefined) return;
    this.#sentBefore.delete(channel);
    this.#sent[roleOf(channel)] += channel.flushedBytes - before;
  }
}

function sizeOf(message: unknown): number {
  if (typeof message === "string") return UTF8.encode(message).length;
  return message instanceof Uint8Array ? message.length : 0;
}
