/**
 * Heartbeats that travel among the packets of another protocol.
 *
 * @module
 */

import type { PeerError, WireMessage } from "../../pipeline/mod.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { HeartbeatFormat } from "./heartbeat_format.ts";

/**
 * The client and its server have shaken hands: from now on heartbeats may go out. Once per link.
 *
 * @example When a NATS server has accepted its client
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, natsFormat, ProtocolHeartbeatHandler, type ProtocolReadyEvent } from "@longlink/pipeline";
 *
 * let isReady = false;
 * const look = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     if ((event as ProtocolReadyEvent).type === "protocolReady") isReady = true;
 *   },
 * };
 * const channel = new EmbeddedChannel({ handlers: [new ProtocolHeartbeatHandler(natsFormat()), look] });
 * channel.writeOutbound(new TextEncoder().encode("CONNECT {}\r\nPING\r\n"));
 * assertEquals(isReady, false);
 * channel.writeInbound(new TextEncoder().encode("PONG\r\n"));
 * assertEquals(isReady, true);
 * ```
 */
export interface ProtocolReadyEvent {
  /** Tells this event from others. */
  readonly type: "protocolReady";
}

/**
 * The server has said how often it will speak at least.
 *
 * @example Showing how soon a dead link will be noticed
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, engineIoFormat, keepAliveUnder, type ServerPingsEvent } from "@longlink/pipeline";
 *
 * let noticedMs = Infinity;
 * const look = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const { type, longestSilenceMs } = event as ServerPingsEvent;
 *     if (type === "serverPings") noticedMs = longestSilenceMs;
 *   },
 * };
 * const handlers = [...keepAliveUnder(engineIoFormat()), look];
 * const channel = new EmbeddedChannel({ keepsMessages: true, handlers });
 * channel.writeInbound('0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":25000,"pingTimeout":20000}');
 * assertEquals(noticedMs, 30_000);
 * await channel.close();
 * ```
 */
export interface ServerPingsEvent {
  /** Tells this event from others. */
  readonly type: "serverPings";
  /** The longest silence of the server that a link may have which lives, ms. */
  readonly longestSilenceMs: number;
}

/**
 * What a message of the peer is made of: what the client above gets, byte by
 * byte as it came; heartbeats of ours; events; errors, such as what the peer
 * complains of. After a `DecodeError` nothing can be made of what follows, and
 * the link is dropped.
 *
 * @example What a NATS server's bytes are made of
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Heartbeat, natsFormat, type ProtocolPart } from "@longlink/pipeline";
 *
 * const nameOf = (part: ProtocolPart) => {
 *   if (part instanceof Heartbeat) return part.kind;
 *   return part instanceof Error ? part.name : part instanceof Uint8Array ? "bytes" : "event";
 * };
 * const tracker = natsFormat().track();
 * tracker.sent(new TextEncoder().encode("CONNECT {}\r\n"));
 * tracker.ping(new Heartbeat("ping"));
 * const parts = tracker.received(new TextEncoder().encode("+OK\r\nPONG\r\n-ERR 'Slow Consumer'\r\n"));
 * assertEquals(parts.map(nameOf), ["bytes", "event", "pong", "bytes", "PeerError"]);
 * ```
 */
export type ProtocolPart = WireMessage | Heartbeat | ProtocolReadyEvent | ServerPingsEvent | Error;

/**
 * Follows one link of a protocol in both directions: where its packets begin
 * and end, and whose pings the answers belong to.
 *
 * @example No ping within a packet
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { natsFormat, type ProtocolTracker } from "@longlink/pipeline";
 *
 * const utf8 = (text: string) => new TextEncoder().encode(text);
 * const tracker: ProtocolTracker = natsFormat().track();
 * tracker.sent(utf8("CONNECT {}\r\n"));
 * tracker.received(utf8("+OK\r\n"));
 * assertEquals(tracker.mayPing, true);
 * tracker.sent(utf8("PUB news 5\r\nhel"));
 * assertEquals(tracker.mayPing, false);
 * ```
 */
export interface ProtocolTracker {
  /** Whether a ping may go out now: hands were shaken, and the client is between two of its packets. */
  readonly mayPing: boolean;
  /**
   * Takes note of what the client sends.
   *
   * @param message What goes out next; not kept, not changed.
   * @returns An error if it can no longer be followed; then no ping may go out any more.
   */
  sent(message: WireMessage): Error | undefined;
  /**
   * A ping of ours goes out now.
   *
   * @param ping The ping.
   * @returns How it looks.
   */
  ping(ping: Heartbeat): WireMessage;
  /**
   * Takes apart what the peer sent.
   *
   * @param message What came in, any part of a packet or several.
   * @returns Its parts, in order.
   */
  received(message: WireMessage): readonly ProtocolPart[];
  /** What was held back, as it might have become an answer to a ping of ours; the link is gone. */
  rest(): Uint8Array | undefined;
  /**
   * The peer has ended the link and has not said why.
   *
   * @param silentMs How long nothing had been sent, ms.
   * @returns Why, if the protocol's rules tell.
   */
  ended?(silentMs: number): PeerError | undefined;
}

/**
 * A format of heartbeats for the link of another protocol's client, which
 * knows nothing of them: they go out between its packets, and their answers are
 * taken out of what the server sends. See `keepAliveUnder()`.
 *
 * @example For a chat over WebSocket whose server answers "." with "!"
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, Heartbeat, type ProtocolFormat, ProtocolHeartbeatHandler, rawFormat } from "@longlink/pipeline";
 *
 * const chat: ProtocolFormat = {
 *   ...rawFormat({ ping: ".", pong: "!" }),
 *   track: () => ({
 *     mayPing: true,
 *     sent: () => undefined,
 *     ping: () => ".",
 *     received: (message) => [message === "!" ? new Heartbeat("pong") : message],
 *     rest: () => undefined,
 *   }),
 * };
 * const channel = new EmbeddedChannel({ keepsMessages: true, handlers: [new ProtocolHeartbeatHandler(chat)] });
 * channel.writeOutbound(new Heartbeat("ping"));
 * channel.writeInbound("!", "hello");
 * assertEquals(channel.drainOutbound(), ["."]);
 * assertEquals(channel.drainInbound(), [new Heartbeat("pong"), "hello"]);
 * ```
 */
export interface ProtocolFormat extends HeartbeatFormat {
  /** Makes what follows one link, from its first byte on. */
  track(): ProtocolTracker;
}
