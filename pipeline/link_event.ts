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
 *
 * @example Only some reasons are worth a message to the user
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, type LinkDownEvent, type LinkDownReason } from "@longlink/pipeline";
 *
 * const silent: readonly LinkDownReason[] = ["closed", "networkChanged", "replaced"];
 * const shown: string[] = [];
 * const channel = new EmbeddedChannel({
 *   handlers: [{
 *     userEventTriggered(_context, event) {
 *       const { type, reason } = event as LinkDownEvent;
 *       if (type === "linkDown" && !silent.includes(reason)) shown.push(reason);
 *     },
 *   }],
 * });
 * channel.loseLink("unanswered");
 * assertEquals(shown, ["unanswered"]);
 * ```
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

/**
 * The channel has a link (again). Follows `channelActive`, once per link.
 *
 * @example Asking for what was missed, where no session kept it
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, type LinkUpEvent } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({
 *   active: false,
 *   handlers: [{
 *     userEventTriggered(context, event) {
 *       const up = event as LinkUpEvent;
 *       if (up.type === "linkUp" && !up.resumed) context.writeAndFlush("history, please");
 *     },
 *   }],
 * });
 * channel.connect("embedded://peer");
 * assertEquals(channel.readOutbound(), "history, please");
 * ```
 */
export interface LinkUpEvent {
  /** Tells this event from others. */
  readonly type: "linkUp";
  /** Whether a session continued, so that nothing was lost in between. */
  readonly resumed: boolean;
}

/**
 * The channel lost its link. Comes just before `channelInactive`.
 *
 * @example Showing why
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, type LinkDownEvent } from "@longlink/pipeline";
 *
 * let status = "online";
 * const channel = new EmbeddedChannel({
 *   handlers: [{
 *     userEventTriggered(_context, event) {
 *       const down = event as LinkDownEvent;
 *       if (down.type === "linkDown") status = `offline (${down.reason})`;
 *     },
 *   }],
 * });
 * channel.loseLink("reset");
 * assertEquals(status, "offline (reset)");
 * ```
 */
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
 *
 * @example Answering a peer that has said all it had to say
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap, type HalfCloseEvent, ServerBootstrap } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const transport = memory();
 * await using _server = await new ServerBootstrap({
 *   transport,
 *   pipeline: (p) =>
 *     p.addLast({
 *       userEventTriggered(context, event) {
 *         const half = event as HalfCloseEvent;
 *         if (half.type !== "halfClose" || half.ended !== "input") return;
 *         half.keep();
 *         context.writeAndFlush("so long").onSettled(() => context.channel.shutdownOutput());
 *       },
 *     }),
 * }).listen("memory://talk");
 * const heard = Promise.withResolvers<unknown>();
 * await using channel = await new Bootstrap({
 *   transport,
 *   pipeline: (p) => p.addLast({ channelRead: (_context, message) => heard.resolve(message) }),
 * }).connect("memory://talk");
 * channel.shutdownOutput();
 * assertEquals(new TextDecoder().decode(await heard.promise as Uint8Array), "so long");
 * ```
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
 *
 * @example A farewell before the server closes
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Bootstrap, type DrainEvent, ServerBootstrap } from "@longlink/pipeline";
 * import { memory } from "@longlink/pipeline/transports/memory";
 *
 * const transport = memory({ keepsMessages: true });
 * const accepted = Promise.withResolvers<void>();
 * const server = await new ServerBootstrap({
 *   transport,
 *   pipeline: (p) =>
 *     p.addLast({
 *       channelActive: () => accepted.resolve(),
 *       userEventTriggered(context, event) {
 *         const drain = event as DrainEvent;
 *         if (drain.type === "drain") drain.waitUntil(context.writeAndFlush("back soon"));
 *       },
 *     }),
 * }).listen("memory://farewell");
 * const heard = Promise.withResolvers<unknown>();
 * await new Bootstrap({
 *   transport,
 *   pipeline: (p) => p.addLast({ channelRead: (_context, message) => heard.resolve(message) }),
 * }).connect("memory://farewell");
 * await accepted.promise;
 * await server.close({ drain: {} });
 * assertEquals(await heard.promise, "back soon");
 * ```
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
