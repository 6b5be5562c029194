/**
 * A channel without a socket, for tests.
 *
 * @module
 */

import { ActiveLink } from "./_active_link.ts";
import { Channel, type ChannelOptions } from "./channel.ts";
import type { ChannelHandler } from "./channel_handler.ts";
import type { ChannelPipeline } from "./channel_pipeline.ts";
import type { EventLoop } from "./event_loop.ts";
import type { LinkDownReason } from "./link_event.ts";
import type { Link, LinkSink, Remote, Transport, WireMessage } from "./transport.ts";
import { VirtualEventLoop } from "./virtual_event_loop.ts";

/**
 * Options of an embedded channel.
 *
 * @example A try that is refused
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { EmbeddedChannel, type EmbeddedChannelOptions } from "@longlink/pipeline";
 *
 * const options: EmbeddedChannelOptions = {
 *   active: false,
 *   onConnect: ({ address }) => {
 *     throw new Error(`nobody at ${address}`);
 *   },
 * };
 * const channel = new EmbeddedChannel(options);
 * await assertRejects(async () => await channel.connect("embedded://peer"), Error, "nobody at embedded://peer");
 * ```
 */
export interface EmbeddedChannelOptions
  extends Omit<ChannelOptions, "transport" | "pipeline" | "loop" | "onUnhandled"> {
  /** The handlers, from head to tail. Default: none. */
  readonly handlers?: readonly ChannelHandler[];
  /** Its loop. Default: a virtual one of its own. */
  readonly loop?: EventLoop;
  /** Whether it starts with a link. Default: true. */
  readonly active?: boolean;
  /** Whether the wire keeps messages, as a WebSocket does. Default: false, as TCP. */
  readonly keepsMessages?: boolean;
  /**
   * Decides each later try to connect: throw (or reject) to refuse it. Default:
   * every try succeeds at once.
   */
  readonly onConnect?: (remote: Remote, signal: AbortSignal) => void | Promise<void>;
}

/** Puts messages into a channel's outbound queue. Assigned by the class, which alone reaches it. */
let sent: (channel: EmbeddedChannel, messages: unknown[]) => void;

/**
 * Runs a pipeline with no socket and on virtual time: put messages in at one
 * end, take out what comes at the other, move the clock, drop the link and
 * bring it back. Like Netty's EmbeddedChannel, but time is stepped from one
 * deadline to the next and never jumps past one.
 *
 * @example Testing a handler that answers late
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type ChannelHandler, EmbeddedChannel } from "@longlink/pipeline";
 *
 * const slowEcho: ChannelHandler = {
 *   channelRead: (context, message) => void context.loop.schedule(1_000, () => context.writeAndFlush(message)),
 * };
 * const channel = new EmbeddedChannel({ handlers: [slowEcho] });
 * channel.writeInbound("hello");
 * channel.advanceBy(999);
 * assertEquals(channel.readOutbound(), undefined);
 * channel.advanceBy(1);
 * assertEquals(channel.readOutbound(), "hello");
 * ```
 */
export class EmbeddedChannel extends Channel {
  // Made when first used: a hundred thousand idle channels need no empty arrays.
  #inbound: unknown[] | undefined = undefined;
  #outbound: unknown[] | undefined = undefined;
  #errors: unknown[] | undefined = undefined;

  /**
   * Makes a channel, with a link unless `active` is false.
   *
   * @param options Its handlers, and more.
   * @throws {RangeError} If the water marks or the connect timeout are out of range.
   */
  constructor(options: EmbeddedChannelOptions = {}) {
    const { handlers = [], loop = new VirtualEventLoop(), active = true } = options;
    super({ ...options, loop, transport: embeddedTransport(options), pipeline: undefined });
    // After super(): a handler that fires events when added needs the fields below.
    this.pipeline.addLast(...handlers);
    // A handler may have closed or connected it when it was added.
    if (active && this.state === "idle") this.reopen();
  }

  /**
   * Lets messages come in at the head, then `channelReadComplete`. Without a
   * link nothing comes in, as in a real channel.
   *
   * @param messages What the transport would deliver.
   * @returns Whether something came through to the tail.
   * @throws The first error that no handler handled.
   */
  writeInbound(...messages: unknown[]): boolean {
    for (const message of messages) {
      if (this.isActive) this.pipeline.fireChannelRead(message);
    }
    if (this.isActive) this.pipeline.fireChannelReadComplete();
    this.checkException();
    return this.#inbound !== undefined && this.#inbound.length > 0;
  }

  /**
   * Takes out one message that came through to the tail.
   *
   * @returns The oldest one, or undefined.
   */
  readInbound(): unknown {
    return this.#inbound?.shift();
  }

  /**
   * Writes messages at the tail and flushes.
   *
   * @param messages What the application would write.
   * @returns Whether something came out at the head.
   * @throws The error of the first write that failed.
   */
  writeOutbound(...messages: unknown[]): boolean {
    const promises = messages.map((message) => this.write(message));
    this.flush();
    const failed = promises.filter((promise) => promise.error !== undefined);
    for (const promise of failed) promise.onSettled(() => {}); // thrown here, and so not reported as well
    if (failed.length > 0) throw failed[0]!.error;
    this.checkException();
    return this.#outbound !== undefined && this.#outbound.length > 0;
  }

