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
 *
 * @example A user who stays away for too long
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, SessionHandler, type SessionLostEvent, type SessionLostReason } from "@longlink/pipeline";
 * import { SessionRegistry, SessionResponder } from "@longlink/pipeline";
 *
 * const reasons: SessionLostReason[] = [];
 * const log = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const { type, reason } = event as SessionLostEvent;
 *     if (type === "sessionLost") reasons.push(reason);
 *   },
 * };
 * const sessions = new SessionRegistry({ retentionMs: 60_000 });
 * const client = new EmbeddedChannel({ handlers: [new SessionHandler()] });
 * const server = new EmbeddedChannel({ handlers: [new SessionResponder({ sessions }), log] });
 * server.writeInbound(...client.drainOutbound());
 * server.loseLink();
 * server.advanceBy(60_000);
 * assertEquals(reasons, ["expired"]);
 * ```
 */
export type SessionLostReason = "unknown" | "expired" | "evicted" | "ended" | "closed" | "taken";

/**
 * The session is gone, and with it what would have been sent again. Comes once
 * per session, and not at all for one that either side has closed with nothing
 * left to confirm.
 *
 * @example Asking the user about messages that may be lost
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, SessionHandler, type SessionLostEvent } from "@longlink/pipeline";
 *
 * const doubtful: unknown[] = [];
 * const tellUser = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const lost = event as SessionLostEvent;
 *     if (lost.type === "sessionLost") doubtful.push(...lost.unconfirmed);
 *   },
 * };
 * const channel = new EmbeddedChannel({ handlers: [new SessionHandler(), tellUser] });
 * channel.write(new Uint8Array([1, 2, 3])).onSettled(() => {});
 * const closed = channel.close();
 * channel.advanceBy(2_000); // no server answers
 * await closed;
 * assertEquals(doubtful, [new Uint8Array([1, 2, 3])]);
 * ```
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

/**
 * Where in which session a message is. For an application that keeps what it
 * has done, and drops what comes again.
 *
 * @example Writing down how far the work is done
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, SessionHandler, type SessionPosition } from "@longlink/pipeline";
 * import { SessionRegistry, SessionResponder } from "@longlink/pipeline";
 *
 * const done: SessionPosition[] = []; // in a database, together with what was done about the message
 * const responder = new SessionResponder({ sessions: new SessionRegistry() });
 * const client = new EmbeddedChannel({ handlers: [new SessionHandler()] });
 * const server = new EmbeddedChannel({
 *   handlers: [responder, { channelRead: () => void done.push(responder.receiving!) }],
 * });
 * server.writeInbound(...client.drainOutbound());
 * client.writeInbound(...server.drainOutbound()); // the session is open
 * client.writeOutbound(new Uint8Array([1]), new Uint8Array([2]));
 * server.writeInbound(...client.drainOutbound());
 * assertEquals(done.map(({ sequence }) => sequence), [1, 2]);
 * ```
 */
export interface SessionPosition {
  /** The session's id. */
  readonly sessionId: string;
  /** The message's number, from 1. */
  readonly sequence: number;
}
