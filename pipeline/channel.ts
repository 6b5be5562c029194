/**
 * A logical long link to one remote.
 *
 * @module
 */

import { ActiveLink, type ChannelAccess } from "./_active_link.ts";
import { checkChannelNumbers, DEFAULT_CONNECT_TIMEOUT_MS, DEFAULT_MARKS } from "./_channel_options.ts";
import { ConnectAttempt, refuse } from "./_connect_attempt.ts";
import { OutboundBuffer, type WaterMarks } from "./_outbound_buffer.ts";
import type { ChannelHandler } from "./channel_handler.ts";
import { ChannelPipeline } from "./channel_pipeline.ts";
import { ChannelPromise, type UnhandledFailureSink } from "./channel_promise.ts";
import { ChannelClosedError, LinkDownError } from "./errors.ts";
import type { EventLoop } from "./event_loop.ts";
import type { LinkDownEvent, LinkDownReason, LinkUpEvent } from "./link_event.ts";
import { systemEventLoop } from "./system_event_loop.ts";
import type { Link, Remote, RemoteSource, Transport, WireMessage } from "./transport.ts";

export type { WaterMarks } from "./_outbound_buffer.ts";

/**
 * Something reached the tail of a pipeline and nobody had handled it.
 *
 * @example What nobody took
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Channel, type UnhandledReport } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const reports: UnhandledReport[] = [];
 * const channel = new Channel({ transport: memory(), onUnhandled: (report) => reports.push(report) });
 * channel.pipeline.fireChannelRead("hello");
 * channel.pipeline.fireExceptionCaught(new Error("no"));
 * assertEquals(reports.map(({ kind }) => kind), ["message", "error"]);
 * await channel.close();
 * ```
 */
export type UnhandledReport =
  | { readonly kind: "error"; readonly error: unknown; readonly channel: Channel }
  | { readonly kind: "message"; readonly message: unknown; readonly channel: Channel };

/**
 * Options of a channel.
 *
 * @example A channel that is impatient
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { Channel, type ChannelOptions } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const options: ChannelOptions = {
 *   transport: memory(),
 *   connectTimeoutMs: 2_000,
 *   pipeline: (pipeline) => pipeline.addLast("log", {}),
 * };
 * assertEquals(new Channel(options).pipeline.names(), ["log"]);
 * assertThrows(() => new Channel({ ...options, connectTimeoutMs: 0 }), RangeError);
 * ```
 */
export interface ChannelOptions {
  /** What carries the link. */
  readonly transport: Transport;
  /** Adds the handlers, called once when the channel is made. */
  readonly pipeline?: (pipeline: ChannelPipeline, channel: Channel) => void;
  /** Clock, timers and randomness. Default: one loop that all channels share. */
  readonly loop?: EventLoop;
  /** How long one try to connect may take, in ms, above 0 and finite. Default: 10,000. */
  readonly connectTimeoutMs?: number;
  /** Whether data is read as it comes; otherwise only on `read()`. Default: true. */
  readonly autoRead?: boolean;
  /** When the channel counts as unwritable. Default: 64 KiB, and 32 KiB to recover. */
  readonly waterMarks?: WaterMarks;
  /**
   * Gets errors that no handler handled, and the first message of a channel
   * that no handler took. Default: prints them with `console.error`. What it
   * throws becomes an uncaught error of the runtime.
   */
  readonly onUnhandled?: (report: UnhandledReport) => void;
}

/**
 * What a channel is doing.
 *
 * - `idle`: no link, and none on its way; may be connected (again).
 * - `connecting`: a link is on its way.
 * - `active`: a link stands.
 * - `closing`: closed by this side; what was flushed is still going out.
 * - `closed`: for good.
 *
 * @example From link to link
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type ChannelState, EmbeddedChannel } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel();
 * channel.autoClose = false;
 * const states: ChannelState[] = [channel.state];
 * channel.loseLink();
 * states.push(channel.state);
 * await channel.close();
 * states.push(channel.state);
 * assertEquals(states, ["active", "idle", "closed"]);
 * ```
 */
