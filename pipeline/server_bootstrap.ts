/**
 * Makes a server's channels.
 *
 * @module
 */

import { checkChannelNumbers } from "./_channel_options.ts";
import { refuse } from "./_connect_attempt.ts";
import { Draining, type DrainLimits } from "./_draining.ts";
import { Channel, type ChannelOptions } from "./channel.ts";
import type { EventLoop } from "./event_loop.ts";
import { systemEventLoop } from "./system_event_loop.ts";
import type { Link, Listener } from "./transport.ts";

/**
 * Options of a server.
 *
 * @example Counting peers that could not be served
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap, ServerBootstrap, type ServerBootstrapOptions } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const transport = memory();
 * const refused = Promise.withResolvers<Error>();
 * const options: ServerBootstrapOptions = {
 *   transport,
 *   pipeline: () => {
 *     throw new Error("no handlers today");
 *   },
 *   onAcceptError: refused.resolve,
 * };
 * await using _server = await new ServerBootstrap(options).listen("memory://broken");
 * await new Bootstrap({ transport }).connect("memory://broken");
 * assertEquals((await refused.promise).cause, new Error("no handlers today"));
 * ```
 */
export interface ServerBootstrapOptions extends ChannelOptions {
  /**
   * Gets failures to accept a single peer, such as that its handlers could not
   * be added; the server goes on. Default: prints them with `console.error`.
   */
  readonly onAcceptError?: (error: Error) => void;
}

/**
 * How a server sends its clients away before it closes.
 *
 * @example Clients that come back within half a minute
 * ```ts
 * import { assertEquals, assertLessOrEqual } from "@std/assert";
 * import { Bootstrap, type DrainEvent, type DrainOptions, ServerBootstrap } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const drain: DrainOptions = { windowMs: 30_000, deadlineMs: 5_000 };
 * const told = Promise.withResolvers<number>();
 * const accepted = Promise.withResolvers<void>();
 * const transport = memory();
 * const server = await new ServerBootstrap({
 *   transport,
 *   pipeline: (p) =>
 *     p.addLast({
 *       channelActive: () => accepted.resolve(),
 *       userEventTriggered(_context, event) {
 *         if ((event as DrainEvent).type === "drain") told.resolve((event as DrainEvent).comeBackMs);
 *       },
 *     }),
 * }).listen("memory://drain");
 * await new Bootstrap({ transport }).connect("memory://drain");
 * await accepted.promise;
 * await server.close({ drain });
 * assertLessOrEqual(await told.promise, 30_000);
 * assertEquals(server.channels.size, 0);
 * ```
 */
export interface DrainOptions {
  /**
   * Within which time the clients are to come back, in ms, 0 to 3,600,000:
   * each is told a random time within it, so that the next server does not get
   * all of them at once. Default: 5,000.
   */
  readonly windowMs?: number;
  /**
   * How long all of it may take, in ms, above 0, at most 3,600,000. The last
   * 2 s of it (half of it, if it is less than 4 s) are kept for links to end in
   * an orderly way; whoever has not read what was written for it by then is
   * cut off. Default: 10,000.
   */
  readonly deadlineMs?: number;
}

/**
 * How {@linkcode ServerChannel.close} closes.
 *
 * @example At once, or in order
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { type CloseOptions, ServerBootstrap } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const server = await new ServerBootstrap({ transport: memory() }).listen("memory://close");
 * const wrong: CloseOptions = { drain: { windowMs: -1 } };
 * assertThrows(() => server.close(wrong), RangeError, "windowMs must be from 0 to 3600000"); // nothing is closed
 * await server.close({ drain: { windowMs: 0 } });
 * ```
 */
export interface CloseOptions {
  /** Sends the clients away first and lets what was written for them leave. Default: closes at once. */
  readonly drain?: DrainOptions;
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
    const { loop = systemEventLoop() } = this.#options;
    let isOpen = true;
    const listener = await this.#options.transport.listen!(address, {
      loop,
      // One that was on its way when the door closed would have nobody to close it.
      onLink: (link) => isOpen ? this.#accept(link, accepted) : refuse(link),
      onError: (error) => this.#onAcceptError(error),
    });
    const close = () => {
      isOpen = false;
      return listener.close();
    };
    return new ServerChannel({ address: listener.address, close }, accepted, loop);
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

/**
 * A listening server and the channels it accepted. Made by {@linkcode ServerBootstrap.listen}.
 *
 * @example A message to all
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap, ServerBootstrap, type ServerChannel } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const transport = memory({ keepsMessages: true });
 * const accepted = Promise.withResolvers<void>();
 * await using server: ServerChannel = await new ServerBootstrap({
 *   transport,
 *   pipeline: (p) => p.addLast({ channelActive: () => accepted.resolve() }),
 * }).listen("memory://news");
 * const heard = Promise.withResolvers<unknown>();
 * await new Bootstrap({
 *   transport,
 *   pipeline: (p) => p.addLast({ channelRead: (_context, message) => heard.resolve(message) }),
 * }).connect(server.address);
 * await accepted.promise;
 * for (const channel of server.channels) channel.writeAndFlush("hello, all");
 * assertEquals(await heard.promise, "hello, all");
 * ```
 */
