/**
 * What sessions tell the application: user events of the pipeline. That a
 * session goes on is told by `linkUp` with `resumed: true`.
 *
 * @module
 */

/**
 * Why a session is gone.
 *
 * - `unknown`: the server has none of that name; it has expired there, or the
 *   server was started anew without its store.
 * - `expired`: the client stayed away for longer than the server keeps it.
 * - `evicted`: the server had to make room.
 * - `ended`: the peer has closed it.
 * - `closed`: this side has closed it before all was confirmed.
 * - `taken`: another process or page goes on with it.
 */
export type SessionLostReason = "unknown" | "expired" | "evicted" | "ended" | "closed" | "taken";

/**
 * The session is gone, and with it what would have been sent again. Comes once
 * per session, and not at all for one that ends with nothing left to confirm.
 */
export interface SessionLostEvent {
  /** Tells this event from others. */
  readonly type: "sessionLost";
  /** Why. */
  readonly reason: SessionLostReason;
  /** The session's id. */
  readonly sessionId: string;
  /**
   * The messages of this side that were sent, or may have been, and were never
   * confirmed, oldest first, as the application wrote them: the peer has got
   * all, some or none of them. A client sends what was never sent on the next
   * session, so it is not among them.
   */
  readonly unconfirmed: readonly unknown[];
}

/** Where in which session a message is. For an application that keeps what it has done, and drops what comes again. */
export interface SessionPosition {
  /** The session's id. */
  readonly sessionId: string;
  /** The message's number, from 1. */
  readonly sequence: number;
}
