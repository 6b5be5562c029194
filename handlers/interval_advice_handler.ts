/**
 * Tells a client what others of its network have learned.
 *
 * @module
 */

import type { Channel, ChannelHandler, ChannelHandlerContext, ChannelPromise } from "../pipeline/mod.ts";
import { checkedMs } from "./_checks.ts";
import { Heartbeat } from "./heartbeat/heartbeat.ts";
import { idleStateOf } from "./_idle_state.ts";
import { type AdviceListener, NetworkAdvice } from "./_network_advice.ts";
import { peerNetworkOf } from "./_peer_address.ts";
import { sendHeartbeat } from "./_send_heartbeat.ts";
import type { IntervalStore } from "./stores/interval_store.ts";
import { MemoryIntervalStore } from "./stores/memory_interval_store.ts";

/**
 * Options of {@linkcode IntervalAdviceHandler}.
 *
 * @example Links of one host learn from each other
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, Heartbeat, HeartbeatResponder, IdleStateHandler } from "@longlink/pipeline";
 * import { IntervalAdviceHandler, type IntervalAdviceOptions } from "@longlink/pipeline";
 *
 * const options: IntervalAdviceOptions = { networkOf: (remoteAddress) => new URL(remoteAddress).hostname };
 * const advice = new IntervalAdviceHandler(options);
 * const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler(), advice, new HeartbeatResponder()] });
 * channel.writeInbound(new Heartbeat("ping"), new Heartbeat("hold", { timeMs: 60_000, sequence: 1 }));
 * channel.advanceBy(60_000); // answered after this silence; that the client asks again shows that it got through
 * channel.writeInbound(new Heartbeat("hold", { timeMs: 90_000, sequence: 2 }));
 * assertEquals(advice.learned, 1);
 * ```
 */
export interface IntervalAdviceOptions {
  /**
   * Where it is kept, by network: one that several servers share, as a
   * `RedisIntervalStore`, lets a client profit from what another learned at
   * another server. Default: in memory, 10,000 networks.
   */
  readonly store?: IntervalStore;
  /**
   * For how long a silence that nobody has survived again counts, in ms, 1,000
   * or more. Default: 604,800,000 (7 days).
   */
  readonly maxAgeMs?: number;
  /**
   * Says which network a link comes out of: those with the same answer learn
   * from each other, those without one (undefined) neither learn nor teach.
   * Default: the first 24 bits of an IPv4 address, the first 48 of an IPv6 one;
   * nothing for the machine's own addresses, since behind a proxy there are all
   * clients. Behind a balancer that hides the clients' addresses all of them
   * would be one network: give what tells them apart, or no advice.
   *
   * @param remoteAddress The link's other end, as a URL.
   */
  readonly networkOf?: (remoteAddress: string) => string | undefined;
}

/** A hold that a client has asked for. */
interface AskedHold {
  readonly sequence: number;
  readonly ms: number;
  readonly startMs: number;
  /** Whether it was answered after its silence. */
  isAnswered: boolean;
}

const DAY_MS = 86_400_000;
/** Shorter silences are no news: clients beat as often before they know anything. */
const LEAST_MS = 28_000;
/** A store that is gone fails for each client that comes; it is reported this often, ms. */
const REPORT_MS = 60_000;

/**
 * Learns from the holds of a server's clients how long their networks let a
 * link be silent, and tells it to those who come from the same network later,
 * right after the hello. `edge()` tries that value early instead of working its
 * way up to it; it takes nobody's word for it.
 *
 * A hold counts once the client has asked for the next one without a ping in
 * between: then it has got the answer, and in time. The server has measured the
 * silence, so no client can claim one. But who has a better link than others of
 * the same network, or sends what no program sees (TCP keepalive), makes them
 * try too much: that costs each of them one trial on a scout, of at most eight
 * times what it has proven itself.
 *
 * The store is asked once in five minutes about a network, and nobody waits for
 * it: advice comes when it is there. What fails, or is no record, is passed on
 * as `exceptionCaught` on the link that met it, once a minute at most, and
 * counted.
 *
 * In the store are, for each network, a hash of its part of the addresses (see
 * {@linkcode networkIdentity}: out of sight, and no more), a time in ms and when
 * that was last seen; nothing tells one client from another.
 *
 * One instance serves all channels of a server, or of several. It has its place
 * after the `HeartbeatEncoder` and before the `HeartbeatResponder`.
 *
 * @example One for all channels
 * ```ts
 * import { answerKeepAlive, IntervalAdviceHandler, MemoryIntervalStore } from "@longlink/pipeline";
 * import { assert } from "@std/assert";
 *
 * const advice = new IntervalAdviceHandler({ store: new MemoryIntervalStore() });
 * assert(answerKeepAlive({ advice }).includes(advice));
 * ```
 */
