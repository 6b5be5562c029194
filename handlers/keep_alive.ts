/**
 * The handlers in their right order.
 *
 * @module
 */

import type { ChannelHandler } from "../pipeline/mod.ts";
import { AdaptiveIntervalHandler, type AdaptiveIntervalOptions } from "./adaptive_interval_handler.ts";
import { AuthenticationHandler, type AuthenticationOptions } from "./authentication_handler.ts";
import type { ConnectionLimitHandler } from "./connection_limit_handler.ts";
import { checkSessionFrames } from "./_frame_checks.ts";
import type { CredentialsHandler } from "./credentials_handler.ts";
import type { HeartbeatFormat } from "./heartbeat/heartbeat_format.ts";
import { HeartbeatDecoder } from "./heartbeat_decoder.ts";
import { HeartbeatEncoder } from "./heartbeat_encoder.ts";
import { HeartbeatResponder, type HeartbeatResponderOptions } from "./heartbeat_responder.ts";
import { IdleStateHandler } from "./idle_state_handler.ts";
import type { IntervalAdviceHandler } from "./interval_advice_handler.ts";
import { MessagePackCodec } from "./message_pack_codec.ts";
import { RateLimitHandler, type RateLimitOptions } from "./rate_limit_handler.ts";
import { ReconnectHandler, type ReconnectOptions } from "./reconnect_handler.ts";
import type { SessionRegistry } from "./session/session_registry.ts";
import type { SessionHandler } from "./session_handler.ts";
import { SessionResponder } from "./session_responder.ts";
import { VarintFrameDecoder } from "./varint_frame_decoder.ts";
import { VarintFrameEncoder } from "./varint_frame_encoder.ts";

/**
 * What both ends of a link must agree on.
 *
 * @example Both ends, from one place
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { answerKeepAlive, EmbeddedChannel, keepAlive, type WireOptions } from "@longlink/pipeline";
 *
 * const wire: WireOptions = { maxFrameBytes: 65_536, codec: null }; // the application has bytes of its own
 * const client = new EmbeddedChannel({ handlers: keepAlive(wire) });
 * const server = new EmbeddedChannel({ handlers: answerKeepAlive(wire) });
 * client.writeOutbound(new Uint8Array([1, 2, 3]));
 * server.writeInbound(...client.drainOutbound());
 * assertEquals(server.drainInbound(), [new Uint8Array([1, 2, 3])]);
 * await Promise.all([client.close(), server.close()]);
 * ```
 */
export interface WireOptions {
  /** How heartbeats look. Default: `messagePackFormat()`. */
  readonly format?: HeartbeatFormat;
  /** The longest frame either way, in bytes, 1 (with a session 64) to 2^32 - 1. Default: 1,048,576. */
  readonly maxFrameBytes?: number;
  /**
   * What encodes and decodes the application's messages, or null: then the
   * application reads and writes `Uint8Array`. Default: a `MessagePackCodec`.
   */
  readonly codec?: ChannelHandler | null;
}

/**
 * Options of {@linkcode keepAlive}.
 *
 * @example Always two minutes, and nothing lost
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, EmbeddedChannel, fixedInterval, keepAlive } from "@longlink/pipeline";
 * import { type KeepAliveOptions, SessionHandler } from "@longlink/pipeline";
 *
 * const options: KeepAliveOptions = {
 *   strategy: fixedInterval(120_000),
 *   reconnect: { maxAttempts: 50 },
 *   session: new SessionHandler(),
 * };
 * const channel = new EmbeddedChannel({ active: false, handlers: keepAlive(options) });
 * assertEquals(channel.pipeline.get(AdaptiveIntervalHandler)?.snapshot()?.strategy, "fixed");
 * channel.connect("embedded://peer");
 * channel.write({ text: "hello" });
 * channel.loseLink();
 * assertEquals(channel.pipeline.get(SessionHandler)?.unacknowledged, 1);
 * ```
 */
