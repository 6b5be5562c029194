/**
 * Heartbeats that travel among the packets of another protocol.
 *
 * @module
 */

import type { PeerError, WireMessage } from "../../pipeline/mod.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { HeartbeatFormat } from "./heartbeat_format.ts";

/** The client and its server have shaken hands: from now on heartbeats may go out. Once per link. */
export interface ProtocolReadyEvent {
  /** Tells this event from others. */
  readonly type: "protocolReady";
}

/** The server has said how often it will speak at least. */
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
 */
export type ProtocolPart = WireMessage | Heartbeat | ProtocolReadyEvent | ServerPingsEvent | Error;

/**
 * Follows one link of a protocol in both directions: where its packets begin
 * and end, and whose pings the answers belong to.
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
 */
export interface ProtocolFormat extends HeartbeatFormat {
  /** Makes what follows one link, from its first byte on. */
  track(): ProtocolTracker;
}