export type ChannelState = "idle" | "connecting" | "active" | "closing" | "closed";

type State =
  | { readonly kind: "idle" }
  | ConnectAttempt
  | ActiveLink
  | { readonly kind: "closed" };

const IDLE: State = { kind: "idle" };
const CLOSED: State = { kind: "closed" };
const utf8 = new TextEncoder();

// The two ends of every pipeline, and what a link's sink may touch of its
// channel. Assigned by the class below, which alone reaches its private parts.
let HEAD: ChannelHandler;
let TAIL: ChannelHandler;
let ACCESS: ChannelAccess;

/**
 * A logical long link to one remote. Its link may be lost and opened again
 * (`ReconnectHandler` does that) while the channel, its pipeline and what the
 * handlers have learned stay. `channelActive` and `channelInactive` come once
 * per link; {@linkcode closed} settles once, at the end.
 *
 * Made by `Bootstrap` or `ServerBootstrap`. Closes by itself with its link
 * unless {@linkcode autoClose} is off.
 *
 * @example A channel closes itself at the end of a block
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel();
 * {
 *   await using link = channel;
 *   await link.writeAndFlush("hello");
 * }
 * assertEquals(channel.state, "closed");
 * ```
 */
export class Channel implements UnhandledFailureSink, AsyncDisposable {
  /** The handlers. */
  readonly pipeline: ChannelPipeline;
  /** Clock, timers and randomness. */
  readonly loop: EventLoop;
  /**
   * Whether losing the link closes the channel. Default: true, as there would
   * be nobody to reconnect it; a handler that reconnects turns it off.
   */
  autoClose = true;

  readonly #transport: Transport;
  readonly #connectTimeoutMs: number;
  readonly #onUnhandled: ChannelOptions["onUnhandled"];
  readonly #waterMarks: WaterMarks;
  /** There while something is on its way out: most links are silent most of the time. */
  #outbound: OutboundBuffer | undefined = undefined;
  #flushedBytes = 0;
  #state: State = IDLE;
  #downReason: LinkDownReason | "notConnected" = "notConnected";
  /** What the handlers are to be told of a link's coming or going; undefined unless they are just being told. */
  #news: (() => void)[] | undefined = undefined;
  #autoRead: boolean;
  #remote: Remote | undefined = undefined;
  #closed: ChannelPromise | undefined = undefined;
  #reportedMessage = false;

  /**
   * Makes a channel without a link and adds its handlers.
   *
   * @param options What carries it, and its handlers.
   * @throws {RangeError} If the water marks or the connect timeout are out of range.
   * @throws What `options.pipeline` throws.
   */
  constructor(options: ChannelOptions) {
    const { autoRead = true, waterMarks = DEFAULT_MARKS, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } =
      options;
    checkChannelNumbers(options);
    this.#transport = options.transport;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#onUnhandled = options.onUnhandled;
    this.#autoRead = autoRead;
    this.loop = options.loop ?? systemEventLoop();
    this.#waterMarks = waterMarks;
    this.pipeline = new ChannelPipeline(this, HEAD, TAIL);
    try {
      options.pipeline?.(this.pipeline, this);
    } catch (error) {
      // Handlers that are in already may have started timers.
      this.#state = CLOSED;
      this.pipeline.destroy();
      throw error;
    }
  }

  /** What the channel is doing. */
  get state(): ChannelState {
    return this.#state.kind;
  }

  /** Whether a link stands. */
  get isActive(): boolean {
    return this.#state.kind === "active";
  }

  /**
   * Whether no more than the high water mark is pending. False without a link;
   * a writer that waits is told by `channelWritabilityChanged` on the same link
   * and by `channelActive` on the next one.
   */
  get isWritable(): boolean {
    return this.#state.kind === "active" && (this.#outbound === undefined || this.#outbound.isWritable);
  }