  /**
   * Takes out one message that came out at the head and was flushed.
   *
   * @returns The oldest one, or undefined.
   */
  readOutbound(): unknown {
    return this.#outbound?.shift();
  }

  /**
   * Takes out everything that came out at the head.
   *
   * @returns The messages, oldest first.
   */
  drainOutbound(): unknown[] {
    const messages = this.#outbound ?? [];
    this.#outbound = undefined;
    return messages;
  }

  /**
   * Takes out everything that came through to the tail.
   *
   * @returns The messages, oldest first.
   */
  drainInbound(): unknown[] {
    const messages = this.#inbound ?? [];
    this.#inbound = undefined;
    return messages;
  }

  /**
   * Moves the clock on, running each timer at its time. Only for a virtual
   * loop.
   *
   * @param ms How far, in ms, 0 or more.
   * @throws {TypeError} If the loop is not virtual.
   * @throws The first error that no handler handled.
   */
  advanceBy(ms: number): void {
    this.#virtualLoop().advanceBy(ms);
    this.checkException();
  }

  /**
   * Like {@linkcode advanceBy}, and lets what waits behind `await` run at each
   * step.
   *
   * @param ms How far, in ms, 0 or more.
   */
  async advanceByAsync(ms: number): Promise<void> {
    await this.#virtualLoop().advanceByAsync(ms);
    this.checkException();
  }

  /**
   * Loses the link as if the network had done it. Does nothing without a link.
   *
   * @param reason Why. Default: `reset`.
   */
  loseLink(reason: LinkDownReason = "reset"): void {
    this.drop(reason);
  }

  /**
   * Opens a new link, as if one had come about.
   *
   * @throws {TypeError} If the channel has a link, or one on its way.
   * @throws {ChannelClosedError} If the channel was closed, as it is by itself with its link while `autoClose` is on.
   */
  reopen(): void {
    this.attach(new EmbeddedLink());
  }

  /**
   * Throws an error that no handler handled, if there is one.
   *
   * @throws That error; later calls throw the next one.
   */
  checkException(): void {
    if (this.#errors !== undefined && this.#errors.length > 0) throw this.#errors.shift();
  }

  /** An embedded channel's second channel is embedded too, and gets a link whenever it asks for one. */
  override sibling(pipeline: (pipeline: ChannelPipeline) => void): EmbeddedChannel {
    const sibling = new EmbeddedChannel({
      loop: this.loop,
      active: false,
      keepsMessages: this.keepsMessages,
    });
    pipeline(sibling.pipeline);
    return sibling;
  }

  /** Collects the error for {@linkcode checkException}. */
  override reportUnhandled(error: unknown): void {
    (this.#errors ??= []).push(error);
  }

  /** Collects the message for {@linkcode readInbound}. */
  protected override onUnhandledMessage(message: unknown): void {
    (this.#inbound ??= []).push(message);
  }

  /** Anything may come out at the head of an embedded channel. */
  protected override sizeOf(message: unknown): number {
    return message instanceof Uint8Array || typeof message === "string" ? super.sizeOf(message) : 1;
  }

  #virtualLoop(): VirtualEventLoop {
    if (this.loop instanceof VirtualEventLoop) return this.loop;
    throw new TypeError("Cannot advance the time: the channel's loop is not a virtual one");
  }

  static {
    sent = (channel, messages) => {
      if (channel.#outbound === undefined || channel.#outbound.length === 0) channel.#outbound = messages;
      else channel.#outbound.push(...messages);
    };
  }
}

/** The wire: hands flushed messages to the channel's outbound queue. */
class EmbeddedLink implements Link {
  #sink: ActiveLink | undefined = undefined;
  #unflushed: unknown[] | undefined = undefined;

  get localAddress(): string {
    return "";
  }

  get remoteAddress(): string {
    return "embedded://peer";
  }

  open(sink: LinkSink): void {
    this.#sink = sink instanceof ActiveLink ? sink : undefined;
  }

  read(): void {}

  write(message: WireMessage): void {
    // A literal holds one; an array that is pushed to makes room for seventeen.
    if (this.#unflushed === undefined) this.#unflushed = [message];
    else this.#unflushed.push(message);
  }

  flush(): void {
    const messages = this.#unflushed;
    if (messages === undefined) return;
    this.#unflushed = undefined;
    const sink = this.#sink;
    if (sink === undefined) return;
    sent(sink.channel as EmbeddedChannel, messages);
    sink.onFlushed(sink.channel.pendingBytes);
  }

  close(): void {
    this.abort();
  }

  abort(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.onClosed("closed");
  }
}

function embeddedTransport({ onConnect, keepsMessages = false }: EmbeddedChannelOptions): Transport {
  if (onConnect === undefined) return keepsMessages ? MESSAGES : BYTES;
  return {
    name: "embedded",
    keepsMessages,
    connect(remote, { signal }) {
      const decided = onConnect(remote, signal);
      return decided === undefined ? new EmbeddedLink() : decided.then(() => new EmbeddedLink());
    },
  };
}

const BYTES: Transport = { name: "embedded", keepsMessages: false, connect: () => new EmbeddedLink() };
const MESSAGES: Transport = { name: "embedded", keepsMessages: true, connect: () => new EmbeddedLink() };
