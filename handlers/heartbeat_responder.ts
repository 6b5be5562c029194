/**
 * The server's half of heartbeats.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext } from "../pipeline/mod.ts";
import { checkedMs } from "./_checks.ts";
import { Heartbeat, MAX_HEARTBEAT_TIME_MS } from "./heartbeat/heartbeat.ts";
import { sendHeartbeat } from "./_send_heartbeat.ts";
import { idleStateOf } from "./_idle_state.ts";
import type { IdleStateEvent, IdleStateHandler } from "./idle_state_handler.ts";

/** Options of {@linkcode HeartbeatResponder}. */
export interface HeartbeatResponderOptions {
  /**
   * How much longer than announced a peer may be silent before its link is
   * dropped, in ms, 0 or more. Covers a beat that comes late and its repeats.
   * Default: 15,000.
   */
  readonly graceMs?: number;
  /**
   * How long a peer may be silent before its first ping, in ms, above 0;
   * Infinity waits for ever. Default: 60,000.
   */
  readonly firstPingMs?: number;
  /** Whether to say hello first. Off for formats and peers that know none. Default: true. */
  readonly hello?: boolean;
}

/**
 * Answers pings, says hello before the first answer, and drops the link of a
 * peer that was silent for longer than it announced, with the reason
 * `unanswered`. Holds are not served yet: they are answered with a void.
 *
 * Needs an {@linkcode IdleStateHandler} nearer to the head, which tells it of
 * the silence.
 *
 * @example Answering a ping
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, Heartbeat, HeartbeatResponder, IdleStateHandler } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ handlers: [new IdleStateHandler(), new HeartbeatResponder()] });
 * channel.writeInbound(new Heartbeat("ping", { timeMs: 240_000, sequence: 7 }));
 * assertEquals(channel.drainOutbound(), [Heartbeat.hello(), new Heartbeat("pong", { sequence: 7 })]);
 * ```
 */
export class HeartbeatResponder implements ChannelHandler {
  /** How many pings were answered. */
  pings = 0;
  readonly #graceMs: number;
  readonly #firstPingMs: number;
  readonly #sayHello: boolean;
  #greeted = false;
  #heardPing = false;

  /**
   * @param options Its limits.
   * @throws {RangeError} If a time is out of range.
   */
  constructor(options: HeartbeatResponderOptions = {}) {
    const { graceMs = 15_000, firstPingMs = 60_000, hello = true } = options;
    this.#graceMs = checkedMs("make the handler", "graceMs", graceMs, 0, MAX_HEARTBEAT_TIME_MS);
    this.#firstPingMs = firstPingMs === Infinity
      ? 0
      : checkedMs("make the handler", "firstPingMs", firstPingMs, 1, MAX_HEARTBEAT_TIME_MS);
    this.#sayHello = hello;
  }

  /**
   * Checks that it will be told of silence, and starts where a link stands.
   *
   * @throws {TypeError} If there is no IdleStateHandler.
   */
  handlerAdded(context: ChannelHandlerContext): void {
    const idleState = idleStateOf(context);
    if (context.channel.isActive) this.#start(idleState);
  }

  /** Starts to wait for the first ping. */
  channelActive(context: ChannelHandlerContext): void {
    this.#start(idleStateOf(context));
    context.fireChannelActive();
  }

  /** Answers heartbeats that ask for an answer. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    if (!(message instanceof Heartbeat)) context.fireChannelRead(message);
    else if (message.kind === "ping") this.#answerPing(context, message);
    else if (message.kind === "hold") this.#answer(context, Heartbeat.void(message.sequence, "notServed"));
    else context.fireChannelRead(message);
  }

  /** Drops a link whose peer was silent for too long. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const known = event as IdleStateEvent | undefined | null;
    if (known?.type === "idle" && known.state === "reader") context.channel.drop("unanswered");
    else context.fireUserEventTriggered(event);
  }

  #start(idleState: IdleStateHandler): void {
    this.#greeted = false;
    this.#heardPing = false;
    idleState.setIdleTimes({ readerIdleMs: this.#firstPingMs });
  }

  #answerPing(context: ChannelHandlerContext, ping: Heartbeat): void {
    this.pings++;
    const isFirst = !this.#heardPing;
    this.#heardPing = true;
    if (ping.timeMs > 0) idleStateOf(context).setIdleTimes({ readerIdleMs: ping.timeMs + this.#graceMs });
    // The peer announces nothing (its format may carry no time), so nothing says
    // how long it may be silent: the limit for the first ping is not meant for it.
    else if (isFirst) idleStateOf(context).setIdleTimes({});
    this.#answer(context, new Heartbeat("pong", { sequence: ping.sequence }));
  }

  #answer(context: ChannelHandlerContext, answer: Heartbeat): void {
    if (this.#sayHello && !this.#greeted) {
      this.#greeted = true;
      sendHeartbeat(context, Heartbeat.hello());
    }
    sendHeartbeat(context, answer);
  }
}