  /** Bytes written that have not left for the operating system. */
  get pendingBytes(): number {
    return this.#outbound?.pendingBytes ?? 0;
  }

  /** Bytes that have left for the operating system, over all links. Moves while one large message is sent. */
  get flushedBytes(): number {
    return this.#flushedBytes;
  }

  /** Whether the transport keeps message boundaries, so that framing is not needed. */
  get keepsMessages(): boolean {
    return this.#transport.keepsMessages;
  }

  /** Where it is, or was last, connected to; undefined before that and on the accepting side. */
  get remote(): Remote | undefined {
    return this.#remote;
  }

  /** What accepted it: one object for all channels of a server. Undefined on the connecting side. */
  get parent(): object | undefined {
    return undefined;
  }

  /**
   * Takes the channel out of its server's `channels`, for handlers that find
   * that it is not the application's: who writes to all clients must not write
   * to it. It is still closed with its server.
   */
  withdraw(): void {}

  /** Puts the channel among its server's `channels` again, once it has turned out to be the application's. */
  present(): void {}

  /** The link's other end as a URL, or "" without a link. */
  get remoteAddress(): string {
    return this.#state.kind === "active" ? this.#state.link.remoteAddress : "";
  }

  /** The link's own end as a URL, or "" without a link. */
  get localAddress(): string {
    return this.#state.kind === "active" ? this.#state.link.localAddress : "";
  }

  /**
   * Whether data is read as it comes. Turned on, it asks for data at once;
   * turned off, one batch that was asked for may still come.
   */
  get autoRead(): boolean {
    return this.#autoRead;
  }
  set autoRead(on: boolean) {
    const wasOn = this.#autoRead;
    // Before the read: a batch that comes at once has to ask for the next one.
    this.#autoRead = on;
    if (on && !wasOn && this.isActive) this.pipeline.read();
  }

  /** What whoever accepted the link said of it, as `WebSocketAcceptor.accept()` can; undefined without a link. */
  get linkDetails(): unknown {
    return this.#state.kind === "active" ? this.#state.link.details : undefined;
  }

  /**
   * Whether the link reads nothing, since nobody asked for data (`autoRead` is
   * off). What the peer has sent then waits, so that a silence says nothing of it.
   */
  get isPaused(): boolean {
    return this.#state.kind === "active" && !!this.#state.link.isPaused;
  }

  /** Resolves when the channel is closed for good. Never rejects. */
  get closed(): Promise<void> {
    return this.#whenClosed().then();
  }

  /**
   * Asks for a link.
   *
   * @param remote Where to: an address, one with credentials, several of which the first that answers will do, or a
   *   function asked for each try.
   * @param options `signal` gives up: aborted beforehand, nothing is tried;
   *   aborted before the link stands, the channel is closed, as only that ends
   *   a handler's tries to reconnect. After the link stands it has no effect.
   * @returns Done when the link stands.
   * @throws {TypeError} (as a rejection) If the address cannot be parsed, or the channel has a link or one on its way.
   * @throws {ConnectError} (as a rejection) If no link came about.
   * @throws {LinkDownError} (as a rejection) If the try was dropped.
   * @throws {ChannelClosedError} (as a rejection) If the channel was closed before the link stood.
   * @throws The signal's reason (as a rejection) if it gave up.
   */
  connect(remote: RemoteSource, options: { readonly signal?: AbortSignal } = {}): ChannelPromise {
    const { signal } = options;
    const promise = new ChannelPromise(this);
    if (signal === undefined) return this.pipeline.connect(remote, promise);
    if (signal.aborted) {
      promise.reject(signal.reason);
      return promise;
    }
    const giveUp = () => {
      if (promise.reject(signal.reason)) this.close();
    };
    signal.addEventListener("abort", giveUp, { once: true });
    promise.observe(() => signal.removeEventListener("abort", giveUp));
    return this.pipeline.connect(remote, promise);
  }