export class ServerChannel implements AsyncDisposable {
  /** The channels that are not closed, without those that are not the application's (see {@linkcode Channel.withdraw}). */
  readonly channels: ReadonlySet<Channel>;
  readonly #withdrawn: ReadonlySet<Channel>;
  readonly #listener: Listener;
  readonly #loop: EventLoop;
  #draining: Draining | undefined = undefined;
  #closed: Promise<void> | undefined = undefined;

  /**
   * Made by its bootstrap.
   *
   * @param listener The open door.
   * @param accepted The channels that came through it; kept up to date by whoever made it.
   * @param loop Clock, timers and randomness.
   */
  constructor(listener: Listener, accepted: AcceptedChannels, loop: EventLoop) {
    this.#listener = listener;
    this.channels = accepted.channels;
    this.#withdrawn = accepted.withdrawn;
    this.#loop = loop;
  }

  /** Where it listens, with the real port. */
  get address(): string {
    return this.#listener.address;
  }

  /**
   * Stops accepting and closes all channels: at once, or with `drain` in an
   * order that loses nothing. Then each pipeline gets a `DrainEvent`, upon
   * which a `HeartbeatResponder` tells the client to go and when to come back,
   * and each channel is closed once all that was written has left and all
   * promises given to the event's `waitUntil` are settled.
   *
   * Calling it again does nothing more, except that without `drain` it ends a
   * drain that is under way: what is left is closed at once.
   *
   * @param options How. Default: at once.
   * @returns Resolves when all that is done.
   * @throws {RangeError} At once, if a time is out of range; nothing is closed then.
   *
   * @example A server that sends its clients away
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { answerKeepAlive, ServerBootstrap } from "@longlink/pipeline";
   * import { memory } from "@longlink/pipeline/transports/memory";
   *
   * const bootstrap = new ServerBootstrap({
   *   transport: memory(),
   *   pipeline: (p) => p.addLast(...answerKeepAlive()),
   * });
   * const server = await bootstrap.listen("memory://chat");
   * await server.close({ drain: { windowMs: 20_000, deadlineMs: 8_000 } });
   * assertEquals(server.channels.size, 0);
   * ```
   */
  close(options: CloseOptions = {}): Promise<void> {
    const limits = options.drain === undefined ? undefined : limitsOf(options.drain);
    if (this.#closed === undefined) this.#closed = this.#close(limits);
    else if (limits === undefined) this.#draining?.cut();
    return this.#closed;
  }

  /** Closes the server: `await using server = ...`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(limits: DrainLimits | undefined): Promise<void> {
    const noMoreLinks = this.#listener.close();
    if (limits !== undefined) {
      this.#draining = new Draining(this.channels, this.#withdrawn, this.#loop, limits);
      await Promise.all([noMoreLinks, this.#draining.done]);
      return;
    }
    const channels = [...this.channels, ...this.#withdrawn];
    await Promise.all([noMoreLinks, ...channels.map((channel) => channel.close())]);
  }
}

/**
 * The open channels of one server.
 *
 * @example A server around channels of one's own
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type AcceptedChannels, EmbeddedChannel, ServerChannel, VirtualEventLoop } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel();
 * const accepted: AcceptedChannels = { channels: new Set([channel]), withdrawn: new Set() };
 * const listener = { address: "embedded://door", close: () => Promise.resolve() };
 * await new ServerChannel(listener, accepted, new VirtualEventLoop()).close();
 * assertEquals(channel.state, "closed");
 * ```
 */
export interface AcceptedChannels {
  /** The application's. */
  readonly channels: ReadonlySet<Channel>;
  /** Those that were withdrawn from it. */
  readonly withdrawn: ReadonlySet<Channel>;
}

const LONGEST_MS = 3_600_000;

function limitsOf({ windowMs = 5_000, deadlineMs = 10_000 }: DrainOptions): DrainLimits {
  if (!(windowMs >= 0 && windowMs <= LONGEST_MS)) {
    throw new RangeError(
      `Cannot close the server: windowMs must be from 0 to ${LONGEST_MS} ms, got ${windowMs}`,
    );
  }
  if (!(deadlineMs > 0 && deadlineMs <= LONGEST_MS)) {
    throw new RangeError(
      `Cannot close the server: deadlineMs must be above 0 and at most ${LONGEST_MS} ms, got ${deadlineMs}`,
    );
  }
  return { windowMs, deadlineMs };
}

/** The same for those who add to it and take away. */
interface Accepted extends AcceptedChannels {
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

  override present(): void {
    if (this.#accepted.withdrawn.delete(this)) this.#accepted.channels.add(this);
  }

  protected override onClosed(): void {
    this.#accepted.channels.delete(this);
    this.#accepted.withdrawn.delete(this);
  }
}
