/**
 * Tells when a link has been idle.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext, ChannelPromise, Timer } from "../pipeline/mod.ts";

/**
 * For which direction a link was idle.
 *
 * @example Which silence it was
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, type IdleState, type IdleStateEvent, IdleStateHandler } from "@longlink/pipeline";
 *
 * const states: IdleState[] = [];
 * const log = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const { type, state } = event as IdleStateEvent;
 *     if (type === "idle") states.push(state);
 *   },
 * };
 * const idle = new IdleStateHandler({ readerIdleMs: 60_000, writerIdleMs: 30_000 });
 * const channel = new EmbeddedChannel({ handlers: [idle, log] });
 * channel.advanceBy(60_000);
 * assertEquals(states, ["writer", "reader", "writer"]);
 * ```
 */
export type IdleState = "reader" | "writer" | "all";

/**
 * The link was idle for as long as was asked.
 *
 * @example Hanging up on a peer that says nothing
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type ChannelHandler, EmbeddedChannel, type IdleStateEvent, IdleStateHandler } from "@longlink/pipeline";
 *
 * const hangUp: ChannelHandler = {
 *   userEventTriggered: (context, event) => {
 *     const { type, state } = event as IdleStateEvent;
 *     if (type === "idle" && state === "reader") void context.close();
 *     else context.fireUserEventTriggered(event);
 *   },
 * };
 * const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler({ readerIdleMs: 60_000 }), hangUp] });
 * channel.advanceBy(60_000);
 * assertEquals(channel.state, "closed");
 * ```
 */
export interface IdleStateEvent {
  /** Tells this event from others. */
  readonly type: "idle";
  /** `reader`: nothing came in. `writer`: nothing went out. `all`: neither. */
  readonly state: IdleState;
  /** Whether this is the first event since the last traffic of that kind. */
  readonly first: boolean;
}

/**
 * How long each direction may be idle before an event, in ms. 0 means: never
 * tell.
 *
 * @example Longer, once the peer has logged in
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, IdleStateHandler, type IdleTimes } from "@longlink/pipeline";
 *
 * const beforeLogin: IdleTimes = { readerIdleMs: 10_000 };
 * const afterLogin: IdleTimes = { readerIdleMs: 300_000 };
 * const events: unknown[] = [];
 * const idle = new IdleStateHandler(beforeLogin);
 * const channel = new EmbeddedChannel({
 *   handlers: [idle, { userEventTriggered: (_context, event) => events.push(event) }],
 * });
 * events.length = 0; // linkUp
 * idle.setIdleTimes(afterLogin);
 * channel.advanceBy(299_999);
 * assertEquals(events, []);
 * channel.advanceBy(1);
 * assertEquals(events, [{ type: "idle", state: "reader", first: true }]);
 * ```
 */
export interface IdleTimes {
  /** Without a read. Default: 0. */
  readonly readerIdleMs?: number;
  /** Without a write that left for the operating system. Default: 0. */
  readonly writerIdleMs?: number;
  /** Without either. Default: 0. */
  readonly allIdleMs?: number;
}

/**
 * Options of {@linkcode IdleStateHandler}.
 *
 * @example As Netty's handler does by default
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, IdleStateHandler, type IdleStateHandlerOptions } from "@longlink/pipeline";
 *
 * const options: IdleStateHandlerOptions = { allIdleMs: 30_000, observeOutput: false };
 * const events: unknown[] = [];
 * const channel = new EmbeddedChannel({
 *   handlers: [new IdleStateHandler(options), { userEventTriggered: (_context, event) => events.push(event) }],
 * });
 * events.length = 0; // linkUp
 * channel.advanceBy(60_000);
 * assertEquals(events, [
 *   { type: "idle", state: "all", first: true },
 *   { type: "idle", state: "all", first: false },
 * ]);
 * ```
 */
export interface IdleStateHandlerOptions extends IdleTimes {
  /**
   * Whether progress of a message that is still being sent counts as a write,
   * so that a slow link busy with one large message is not called idle.
   * Default: true.
   */
  readonly observeOutput?: boolean;
}

const STATES: readonly IdleState[] = ["reader", "writer", "all"];

// Shared by all links: an idle event costs no allocation.
const EVENTS: Readonly<Record<IdleState, { first: IdleStateEvent; again: IdleStateEvent }>> = {
  reader: eventsOf("reader"),
  writer: eventsOf("writer"),
  all: eventsOf("all"),
};