export interface KeepAliveOptions extends WireOptions, AdaptiveIntervalOptions {
  /** Timing and bounds of reconnecting, or null: then the channel closes with its link. Default: on. */
  readonly reconnect?: ReconnectOptions | null;
  /**
   * A session, so that no message is lost or comes twice; the server must have
   * `sessions`. Made by the caller, so that a page without sessions does not
   * load them. Default: none.
   */
  readonly session?: SessionHandler;
  /**
   * What the client proves itself with, first on each link, where the server
   * has `authentication`. Default: nothing.
   */
  readonly credentials?: CredentialsHandler;
}

/**
 * Options of {@linkcode answerKeepAlive}.
 *
 * @example Sessions, and limits on who comes and what they send
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { answerKeepAlive, type AnswerKeepAliveOptions, ConnectionLimitHandler } from "@longlink/pipeline";
 * import { EmbeddedChannel, LimitError, SessionRegistry } from "@longlink/pipeline";
 *
 * const options: AnswerKeepAliveOptions = { // one for all channels of a server
 *   sessions: new SessionRegistry(),
 *   connections: new ConnectionLimitHandler({ maxPerAddress: 20 }),
 *   authentication: { authenticate: (credentials) => credentials === "key", deadlineMs: 5_000 },
 *   rateLimit: { framesPerSecond: 50 },
 * };
 * const channel = new EmbeddedChannel({ handlers: answerKeepAlive(options) });
 * assertThrows(() => channel.advanceBy(5_000), LimitError, "deadlineMs"); // nobody has said who it is
 * ```
 */
export interface AnswerKeepAliveOptions extends WireOptions, HeartbeatResponderOptions {
  /** The sessions of all channels of the server, for clients that ask for one. Default: there are none. */
  readonly sessions?: SessionRegistry;
  /** Who may come in; nobody is told of a peer that has not proven who it is. Default: everybody. */
  readonly authentication?: AuthenticationOptions;
  /** The limit of connections per address: one for all channels of the server. Default: no limit. */
  readonly connections?: ConnectionLimitHandler;
  /** How much a peer may send in a second. Default: no limit. */
  readonly rateLimit?: RateLimitOptions;
  /** Tells clients what others of their network have learned: one for all channels of the server. Default: nobody is told. */
  readonly advice?: IntervalAdviceHandler;
}

// These four have no state of a channel; a hundred thousand links share them.
const FRAME_ENCODER = new VarintFrameEncoder();
const HEARTBEAT_DECODER = new HeartbeatDecoder();
const HEARTBEAT_ENCODER = new HeartbeatEncoder();
const CODEC = new MessagePackCodec();
const DEFAULT_ADAPTIVE: AdaptiveIntervalOptions = { scoutHandlers: () => wire() };

/**
 * The handlers that keep a client's link alive, in their right order:
 *
 * 1. `IdleStateHandler` keeps the clocks of last read and last write.
 * 2. `VarintFrameDecoder`, `VarintFrameEncoder` cut the byte stream into
 *    messages; on a WebSocket they have nothing to do.
 * 3. `HeartbeatDecoder`, `HeartbeatEncoder` tell heartbeats from messages.
 * 4. `AdaptiveIntervalHandler` beats at the interval it learned, and notices
 *    when nobody answers.
 * 5. `ReconnectHandler` brings the link back, and holds what is written
 *    meanwhile.
 * 6. `CredentialsHandler`, if there are `credentials`, says who this is.
 * 7. `SessionHandler`, if there is a `session`, loses no message.
 * 8. `MessagePackCodec` makes the application's messages of bytes.
 *
 * Add the application's own handlers after them. Made anew by each call, for
 * one channel.
 *
 * @param options What differs from the defaults; the defaults suit most.
 * @returns The handlers, from head to tail.
 * @throws {RangeError} If a number is out of range.
 * @throws {TypeError} If `session` or `credentials` is no handler, or there is no such queue policy.
 *
 * @example The common case is one line
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, keepAlive } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ handlers: keepAlive() });
 * assertEquals((channel.readOutbound() as Uint8Array).length, 10); // the first heartbeat
 * await channel.close();
 * ```
 */