  /**
   * Makes a second channel of the same kind (transport, loop, timeouts), with
   * handlers of its own. It has no link yet.
   *
   * @param pipeline Adds the handlers.
   * @returns The channel.
   */
  sibling(pipeline: (pipeline: ChannelPipeline) => void): Channel {
    return new Channel({
      transport: this.#transport,
      loop: this.loop,
      connectTimeoutMs: this.#connectTimeoutMs,
      onUnhandled: this.#onUnhandled,
      pipeline,
    });
  }

  /**
   * Makes a link that stands already this channel's link (an accepted one, or
   * one that came about outside).
   *
   * @param link The link, not yet opened.
   * @throws {TypeError} If the channel has a link, or one on its way, or is just telling its handlers that it lost one.
   * @throws {ChannelClosedError} If the channel was closed; the link is then aborted.
   */
  attach(link: Link): void {
    if (this.#state.kind === "closed" || this.#state.kind === "closing") {
      refuse(link);
      throw new ChannelClosedError("attach the link");
    }
    if (this.#state.kind !== "idle") {
      throw new TypeError(`Cannot attach the link: the channel is ${this.#state.kind}`);
    }
    if (this.#news !== undefined) {
      throw new TypeError("Cannot attach the link: the channel is just losing its earlier one");
    }
    this.#activate(link, undefined);
  }

  /**
   * Writes a message; nothing leaves before {@linkcode flush}.
   *
   * @param message Whatever the pipeline's handlers know how to encode.
   * @param promise Settled when its bytes left; made if not given.
   * @returns The promise. Need not be awaited.
   */
  write(message: unknown, promise?: ChannelPromise): ChannelPromise {
    return this.pipeline.write(message, promise);
  }

  /** Sends what was written. */
  flush(): void {
    this.pipeline.flush();
  }

  /** {@linkcode write}, then {@linkcode flush}. */
  writeAndFlush(message: unknown, promise?: ChannelPromise): ChannelPromise {
    return this.pipeline.writeAndFlush(message, promise);
  }

  /**
   * Asks for one more batch of data; needed only while {@linkcode autoRead} is
   * off. Does nothing without a link. A batch may hold nothing for the
   * application, only heartbeats perhaps: `channelReadComplete` comes after each.
   */
  read(): void {
    this.pipeline.read();
  }

  /**
   * Closes the channel for good: wins over a connect or reconnect in
   * progress, sends what was flushed, removes all handlers and leaves no timer
   * behind. What was written and not flushed fails. Calling it again does
   * nothing more.
   *
   * @returns Done when it is closed. Fails only with what a handler's `close` throws.
   */
  close(): ChannelPromise {
    return this.pipeline.close();
  }

  /**
   * Ends this side's direction of the link alone (in TCP: sends a FIN), once
   * what was flushed has left. The peer's data still comes, and the link is lost
   * with the reason `remoteClosed` when the peer has ended too. Writes fail from
   * now on, those of handlers as well: not for a pipeline with heartbeats.
   *
   * @returns Whether it does; false without a link, and where the transport has no such thing (WebSocket).
   */
  shutdownOutput(): boolean {
    const state = this.#state;
    if (state.kind !== "active" || state.link.shutdownOutput === undefined) return false;
    state.link.shutdownOutput();
    return true;
  }

  /** Closes the channel: `await using channel = ...`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Drops the link at once, without closing the channel: the way for handlers
   * to say that it is dead or cannot be trusted. Writes that are pending fail,
   * then `linkDown` and `channelInactive` follow before this returns; called
   * while the handlers are being told of the link, once all of them were told.
   * Fails a try to connect that is on its way. Else does nothing.
   *
   * @param reason Why.
   * @param error The error behind it.
   */
  drop(reason: LinkDownReason, error?: Error): void {
    const state = this.#state;
    if (state.kind === "connecting") state.fail(new LinkDownError("connect", reason, { cause: error }));
    if (state.kind !== "active") return;
    this.#lost(state, reason, error);
    state.link.abort();
  }

