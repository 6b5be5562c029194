/**
 * Makes a server's channels.
 *
 * @module
 */

import { Channel, type ChannelOptions } from "./channel.ts";
import { systemEventLoop } from "./system_event_loop.ts";
import type { Listener } from "./transport.ts";

/** Options of a server. */
export interface ServerBootstrapOptions extends ChannelOptions {
  /**
   * Gets failures to accept a single peer; the server goes on. Default: prints
   * them with `console.error`.
   */
  readonly onAcceptError?: (error: Error) => void;
}

/**
 * Makes a channel for each link that a peer opens.
 *
 * @example An echo server
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ServerBootstrap } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * await using server = await new ServerBootstrap({
 *   transport: memory(),
 *   pipeline: (p) => p.addLast({ channelRead: (context, message) => context.writeAndFlush(message) }),
 * }).listen("memory://echo");
 * assertEquals(server.address, "memory://echo");
 * ```
 */
export class ServerBootstrap {
  readonly #options: ServerBootstrapOptions;

  /**
   * @param options What carries the channels, and their handlers.
   * @throws {TypeError} If the transport cannot accept links.
   */
  constructor(options: ServerBootstrapOptions) {
    if (options.transport.listen === undefined) {
      throw new TypeError(`Cannot make the server: the transport "${options.transport.name}" cannot accept links`);
    }
    this.#options = options;
  }

  /**
   * Starts to listen.
   *
   * @param address Where, as a URL; port 0 lets the system choose.
   * @returns The server, once it accepts links.
   * @throws {TypeError} If the address cannot be parsed.
   * @throws {Error} What the platform says if the address cannot be had.
   */
  async listen(address: string): Promise<ServerChannel> {
    const channels = new Set<Channel>();
    const listener = await this.#options.transport.listen!(address, {
      loop: this.#options.loop ?? systemEventLoop(),
      onLink: (link) => {
        const channel = new AcceptedChannel(this.#options, channels);
        channels.add(channel);
        channel.attach(link);
      },
      onError: this.#options.onAcceptError ??
        ((error) => console.error("longlink: a peer could not be accepted:", error)),
    });
    return new ServerChannel(listener, channels);
  }
}

/** A listening server and the channels it accepted. Made by {@linkcode ServerBootstrap.listen}. */
export class ServerChannel implements AsyncDisposable {
  /** The channels that are not closed. */
  readonly channels: ReadonlySet<Channel>;
  readonly #listener: Listener;
  #closed: Promise<void> | undefined = undefined;

  /**
   * @param listener The open door.
   * @param channels The channels that came through it; kept up to date by whoever made it.
   */
  constructor(listener: Listener, channels: ReadonlySet<Channel>) {
    this.#listener = listener;
    this.channels = channels;
  }

  /** Where it listens, with the real port. */
  get address(): string {
    return this.#listener.address;
  }

  /**
   * Stops accepting and closes all channels. Calling it again does nothing more.
   *
   * @returns Resolves when all that is done.
   */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  /** Closes the server: `await using server = ...`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const noMoreLinks = this.#listener.close();
    await Promise.all(Array.from(this.channels, (channel) => channel.close()));
    await noMoreLinks;
    // Links that came in while the door was closing.
    await Promise.all(Array.from(this.channels, (channel) => channel.close()));
  }
}

/** Leaves the server's set when closed; a promise per channel would cost more than the set entry. */
class AcceptedChannel extends Channel {
  readonly #channels: Set<Channel>;

  constructor(options: ChannelOptions, channels: Set<Channel>) {
    super(options);
    this.#channels = channels;
  }

  protected override onClosed(): void {
    this.#channels.delete(this);
  }
}