export function keepAlive(options?: KeepAliveOptions): ChannelHandler[] {
  if (options === undefined) {
    return [...wire(), new AdaptiveIntervalHandler(DEFAULT_ADAPTIVE), new ReconnectHandler(), CODEC];
  }
  const { reconnect, credentials, session, codec, maxFrameBytes } = options;
  if (session !== undefined) checkSessionFrames(maxFrameBytes);
  return [
    ...wire(options),
    new AdaptiveIntervalHandler({ scoutHandlers: () => wire(options), ...options }),
    ...(reconnect === null ? [] : [new ReconnectHandler(reconnect)]),
    ...given("credentials", "CredentialsHandler", credentials),
    ...given("session", "SessionHandler", session),
    ...codecs(codec),
  ];
}

/**
 * The handlers that answer a client's keep-alive on the server, in their right
 * order: as for {@linkcode keepAlive}, with a `HeartbeatResponder` in place of
 * the two that beat and reconnect, and before it what limits a peer, after it
 * who may come in, then the sessions.
 *
 * @param options What differs from the defaults. `format`, `maxFrameBytes` and
 *   `codec` must be the client's.
 * @returns The handlers, from head to tail.
 * @throws {RangeError} If a number is out of range.
 *
 * @example A server's pipeline
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { answerKeepAlive, EmbeddedChannel } from "@longlink/pipeline";
 *
 * const received: unknown[] = [];
 * const channel = new EmbeddedChannel({
 *   handlers: [...answerKeepAlive(), { channelRead: (_context, message) => received.push(message) }],
 * });
 * channel.writeInbound(new Uint8Array([3, 0xa2, 0x68, 0x69])); // a frame of 3 bytes: "hi" in MessagePack
 * assertEquals(received, ["hi"]);
 * await channel.close();
 * ```
 */
export function answerKeepAlive(options: AnswerKeepAliveOptions = {}): ChannelHandler[] {
  const { connections, rateLimit, advice, authentication, sessions, codec, maxFrameBytes } = options;
  if (sessions !== undefined) checkSessionFrames(maxFrameBytes);
  return [
    ...wire(options),
    ...(connections === undefined ? [] : [connections]),
    ...(rateLimit === undefined ? [] : [new RateLimitHandler(rateLimit)]),
    ...(advice === undefined ? [] : [advice]),
    new HeartbeatResponder(responderOptions(options)),
    ...(authentication === undefined ? [] : [new AuthenticationHandler(authentication)]),
    ...(sessions === undefined ? [] : [new SessionResponder({ sessions })]),
    ...codecs(codec),
  ];
}

function wire({ format, maxFrameBytes }: WireOptions = {}): ChannelHandler[] {
  return [
    new IdleStateHandler(),
    new VarintFrameDecoder({ maxFrameBytes }),
    maxFrameBytes === undefined ? FRAME_ENCODER : new VarintFrameEncoder({ maxFrameBytes }),
    format === undefined ? HEARTBEAT_DECODER : new HeartbeatDecoder({ format }),
    format === undefined ? HEARTBEAT_ENCODER : new HeartbeatEncoder({ format }),
  ];
}

/** What a format cannot say is not offered; waiting for a scout's first word would hold up every link. */
function responderOptions(options: AnswerKeepAliveOptions): HeartbeatResponderOptions {
  const kinds = options.format?.kinds;
  if (kinds === undefined) return options;
  return {
    ...options,
    hello: (options.hello ?? true) && kinds.includes("hello"),
    longestHoldMs: kinds.includes("hold") ? options.longestHoldMs : 0,
    maxScouts: kinds.includes("scout") ? options.maxScouts : 0,
  };
}

/** An object of options in place of a handler would be a handler that does nothing, and messages would be lost. */
function given(option: string, name: string, handler: ChannelHandler | undefined): ChannelHandler[] {
  if (handler === undefined) return [];
  if (typeof handler.channelActive !== "function") {
    throw new TypeError(`Cannot make the handlers: ${option} must be a ${name}`);
  }
  return [handler];
}

function codecs(codec: ChannelHandler | null = CODEC): ChannelHandler[] {
  return codec === null ? [] : [codec];
}