/** What the timer calls: one function for all links. Assigned by the class, which alone reaches it. */
let runOf: (handler: IdleStateHandler) => void;
/** Likewise, what a written message's promise calls. */
let written: (handler: IdleStateHandler, error: unknown) => void;

/**
 * Fires an {@linkcode IdleStateEvent} when nothing was read, written, or
 * either, for a given time, and again each time that much longer. Keeps two
 * clocks, last read and last write, that others can look at: last sent decides
 * when to beat, last received decides when a link is dead.
 *
 * A read or a write costs one look at the clock. There is one timer per link,
 * and traffic does not touch it: when it runs, it works out how much idle time
 * is left. While nobody reads (`channel.isPaused`) the reader is not called
 * idle: what the peer sends then waits unread. Same semantics as Netty 4.1's IdleStateHandler, except that it
 * works for every link of a channel that is reopened.
 *
 * @example Telling that nothing was written for a minute
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, IdleStateHandler } from "@longlink/pipeline";
 *
 * const events: unknown[] = [];
 * const channel = new EmbeddedChannel({
 *   handlers: [
 *     new IdleStateHandler({ writerIdleMs: 60_000 }),
 *     { userEventTriggered: (_context, event) => events.push(event) },
 *   ],
 * });
 * events.length = 0; // linkUp
 * channel.advanceBy(60_000);
 * assertEquals(events, [{ type: "idle", state: "writer", first: true }]);
 * ```
 */
export class IdleStateHandler implements ChannelHandler {
  /** Whether it is in a pipeline now; kept by the pipeline. */
  isAdded = false;
  readonly #observeOutput: boolean;
  #context: ChannelHandlerContext | undefined = undefined;
  #timer: Timer | undefined = undefined;
  #readerIdleMs = 0;
  #writerIdleMs = 0;
  #allIdleMs = 0;
  /** When the last event of each kind was fired, in the loop's time; -1 if not on this link. */
  #readerToldMs = -1;
  #writerToldMs = -1;
  #allToldMs = -1;
  /** Goes up with each change of the idle times. */
  #changes = 0;
  #lastReadMs = 0;
  #lastWriteMs = 0;
  #isReading = false;
  #seenFlushedBytes = 0;

  /**
   * Makes a handler that watches from its first link on.
   *
   * @param options How long each direction may be idle; nothing is told by default.
   * @throws {RangeError} If a time is negative or not finite.
   */
  constructor(options: IdleStateHandlerOptions = {}) {
    this.#observeOutput = options.observeOutput ?? true;
    this.setIdleTimes(options);
  }

  /** When data last came in, in the loop's time, ms. The start of the link if none has yet. */
  get lastReadMs(): number {
    return this.#lastReadMs;
  }

  /** When a write last left for the operating system, in the loop's time, ms. The start of the link if none has yet. */
  get lastWriteMs(): number {
    return this.#lastWriteMs;
  }

  /** How long the link has been idle in both directions, ms. */
  get idleForMs(): number {
    return this.#context === undefined
      ? 0
      : this.#context.loop.now() - Math.max(this.#lastReadMs, this.#lastWriteMs);
  }

