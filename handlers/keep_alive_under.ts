/**
 * The handlers for the link of a client that knows nothing of them.
 *
 * @module
 */

import type { ChannelHandler } from "../pipeline/mod.ts";
import { fixedInterval } from "./adaptive/fixed_interval.ts";
import { AdaptiveIntervalHandler, type AdaptiveIntervalOptions } from "./adaptive_interval_handler.ts";
import type { HeartbeatFormat } from "./heartbeat/heartbeat_format.ts";
import type { ProtocolFormat } from "./heartbeat/protocol_format.ts";
import { HeartbeatDecoder } from "./heartbeat_decoder.ts";
import { HeartbeatEncoder } from "./heartbeat_encoder.ts";
import { IdleStateHandler } from "./idle_state_handler.ts";
import { LateIntervalHandler } from "./_late_interval_handler.ts";
import { ProtocolHeartbeatHandler } from "./protocol_heartbeat_handler.ts";
import { SilenceHandler, type SilenceOptions } from "./silence_handler.ts";

/**
 * Options of {@linkcode keepAliveUnder}.
 *
 * @example Beats every four minutes, where nothing forgets a link sooner
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AdaptiveIntervalHandler, EmbeddedChannel, fixedInterval } from "@longlink/pipeline";
 * import { keepAliveUnder, type KeepAliveUnderOptions, rawFormat } from "@longlink/pipeline";
 *
 * const options: KeepAliveUnderOptions = { strategy: fixedInterval(240_000), maxUnanswered: 3 };
 * const format = rawFormat({ ping: "ping", pong: "pong" });
 * const channel = new EmbeddedChannel({ keepsMessages: true, handlers: keepAliveUnder(format, options) });
 * channel.writeInbound("pong");
 * assertEquals(channel.pipeline.get(AdaptiveIntervalHandler)?.snapshot()?.intervalMs, 240_000);
 * await channel.close();
 * ```
 */
export interface KeepAliveUnderOptions
  extends Omit<AdaptiveIntervalOptions, "scoutHandlers">, SilenceOptions {}

/**
 * Shorter than the minute after which many proxies and load balancers forget a
 * link. The search for more is not the default here: a server that knows no
 * holds cannot prove that its messages still get through after a silence, which
 * behind many NATs they do not although a ping is answered.
 */
const DEFAULT_STRATEGY = fixedInterval(50_000);

/**
 * The handlers that keep the link of another protocol's client alive, below
 * that client and without its knowledge, in their right order:
 *
 * 1. `IdleStateHandler` keeps the clocks of last read and last write.
 * 2. `ProtocolHeartbeatHandler` puts the protocol's own pings between the
 *    client's packets and takes their answers out. For a format whose
 *    heartbeats are whole messages, `HeartbeatDecoder` and `HeartbeatEncoder`.
 * 3. `AdaptiveIntervalHandler` beats and notices when nobody answers; from the
 *    client's handshake on. Where the client cannot ask, or how is not known, a
 *    `SilenceHandler` notices what can be noticed.
 *
 * There is no `ReconnectHandler`: a protocol cannot go on on another link that
 * it does not know of. Its client sees the end of the link, within seconds, and
 * connects again by itself.
 *
 * Beats are 50 s apart unless another `strategy` is given. Where pushes matter
 * less than battery, or nothing on the way forgets a link,
 * `fixedInterval(240_000)` and `edge()` do with fewer; what a server without
 * holds lets `edge()` prove is told by the event `coverage`.
 *
 * @param format How the protocol's heartbeats look; undefined: it has none that could be asked with.
 * @param options Strategy and limits, as of an `AdaptiveIntervalHandler` and a `SilenceHandler`.
 * @returns The handlers, from head to tail; made anew by each call, for one channel.
 * @throws {RangeError} If a number is out of range.
 *
 * @example Under an MQTT client
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, keepAliveUnder, mqttFormat } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ handlers: keepAliveUnder(mqttFormat()) });
 * channel.writeOutbound(new Uint8Array([0x10, 13, 0, 4, 77, 81, 84, 84, 4, 2, 0, 0, 0, 1, 97])); // CONNECT
 * channel.writeInbound(new Uint8Array([0x20, 2, 0, 0])); // CONNACK
 * assertEquals(channel.drainOutbound().at(-1), new Uint8Array([0xc0, 0])); // the first beat
 * channel.writeInbound(new Uint8Array([0xd0, 0])); // its answer, which the client does not see
 * assertEquals(channel.drainInbound(), [new Uint8Array([0x20, 2, 0, 0])]);
 * await channel.close();
 * ```
 */
export function keepAliveUnder(
  format?: HeartbeatFormat | ProtocolFormat,
  options: KeepAliveUnderOptions = {},
): ChannelHandler[] {
  const idleState = new IdleStateHandler();
  const interval = { strategy: DEFAULT_STRATEGY, ...options };
  if (format === undefined) return [idleState, new SilenceHandler(options)];
  if (!("track" in format)) {
    return [
      idleState,
      new HeartbeatDecoder({ format }),
      new HeartbeatEncoder({ format }),
      new AdaptiveIntervalHandler(interval),
    ];
  }
  const protocol = new ProtocolHeartbeatHandler(format);
  if (!format.kinds.includes("ping")) return [idleState, protocol, new SilenceHandler(options)];
  // The encoder has nothing left to encode; the last handler reads in it what the format carries.
  return [idleState, new HeartbeatEncoder({ format }), protocol, new LateIntervalHandler(interval)];
}