export class IntervalAdviceHandler implements ChannelHandler {
  /** It learns from the links of all channels that it is given. */
  readonly isSharable = true;
  /** How many links were told something. */
  advised = 0;
  /** How often something was learned and kept. */
  learned = 0;
  /** How often the store failed, or held what cannot be used. */
  failures = 0;
  readonly #advice: NetworkAdvice;
  readonly #networkOf: (remoteAddress: string) => string | undefined;
  /** The last hold of each channel that has asked for one. */
  readonly #holds = new Map<Channel, AskedHold>();
  #reportedMs = -Infinity;

  /**
   * Makes a handler that knows what is in its store.
   *
   * @param options Where and for how long.
   * @throws {RangeError} If `maxAgeMs` is out of range.
   */
  constructor(options: IntervalAdviceOptions = {}) {
    const { store = new MemoryIntervalStore({ maxNetworks: 10_000 }), maxAgeMs = 7 * DAY_MS } = options;
    this.#advice = new NetworkAdvice(
      store,
      checkedMs("make the handler", "maxAgeMs", maxAgeMs, 1_000, 36_500 * DAY_MS),
    );
    this.#networkOf = options.networkOf ?? peerNetworkOf;
  }

  /** Takes note of holds, and of what follows their answers. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    const { channel, loop } = context;
    const hold = this.#holds.get(channel);
    const next = message instanceof Heartbeat && message.kind === "hold" ? message : undefined;
    if (hold?.isAnswered) this.#holds.delete(channel);
    if (next !== undefined && next.timeMs >= LEAST_MS) {
      const { sequence, timeMs: ms } = next;
      this.#holds.set(channel, { sequence, ms, startMs: loop.now(), isAnswered: false });
    }
    context.fireChannelRead(message);
    // A ping in its place asks for an answer that has not come, and a message says nothing of it.
    if (hold?.isAnswered && next !== undefined) this.#survived(context, hold.ms);
  }

  /** Takes note of the answers, and gives advice after a hello. */
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    if (!(message instanceof Heartbeat)) return void context.write(message, promise);
    if (message.kind === "pong") this.#answered(context, message);
    context.write(message, promise);
    // No scout gets a hello, and no peer whose format knows no such thing.
    if (message.kind === "hello") this.#advise(context);
  }

  /** Forgets the hold of the link. */
  channelInactive(context: ChannelHandlerContext): void {
    this.#holds.delete(context.channel);
    context.fireChannelInactive();
  }

  /** Forgets the hold of the link. */
  handlerRemoved({ channel }: ChannelHandlerContext): void {
    this.#holds.delete(channel);
  }

  #answered(context: ChannelHandlerContext, { sequence }: Heartbeat): void {
    const hold = this.#holds.get(context.channel);
    if (hold?.sequence !== sequence) return;
    // A pong may be the answer to a ping of the same number; and who overslept may not have heard what came meanwhile.
    hold.isAnswered = idleStateOf(context).idleForMs >= hold.ms && context.loop.lastLateMs <= hold.startMs;
  }

  #survived(context: ChannelHandlerContext, ms: number): void {
    const { channel, loop } = context;
    const network = this.#networkOf(channel.remoteAddress);
    if (network === undefined) return;
    this.#advice.survived(network, ms, loop.wallNow(), {
      learned: () => this.learned++,
      storeFailed: (error) => this.#storeFailed(context, error),
    });
  }

  #advise(context: ChannelHandlerContext): void {
    const { channel, loop } = context;
    const network = this.#networkOf(channel.remoteAddress);
    if (network === undefined) return;
    const listener: AdviceListener = {
      known: (timeMs) => {
        // A slow store may have outlasted the link.
        if (!channel.isActive || context.isRemoved) return;
        this.advised++;
        sendHeartbeat(context, new Heartbeat("advice", { timeMs }));
      },
      storeFailed: (error) => this.#storeFailed(context, error),
    };
    this.#advice.ask(network, loop.wallNow(), listener);
  }

  #storeFailed(context: ChannelHandlerContext, error: unknown): void {
    this.failures++;
    const nowMs = context.loop.now();
    if (nowMs - this.#reportedMs < REPORT_MS) return;
    this.#reportedMs = nowMs;
    context.fireExceptionCaught(error);
  }
}
