/**
 * Makes a client's channels.
 *
 * @module
 */

import { checkChannelNumbers } from "./_channel_options.ts";
import { Channel, type ChannelOptions } from "./channel.ts";
import type { RemoteSource } from "./transport.ts";

/**
 * Makes channels that connect to a remote: a transport, the handlers, and
 * everything else that the channels have in common.
 *
 * @example A chat client, here on the transport that tests use
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap, ServerBootstrap } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const transport = memory();
 * await using server = await new ServerBootstrap({
 *   transport,
 *   pipeline: (p) => p.addLast({ channelRead: (context, message) => context.writeAndFlush(message) }),
 * }).listen("memory://echo");
 *
 * const echo = Promise.withResolvers<unknown>();
 * await using channel = await new Bootstrap({
 *   transport,
 *   pipeline: (p) => p.addLast({ channelRead: (_context, message) => echo.resolve(message) }),
 * }).connect("memory://echo");
 * await channel.writeAndFlush(new Uint8Array([1, 2, 3]));
 * assertEquals(await echo.promise, new Uint8Array([1, 2, 3]));
 * ```
 */
export class Bootstrap {
  readonly #options: ChannelOptions;

  /**
   * Makes a bootstrap; nothing is connected yet.
   *
   * @param options What carries the channels, and their handlers.
   * @throws {RangeError} If the water marks or the connect timeout are out of range.
   */
  constructor(options: ChannelOptions) {
    checkChannelNumbers(options);
    this.#options = options;
  }

  /**
   * Makes a channel and connects it.
   *
   * @param remote Where to: an address as a URL, one with credentials, several
   *   of which the first that answers will do, or a function that is asked anew
   *   for each try.
   * @param options `signal` gives up and closes the channel.
   * @returns The channel, once its link stands.
   * @throws {TypeError} If the address cannot be parsed, or none of several can.
   * @throws {ConnectError} If no link came about; with an `AggregateError` as
   *   its cause where several addresses were tried. With a `ReconnectHandler` in
   *   the pipeline it keeps trying instead, within that handler's limits.
   */
  async connect(remote: RemoteSource, options: { readonly signal?: AbortSignal } = {}): Promise<Channel> {
    const channel = new Channel(this.#options);
    try {
      await channel.connect(remote, options);
    } catch (error) {
      // What a handler's close throws must not hide why there is no link.
      await channel.close().catch((second) => channel.reportUnhandled(second));
      throw error;
    }
    return channel;
  }
}
