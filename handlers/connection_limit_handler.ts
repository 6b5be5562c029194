/**
 * How many links one address may have.
 *
 * @module
 */

import type { Channel, ChannelHandler, ChannelHandlerContext } from "../pipeline/mod.ts";
import { checkedCount, checkedMs } from "./_checks.ts";
import { turnAway } from "./_go_away.ts";
import { MAX_HEARTBEAT_TIME_MS } from "./heartbeat/heartbeat.ts";
import { LimitError } from "./limit_error.ts";
import { customerOf } from "./_peer_address.ts";

/**
 * Options of {@linkcode ConnectionLimitHandler}.
 *
 * @example The machine's own addresses count as well
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ConnectionLimitHandler, type ConnectionLimitOptions, EmbeddedChannel } from "@longlink/pipeline";
 *
 * const options: ConnectionLimitOptions = {
 *   maxPerAddress: 2,
 *   comeBackMs: 60_000,
 *   customerOf: (remoteAddress) => new URL(remoteAddress).hostname,
 * };
 * const connections = new ConnectionLimitHandler(options);
 * const channels = [1, 2, 3].map(() => new EmbeddedChannel({ handlers: [connections] }));
 * assertEquals(channels.map((channel) => channel.state), ["active", "active", "closed"]);
 * ```
 */
export interface ConnectionLimitOptions {
  /**
   * How many links one address may have at once, 1 or more. Many customers of
   * a mobile network, or a whole company, may have one address in common.
   * Default: 1,000.
   */
  readonly maxPerAddress?: number;
  /** When one that was refused is to come back, in ms, 0 to 13,107,100. Default: 10,000. */
  readonly comeBackMs?: number;
  /**
   * Says whose a link is: links with the same answer count together, those
   * without one (undefined) do not count. Default: by the IPv4 address, or the
   * first 64 bits of the IPv6 address; the machine's own addresses do not
   * count, since behind a proxy there are all clients, nor does what is no IP
   * address.
   *
   * @param remoteAddress The link's other end, as a URL.
   */
  readonly customerOf?: (remoteAddress: string) => string | undefined;
}

/**
 * Refuses a link when its address has too many already: the peer is told
 * `tooManyConnections` and when to come back, and no handler nearer to the
 * tail hears of it. From twice as many on, links are reset without a word, as
 * words cost as well.
 *
 * One instance serves all channels of a server, or of several: they count
 * together. It has its place after the `HeartbeatEncoder`, which makes bytes
 * of the last word, and before the `HeartbeatResponder`.
 *
 * A client's scout counts until it has shown its ticket. From then on the
 * `maxScouts` of its main link limits it, and this one does not: a hundred
 * clients that learn would else take the places of two hundred.
 *
 * @example One for all channels
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ConnectionLimitHandler, ServerBootstrap } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const connections = new ConnectionLimitHandler({ maxPerAddress: 20 });
 * const server = new ServerBootstrap({ transport: memory(), pipeline: (p) => p.addLast(connections) });
 * await (await server.listen("memory://chat")).close();
 * assertEquals(connections.count("tcp://192.0.2.1:40000"), 0);
 * ```
 */
export class ConnectionLimitHandler implements ChannelHandler {
  /** It counts the links of all channels that it is given. */
  readonly isSharable = true;
  /** How many links were refused. */
  refused = 0;
  readonly #maxPerAddress: number;
  readonly #comeBackMs: number;
  readonly #customerOf: (remoteAddress: string) => string | undefined;
  /** How many links each customer has. */
  readonly #counts = new Map<string, number>();
  /** Whose the link of a channel is. */
  readonly #customers = new Map<Channel, string>();
  /** Channels whose link nobody was told of, until it is gone. */
  readonly #turnedAway = new Set<Channel>();

  /**
   * Makes a handler that has counted nothing.
   *
   * @param options The limit.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(options: ConnectionLimitOptions = {}) {
    const action = "make the handler";
    this.#maxPerAddress = checkedCount(action, "maxPerAddress", options.maxPerAddress ?? 1_000, 1, Infinity);
    this.#comeBackMs = checkedMs(
      action,
      "comeBackMs",
      options.comeBackMs ?? 10_000,
      0,
      MAX_HEARTBEAT_TIME_MS,
    );
    this.#customerOf = options.customerOf ?? customerOf;
  }

  /** How many links count now. */
  get size(): number {
    return this.#customers.size;
  }

  /**
   * How many links an address has.
   *
   * @param remoteAddress The address, as a URL.
   * @returns How many count; 0 where they do not count.
   */
  count(remoteAddress: string): number {
    const customer = this.#customerOf(remoteAddress);
    return customer === undefined ? 0 : this.#counts.get(customer) ?? 0;
  }

  /**
   * Counts a channel's link no more: another limit holds for it.
   *
   * @param channel The channel.
   */
  release(channel: Channel): void {
    const customer = this.#customers.get(channel);
    if (customer === undefined) return;
    this.#customers.delete(channel);
    const left = this.#counts.get(customer)! - 1;
    if (left === 0) this.#counts.delete(customer);
    else this.#counts.set(customer, left);
  }

  /** Counts the link, and refuses it if there are too many. */
  channelActive(context: ChannelHandlerContext): void {
    const { channel } = context;
    const customer = this.#customerOf(channel.remoteAddress);
    if (customer === undefined) return context.fireChannelActive();
    const count = (this.#counts.get(customer) ?? 0) + 1;
    this.#counts.set(customer, count);
    this.#customers.set(channel, customer);
    if (count <= this.#maxPerAddress) return context.fireChannelActive();
    this.refused++;
    this.#turnedAway.add(channel);
    if (count > 2 * this.#maxPerAddress) {
      channel.drop("closed");
      context.close().onSettled(ignore);
      return;
    }
    context.fireExceptionCaught(new LimitError("maxPerAddress", count, this.#maxPerAddress));
    turnAway(context, "tooManyConnections", this.#comeBackMs);
  }

  /** Counts the link no more. */
  channelInactive(context: ChannelHandlerContext): void {
    this.release(context.channel);
    if (!this.#turnedAway.delete(context.channel)) context.fireChannelInactive();
  }

  /** Passes on nothing about a link that was refused. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    if (!this.#turnedAway.has(context.channel)) context.fireUserEventTriggered(event);
  }

  /** Counts the link no more. */
  handlerRemoved(context: ChannelHandlerContext): void {
    this.release(context.channel);
    this.#turnedAway.delete(context.channel);
  }
}

function ignore(): void {}
