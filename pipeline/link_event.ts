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
 * - `replaced`: the peer has come back on another link, so this one is not wanted any more.
 * - `error`: any other failure of the transport; the event's `error` tells more.
 */
export type LinkDownReason =
  | "closed"
  | "remoteClosed"
  | "reset"
  | "unanswered"
  | "protocol"
  | "networkChanged"
  | "replaced"
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

/**
 * One direction of the link ends, and the other one could go on, as TCP can
 * half-close (in Netty: `ChannelInputShutdownEvent`, `shutdownOutput`). The link
 * ends as a whole unless a handler says that it is to be kept. A handler to which
 * half a link is of no use, such as one that needs answers, does not pass this
 * on; so with heartbeats a link is never half-closed.
 */
export interface HalfCloseEvent {
  /** Tells this event from others. */
  readonly type: "halfClose";
  /**
   * - `input`: the peer has ended its direction; all that it sent was read.
   * - `output`: somebody is about to call `channel.shutdownOutput()`, and asks whether all handlers can do without.
   */
  readonly ended: "input" | "output";
  /** Lets the other direction go on. Whoever calls this has to end it. */
  keep(): void;
}

/**
 * The server is about to close all its channels: fired at each pipeline, also
 * of channels without a link, by `ServerChannel.close({ drain })`. A handler
 * that has something to finish (a farewell to send, a store to write) says so
 * with `waitUntil`; what is not finished by the deadline is cut off.
 */
export interface DrainEvent {
  /** Tells this event from others. */
  readonly type: "drain";
  /** How long the peer is to stay away, ms: a random time within the window, another one for each channel. */
  readonly comeBackMs: number;
  /** When the channel is closed at the latest, in the loop's time, ms. */
  readonly deadlineMs: number;
  /** Puts the close off until the promise is settled, and at most to the deadline. */
  waitUntil(promise: PromiseLike<unknown>): void;
}