  /**
   * Reports an error that nobody handled, once, the way the channel's options
   * ask for.
   *
   * @param error The error.
   */
  reportUnhandled(error: unknown): void {
    if (this.#onUnhandled) this.#report({ kind: "error", error, channel: this });
    else console.error("longlink: an error reached the tail of the pipeline:", error);
  }

  /**
   * A message came to the tail and no handler had taken it. Reported once per
   * channel, since a forgotten handler would otherwise report every message.
   *
   * @param message The message.
   */
  protected onUnhandledMessage(message: unknown): void {
    if (this.#reportedMessage) return;
    this.#reportedMessage = true;
    if (this.#onUnhandled) this.#report({ kind: "message", message, channel: this });
    else console.error("longlink: a message reached the tail of the pipeline, no handler took it:", message);
  }

  /** The channel was closed for good; for subclasses. May come while the constructor adds the handlers. */
  protected onClosed(): void {}

  /**
   * Size of what the transport is about to get.
   *
   * @param message The message as it left the handler nearest to the head.
   * @returns Its size in bytes.
   * @throws {TypeError} If the transport cannot carry it.
   */
  protected sizeOf(message: unknown): number {
    if (message instanceof Uint8Array) return message.byteLength;
    if (typeof message === "string") return utf8.encode(message).byteLength;
    const what = message === null
      ? "null"
      : typeof message === "object"
      ? message.constructor?.name
      : typeof message;
    throw new TypeError(
      `Cannot write: the transport takes bytes or text, got ${what}; is there an encoder in the pipeline?`,
    );
  }

  static {
    HEAD = inheriting({
      connect: ({ channel }, remote, promise) => channel.#connectLink(remote, promise),
      write: ({ channel }, message, promise) => channel.#writeToLink(message, promise),
      flush: ({ channel }) => {
        if (channel.#state.kind === "active") channel.#state.link.flush();
      },
      read: ({ channel }) => {
        if (channel.#state.kind === "active") channel.#state.link.read();
      },
      close: ({ channel }, promise) => channel.#closeLink(promise),
    });
    TAIL = inheriting({
      channelActive: ignore,
      channelInactive: ignore,
      channelRead: ({ channel }, message) => channel.onUnhandledMessage(message),
      channelReadComplete: ignore,
      channelWritabilityChanged: ignore,
      userEventTriggered: ignore,
      exceptionCaught: ({ channel }, error) => channel.reportUnhandled(error),
    });
    ACCESS = {
      isCurrent: (channel, link) => channel.#state === link,
      flushed: (channel, bytes) => channel.#flushed(bytes),
      lost: (channel, link, reason, error) => channel.#lost(link, reason, error),
    };
  }

  #connectLink(source: RemoteSource, promise: ChannelPromise): void {
    const { kind } = this.#state;
    if (kind === "closed" || kind === "closing") {
      promise.reject(new ChannelClosedError("connect"));
      return;
    }
    if (kind !== "idle") {
      promise.reject(new TypeError(`Cannot connect: the channel is ${kind}`));
      return;
    }
    const attempt = new ConnectAttempt({
      source,
      transport: this.#transport,
      loop: this.loop,
      timeoutMs: this.#connectTimeoutMs,
      onLink: (link, remote) => this.#activate(link, remote, promise),
      onFailed: (error) => {
        if (this.#state === attempt) this.#state = IDLE;
        promise.reject(error);
      },
    });
    this.#state = attempt;
    // Else it starts once all handlers know that the earlier link is gone.
    if (this.#news === undefined) attempt.start();
  }

  #activate(link: Link, remote: Remote | undefined, promise?: ChannelPromise): void {
    const active = new ActiveLink(this, link, ACCESS);
    this.#state = active;
    this.#remote = remote;
    this.#tell(() => {
      link.open(active);
      promise?.resolve();
      this.pipeline.fireChannelActive();
      this.pipeline.fireUserEventTriggered({ type: "linkUp", resumed: false } satisfies LinkUpEvent);
    });
    if (this.#state === active && this.#autoRead) this.pipeline.read();
  }

  #writeToLink(message: unknown, promise: ChannelPromise): void {
    const state = this.#state;
    if (state.kind !== "active") {
      promise.reject(this.#whyNoWrite());
      return;
    }
    const bytes = this.sizeOf(message);
    // The link first: a message that it refuses would stay pending for ever.
    state.link.write(message as WireMessage);
    if (this.#state !== state) promise.reject(this.#whyNoWrite());
    else {
      this.#outbound ??= new OutboundBuffer(this.#waterMarks);
      if (this.#outbound.add(bytes, promise)) this.pipeline.fireChannelWritabilityChanged();
    }
  }

  /** @returns Whether `isWritable` changed. */
  #flushed(bytes: number): boolean {
    const outbound = this.#outbound;
    this.#flushedBytes += bytes;
    if (outbound === undefined) return false;
    const changed = outbound.flushed(bytes);
    if (outbound.isEmpty && this.#outbound === outbound) this.#outbound = undefined;
    return changed;
  }

  #whyNoWrite(): Error {
    const { kind } = this.#state;
    return kind === "closed" || kind === "closing"
      ? new ChannelClosedError("write")
      : new LinkDownError("write", this.#downReason);
  }

  #closeLink(promise: ChannelPromise): void {
    this.#whenClosed().onSettled(() => promise.resolve());
    const state = this.#state;
    switch (state.kind) {
      case "idle":
        this.#close();
        break;
      case "connecting":
        // Closed before the try fails: whoever listens to that must not connect again.
        this.#state = CLOSED;
        state.fail(new ChannelClosedError("connect"));
        this.#close();
        break;
      case "active":
        state.kind = "closing";
        state.link.close();
        break;
      case "closing":
      case "closed":
        break;
    }
  }

  /** The one way from having a link to having none. */
  #lost(active: ActiveLink, reason: LinkDownReason, error: Error | undefined): void {
    const closing = active.kind === "closing";
    const why = closing ? "closed" : reason;
    this.#state = closing ? CLOSED : IDLE;
    this.#downReason = why;
    const event: LinkDownEvent = closing || error === undefined
      ? { type: "linkDown", reason: why }
      : { type: "linkDown", reason: why, error };
    this.#tell(() => {
      this.#outbound?.fail(
        closing ? new ChannelClosedError("write") : new LinkDownError("write", why, { cause: error }),
      );
      this.pipeline.fireUserEventTriggered(event);
      this.pipeline.fireChannelInactive();
    });
  }

  /**
   * Tells the handlers of a link's coming or going. What they (and those who
   * listen to promises) do about it meanwhile, such as to drop, connect or
   * close, takes effect once all were told: a handler would otherwise see the
   * end of a link before its beginning, the next link before the end of this
   * one, or be removed before it could clean up.
   */
  #tell(news: () => void): void {
    if (this.#news !== undefined) {
      this.#news.push(news);
      return;
    }
    const queue = this.#news = [news];
    for (let i = 0; i < queue.length; i++) queue[i]!();
    this.#news = undefined;
    const state = this.#state;
    if (state.kind === "connecting") state.start();
    else if (state.kind === "closed" || (state.kind === "idle" && this.autoClose)) this.#close();
  }

  /** The one way to `closed`. */
  #close(): void {
    this.#state = CLOSED;
    if (this.#news !== undefined) return; // the handlers are taken out once they were told
    this.pipeline.destroy();
    this.onClosed();
    this.#whenClosed().resolve();
  }

  /** What the receiver throws has no handler left to go to, and must not end up in the transport. */
  #report(report: UnhandledReport): void {
    try {
      this.#onUnhandled!(report);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #whenClosed(): ChannelPromise {
    return this.#closed ??= new ChannelPromise();
  }
}

/** With its methods as a class has them: all channels then share what the pipeline finds out about them. */
function inheriting(methods: ChannelHandler): ChannelHandler {
  return Object.create(methods);
}

function ignore(): void {}
