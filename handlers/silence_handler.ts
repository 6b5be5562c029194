/**
 * Links whose peer cannot be asked.
 *
 * @module
 */

import type {
  ChannelHandler,
  ChannelHandlerContext,
  HalfCloseEvent,
  LateNotice,
  LinkDownReason,
  Timer,
} from "../pipeline/mod.ts";
import { checkedMs } from "./_checks.ts";
import type { ServerPingsEvent } from "./heartbeat/protocol_format.ts";
import { idleStateOf } from "./_idle_state.ts";
import type { IdleStateEvent, IdleStateHandler } from "./idle_state_handler.ts";
import type { NetworkEvent } from "./keep_alive_event.ts";

/**
 * Options of a {@linkcode SilenceHandler}.
 *
 * @example A peer that says something every 30 s
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, keepAliveUnder, type SilenceOptions } from "@longlink/pipeline";
 *
 * const options: SilenceOptions = { longestSilenceMs: 35_000 };
 * const channel = new EmbeddedChannel({ handlers: keepAliveUnder(undefined, options) });
 * channel.advanceBy(30_000);
 * channel.writeInbound("tick");
 * channel.advanceBy(34_999);
 * assertEquals(channel.state, "active");
 * channel.advanceBy(1);
 * assertEquals(channel.state, "closed");
 * ```
 */
export interface SilenceOptions {
  /**
   * The longest silence of the peer that a link may have which lives, in ms, 1
   * to 86,400,000: a little more than the time between two of its pings.
   * Default: what a `serverPings` event says, or unknown.
   */
  readonly longestSilenceMs?: number;
}

/** What lives says something soon after the machine woke, or is not waited for, ms. */
const DOUBT_MS = 3_000;
/** Networks forget a link within a minute, and servers their clients; a shorter sleep says nothing, ms. */
const LONG_SLEEP_MS = 60_000;

/**
 * Notices what can be noticed where no question can be asked: the protocol has
 * none, or it is not known. It drops the link
 *
 * - with the reason `unanswered` when the peer was silent for longer than it
 *   said it would be, if it said so;
 * - with the reason `networkChanged` when the network is another one, or is back,
 *   or the machine slept for a minute or longer (or longer than the peer's
 *   silence), unless something comes in within 3 s: such a link is mostly gone,
 *   and to find out by waiting takes minutes.
 *
 * A link that the network forgot while nothing of all this happened is not
 * noticed, unless the peer speaks regularly.
 *
 * Needs an `IdleStateHandler` nearer to the head: `keepAliveUnder()` puts them
 * in order.
 *
 * @example A server that pings every 25 s
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, IdleStateHandler, SilenceHandler } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({
 *   handlers: [new IdleStateHandler(), new SilenceHandler({ longestSilenceMs: 30_000 })],
 * });
 * channel.advanceBy(29_999);
 * assertEquals(channel.state, "active");
 * channel.advanceBy(1);
 * assertEquals(channel.state, "closed");
 * ```
 */
export class SilenceHandler implements ChannelHandler {
  readonly #knownMs: number | undefined;
  #idleState: IdleStateHandler | undefined = undefined;
  #longestSilenceMs: number | undefined = undefined;
  #doubt: Timer | undefined = undefined;
  #stopListening: (() => void) | undefined = undefined;

  /**
   * Makes a handler, for one channel.
   *
   * @param options What is known of the peer.
   * @throws {RangeError} If the time is out of range.
   */
  constructor(options: SilenceOptions = {}) {
    const { longestSilenceMs } = options;
    if (longestSilenceMs !== undefined) {
      checkedMs("make the handler", "longestSilenceMs", longestSilenceMs, 1, 86_400_000);
    }
    this.#knownMs = longestSilenceMs;
  }

  /**
   * Looks up the handler that keeps the clocks, and starts where a link stands.
   *
   * @throws {TypeError} If there is no IdleStateHandler.
   */
  handlerAdded(context: ChannelHandlerContext): void {
    this.#idleState = idleStateOf(context);
    if (context.channel.isActive) this.#start(context);
  }

  /** Stops. */
  handlerRemoved(): void {
    this.#stop();
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

  /** Follows the network, what the peer says of its pings, and its silence. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const known = event as IdleStateEvent | NetworkEvent | ServerPingsEvent | HalfCloseEvent;
    switch (known?.type) {
      case "idle":
        if (context.channel.isActive) this.#silent(context);
        return;
      case "halfClose":
        return; // a peer that has ended its direction is silent for good
      case "serverPings":
        this.#expect(known.longestSilenceMs);
        break;
      case "network":
        if (known.state !== "offline") this.#doubts(context, `the network is ${known.state}`);
        break;
    }
    context.fireUserEventTriggered(event);
  }

  #start(context: ChannelHandlerContext): void {
    this.#longestSilenceMs = undefined;
    this.#stopListening ??= context.loop.onLate((notice) => this.#late(context, notice));
    if (this.#knownMs !== undefined) this.#expect(this.#knownMs);
  }

  #stop(): void {
    this.#doubt?.cancel();
    this.#doubt = undefined;
    this.#stopListening?.();
    this.#stopListening = undefined;
    this.#idleState?.setIdleTimes({});
  }

  #expect(longestSilenceMs: number): void {
    this.#longestSilenceMs = longestSilenceMs;
    this.#idleState?.setIdleTimes({ readerIdleMs: longestSilenceMs });
  }

  #silent(context: ChannelHandlerContext): void {
    // Just awake: what came meanwhile is read now.
    if (this.#doubt !== undefined) return;
    const silentMs = Math.round(context.loop.now() - this.#idleState!.lastReadMs);
    this.#drop(context, "unanswered", `nothing came for ${silentMs} ms`);
  }

  #late(context: ChannelHandlerContext, { kind, lateMs }: LateNotice): void {
    const longMs = Math.min(LONG_SLEEP_MS, this.#longestSilenceMs ?? Infinity);
    if (lateMs >= longMs) this.#doubts(context, `the machine ${kind === "slept" ? "slept" : "stood still"}`);
  }

  #doubts(context: ChannelHandlerContext, reason: string): void {
    if (!context.channel.isActive) return;
    const { loop } = context;
    const sinceMs = loop.now();
    this.#doubt?.cancel();
    this.#doubt = loop.schedule(DOUBT_MS, () => {
      this.#doubt = undefined;
      if (this.#idleState!.lastReadMs <= sinceMs && !context.channel.isPaused) {
        this.#drop(context, "networkChanged", `${reason}, and nothing came for ${DOUBT_MS} ms`);
      }
    });
  }

  #drop(context: ChannelHandlerContext, reason: LinkDownReason, detail: string): void {
    context.channel.drop(reason, new Error(`Cannot keep the link: ${detail}`));
  }
}
