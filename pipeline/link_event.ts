/**
 * What happens to a channel's link, as user events that every handler sees.
 *
 * @module
 */

/**
 * Why a link went down.
 *
 * - `closed`: this side closed the channel.
 * - `remoteClosed`: the peer closed in an orderly way (FIN, close frame).
 * - `reset`: the connection was reset (RST) or aborted.
 * - `unanswered`: the peer no longer answers heartbeats.
 * - `protocol`: the peer sent something after which the stream cannot be trusted.
 * - `networkChanged`: the network under the link is another one now.
 * - `error`: any other failure of the transport; the event's `error` tells more.
 */
export type LinkDownReason =
  | "closed"
  | "remoteClosed"
  | "reset"
  | "unanswered"
  | "protocol"
  | "networkChanged"
  | "error";

/** The channel has a link (again). Follows `channelActive`, once per link. */
export interface LinkUpEvent {
  /** Tells this event from others. */
  readonly type: "linkUp";
  /** Whether a session continued, so that nothing was lost in between. */
  readonly resumed: boolean;
}

/** The channel lost its link. Comes just before `channelInactive`. */
export interface LinkDownEvent {
  /** Tells this event from others. */
  readonly type: "linkDown";
  /** Why. */
  readonly reason: LinkDownReason;
  /** The error behind it, where there is one. */
  readonly error?: Error;
}