  /**
   * Changes the idle times, also while a link stands: what has passed of the
   * current silence counts.
   *
   * @param times The new times in ms; what is left out is no longer told.
   * @throws {RangeError} If a time is negative or not finite; nothing is changed then.
   */
  setIdleTimes(times: IdleTimes): void {
    const reader = checkedIdleTime("readerIdleMs", times.readerIdleMs);
    const writer = checkedIdleTime("writerIdleMs", times.writerIdleMs);
    const all = checkedIdleTime("allIdleMs", times.allIdleMs);
    if (reader === this.#readerIdleMs && writer === this.#writerIdleMs && all === this.#allIdleMs) return;
    this.#readerIdleMs = reader;
    this.#writerIdleMs = writer;
    this.#allIdleMs = all;
    this.#changes++;
    if (this.#timer !== undefined || this.#context?.channel.isActive) this.#arm();
  }

  /** Starts, where a link stands already. */
  handlerAdded(context: ChannelHandlerContext): void {
    this.#context = context;
    if (context.channel.isActive) this.#start(context);
  }

  /** Stops. */
  handlerRemoved(): void {
    this.#stop();
    this.#context = undefined;
  }

  /** Starts with the link. */
  channelActive(context: ChannelHandlerContext): void {
    this.#start(context);
    context.fireChannelActive();
  }

  /** Stops with the link. */
  channelInactive(context: ChannelHandlerContext): void {
    this.#stop();
    context.fireChannelInactive();
  }

  /** While a batch is being read the link is not idle; the clock is looked at when it ends. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    this.#isReading = true;
    context.fireChannelRead(message);
  }

  /** Takes the time of the read before the others act on it. */
  channelReadComplete(context: ChannelHandlerContext): void {
    if (this.#isReading) {
      this.#lastReadMs = context.loop.now();
      this.#isReading = false;
    }
    context.fireChannelReadComplete();
  }

  /** Takes the time when the write has left. */
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    promise.observeFor(written, this);
    context.write(message, promise);
  }

  #start(context: ChannelHandlerContext): void {
    this.#lastReadMs = this.#lastWriteMs = context.loop.now();
    this.#isReading = false;
    this.#seenFlushedBytes = context.channel.flushedBytes;
    this.#readerToldMs = this.#writerToldMs = this.#allToldMs = -1;
    this.#arm();
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    this.#stop();
    const context = this.#context;
    if (context === undefined) return;
    const dueMs = Math.min(this.#dueMs("reader"), this.#dueMs("writer"), this.#dueMs("all"));
    if (dueMs === Infinity) return;
    this.#timer = context.loop.schedule(Math.max(0, dueMs - context.loop.now()), runOf, this);
  }

  /** When its next event is due if nothing happens; never if it is not watched. */
  #dueMs(state: IdleState): number {
    const idleMs = this.#idleMs(state);
    return idleMs === 0 ? Infinity : Math.max(this.#lastTrafficMs(state), this.#toldMs(state)) + idleMs;
  }

  #lastTrafficMs(state: IdleState): number {
    if (state === "reader") return this.#lastReadMs;
    if (state === "writer") return this.#lastWriteMs;
    return Math.max(this.#lastReadMs, this.#lastWriteMs);
  }

  #run(): void {
    const context = this.#context;
    this.#timer = undefined;
    if (context === undefined) return;
    const nowMs = context.loop.now();
    this.#noticeProgress(context, nowMs);
    const changes = this.#changes;
    for (const state of STATES) {
      if (state !== "writer" && this.#isReading) {
        // A batch is being read right now: this silence is over.
        this.#lastReadMs = nowMs;
      } else if (this.#dueMs(state) <= nowMs) {
        const event = EVENTS[state][this.#toldMs(state) <= this.#lastTrafficMs(state) ? "first" : "again"];
        this.#tell(state, nowMs);
        // Nobody reads: this silence is not the peer's.
        if (state === "reader" && context.channel.isPaused) continue;
        context.fireUserEventTriggered(event);
        // The event may have led to new idle times, a lost link or the removal of this handler.
        if (this.#changes !== changes || !context.channel.isActive || context.isRemoved) return;
      }
    }
    this.#arm();
  }

  /** A large message on its way shows as bytes that leave without any write being done. */
  #noticeProgress(context: ChannelHandlerContext, nowMs: number): void {
    const { flushedBytes, pendingBytes } = context.channel;
    if (this.#observeOutput && pendingBytes > 0 && flushedBytes !== this.#seenFlushedBytes) {
      this.#lastWriteMs = nowMs;
    }
    this.#seenFlushedBytes = flushedBytes;
  }

  #idleMs(state: IdleState): number {
    return state === "reader"
      ? this.#readerIdleMs
      : state === "writer"
      ? this.#writerIdleMs
      : this.#allIdleMs;
  }

  #toldMs(state: IdleState): number {
    return state === "reader"
      ? this.#readerToldMs
      : state === "writer"
      ? this.#writerToldMs
      : this.#allToldMs;
  }

  #tell(state: IdleState, nowMs: number): void {
    if (state === "reader") this.#readerToldMs = nowMs;
    else if (state === "writer") this.#writerToldMs = nowMs;
    else this.#allToldMs = nowMs;
  }

  static {
    runOf = (handler) => handler.#run();
    written = (handler, error) => {
      if (error === undefined && handler.#context !== undefined) {
        handler.#lastWriteMs = handler.#context.loop.now();
      }
    };
  }
}

function checkedIdleTime(name: string, value: number = 0): number {
  if (value >= 0 && value < Infinity) return value;
  throw new RangeError(
    `Cannot watch for idleness: ${name} must be a finite number of ms, 0 or more, got ${value}`,
  );
}

function eventsOf(state: IdleState): { first: IdleStateEvent; again: IdleStateEvent } {
  return {
    first: Object.freeze({ type: "idle", state, first: true } as const),
    again: Object.freeze({ type: "idle", state, first: false } as const),
  };
}
