/**
 * Makes a server's channels.
 *
 * @module
 */

import { checkChannelNumbers } from "./_channel_options.ts";
import { refuse } from "./_connect_attempt.ts";
import { Channel, type ChannelOptions } from "./channel.ts";
import { systemEventLoop } from "./system_event_loop.ts";
import type { Link, Listener } from "./transport.ts";

/** Options of a server. */
export interface ServerBootstrapOptions extends ChannelOptions {
  /**
   * Gets failures to accept a single peer, such as that its handlers could not
   * be added; the server goes on. Default: prints them with `console.error`.
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
   * Makes a bootstrap; nothing listens yet.
   *
   * @param options What carries the channels, and their handlers.
   * @throws {TypeError} If the transport cannot accept links.
   * @throws {RangeError} If the water marks or the connect timeout are out of range.
   */
  constructor(options: ServerBootstrapOptions) {
    checkChannelNumbers(options);
    if (options.transport.listen === undefined) {
      throw new TypeError(
        `Cannot make the server: the transport "${options.transport.name}" cannot accept links`,
      );
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
    const accepted: Accepted = { channels: new Set(), withdrawn: new Set() };
    let isOpen = true;
    const listener = await this.#options.transport.listen!(address, {
      loop: this.#options.loop ?? systemEventLoop(),
      // One that was on its way when the door closed would have nobody to close it.
      onLink: (link) => isOpen ? this.#accept(link, accepted) : refuse(link),
      onError: (error) => this.#onAcceptError(error),
    });
    const close = async () => {
      isOpen = false;
      const withdrawn = Array.from(accepted.withdrawn, (channel) => channel.close());
      await Promise.all([listener.close(), ...withdrawn]);
    };
    return new ServerChannel({ address: listener.address, close }, accepted.channels);
  }

  #accept(link: Link, accepted: Accepted): void {
    const channel = new AcceptedChannel(this.#options, accepted);
    try {
      this.#options.pipeline?.(channel.pipeline, channel);
    } catch (cause) {
      // Into the transport with it, and one peer would end the server.
      refuse(link);
      channel.close();
      this.#onAcceptError(new Error("Cannot accept a peer: its handlers could not be added", { cause }));
      return;
    }
    // A handler may have closed it when it was added: a server that is full, a peer that is not wanted.
    if (channel.state === "closed") refuse(link);
    else channel.attach(link);
  }

  #onAcceptError(error: Error): void {
    if (this.#options.onAcceptError) this.#options.onAcceptError(error);
    else console.error("longlink: a peer could not be accepted:", error);
  }
}

/** A listening server and the channels it accepted. Made by {@linkcode ServerBootstrap.listen}. */
export class ServerChannel implements AsyncDisposable {
  /** The channels that are not closed, without those that are not the application's (see {@linkcode Channel.withdraw}). */
  readonly channels: ReadonlySet<Channel>;
  readonly #listener: Listener;
  #closed: Promise<void> | undefined = undefined;

  /**
   * Made by its bootstrap.
   *
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
    await Promise.all([noMoreLinks, ...Array.from(this.channels, (channel) => channel.close())]);
  }
}

/** The open channels of one server: the application's, and those that were withdrawn from it. */
interface Accepted {
  readonly channels: Set<Channel>;
  readonly withdrawn: Set<Channel>;
}

/** Leaves the server's set when closed; a promise per channel would cost more than the set entry. */
class AcceptedChannel extends Channel {
  readonly #accepted: Accepted;

  constructor(options: ChannelOptions, accepted: Accepted) {
    // The handlers come later: one of them may close the channel, and that needs the field below.
    super({ ...options, pipeline: undefined });
    this.#accepted = accepted;
    accepted.channels.add(this);
  }

  /** The sets stand for the server: they are what all its channels share from the first on. */
  override get parent(): object {
    return this.#accepted;
  }

  override withdraw(): void {
    if (this.#accepted.channels.delete(this)) this.#accepted.withdrawn.add(this);
  }

  protected override onClosed(): void {
    this.#accepted.channels.delete(this);
    this.#accepted.withdrawn.delete(this);
  }
}
