/**
 * What the handler that reconnects is doing, and what it tells of that.
 *
 * @module
 */

/**
 * What the handler is doing.
 *
 * - `idle`: nobody has asked for a link.
 * - `connecting`: a try is on its way.
 * - `up`: a link stands.
 * - `waiting`: the next try has its time.
 * - `offline`: there is no network, so nothing is tried.
 * - `stopped`: the channel was closed, or it has given up.
 *
 * @example What an application shows of its link
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, ReconnectHandler, type ReconnectState } from "@longlink/pipeline";
 *
 * const words: Record<ReconnectState, string> = {
 *   idle: "", connecting: "Connecting", up: "", waiting: "Connecting", offline: "No network", stopped: "Signed out",
 * };
 * const reconnect = new ReconnectHandler();
 * const channel = new EmbeddedChannel({ active: false, handlers: [reconnect] });
 * channel.connect("embedded://peer");
 * channel.pipeline.fireUserEventTriggered({ type: "network", state: "offline" });
 * channel.loseLink();
 * assertEquals(words[reconnect.state], "No network");
 * ```
 */
export type ReconnectState = "idle" | "connecting" | "up" | "waiting" | "offline" | "stopped";

/**
 * Why the handler does something else now.
 *
 * - `connect`: the application asked for a link.
 * - `linkUp`: a link stands.
 * - `linkLost`: it does not any more.
 * - `goAway`: it does not any more, and the server has said when to come back.
 * - `tryFailed`: no link came of the try.
 * - `waitOver`: it is time for the next try.
 * - `online`, `networkChanged`, `offline`: the network is back, another one, or gone.
 * - `woke`: the machine has slept.
 * - `foreground`: the application is looked at again.
 * - `closed`: the channel was closed.
 * - `gaveUp`: too many tries have failed, or the address is wrong for good.
 * - `aborted`: an `AbortSignal` has ended it.
 * - `removed`: the handler was taken out of the pipeline.
 *
 * @example Why each step was taken, for a log
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, ReconnectHandler, type ReconnectReason, type ReconnectStateEvent } from "@longlink/pipeline";
 *
 * const reasons: ReconnectReason[] = [];
 * const log = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const { type, reason } = event as ReconnectStateEvent;
 *     if (type === "reconnectState") reasons.push(reason);
 *   },
 * };
 * const channel = new EmbeddedChannel({ active: false, handlers: [new ReconnectHandler(), log] });
 * channel.connect("embedded://peer");
 * channel.writeInbound("welcome"); // the link proved valid
 * channel.loseLink();
 * channel.advanceBy(800);
 * assertEquals(reasons, ["connect", "linkUp", "linkLost", "waitOver", "linkUp"]);
 * ```
 */
export type ReconnectReason =
  | "connect"
  | "linkUp"
  | "linkLost"
  | "goAway"
  | "tryFailed"
  | "waitOver"
  | "online"
  | "networkChanged"
  | "offline"
  | "woke"
  | "foreground"
  | "closed"
  | "gaveUp"
  | "aborted"
  | "removed";

/**
 * The handler does something else now. From `connecting` to `connecting`: the
 * try before was given up for a new one, as it was made on a network that is
 * gone.
 *
 * @example A status line that follows the link
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, ReconnectHandler, type ReconnectStateEvent } from "@longlink/pipeline";
 *
 * let line = "";
 * const status = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const change = event as ReconnectStateEvent;
 *     if (change.type === "reconnectState") line = `${change.previous} -> ${change.state} (${change.reason})`;
 *   },
 * };
 * const channel = new EmbeddedChannel({ active: false, handlers: [new ReconnectHandler(), status] });
 * channel.connect("embedded://peer");
 * channel.loseLink();
 * assertEquals(line, "up -> waiting (linkLost)");
 * ```
 */
export interface ReconnectStateEvent {
  /** Tells this event from others. */
  readonly type: "reconnectState";
  /** What it does now. */
  readonly state: ReconnectState;
  /** What it did before. */
  readonly previous: ReconnectState;
  /** Why. */
  readonly reason: ReconnectReason;
}

/**
 * A try to reconnect is due after a wait. Follows the `reconnectState` that
 * tells why.
 *
 * @example What the user sees while there is no link
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, type ReconnectEvent, ReconnectHandler } from "@longlink/pipeline";
 *
 * let line = "";
 * const show = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const { type, attempt, delayMs } = event as ReconnectEvent;
 *     if (type === "reconnect") line = `Try ${attempt} within ${Math.ceil(delayMs / 1_000)} s`;
 *   },
 * };
 * const channel = new EmbeddedChannel({ active: false, handlers: [new ReconnectHandler(), show] });
 * channel.connect("embedded://peer");
 * channel.writeInbound("welcome"); // the link proved valid
 * channel.loseLink();
 * assertEquals(line, "Try 1 within 1 s");
 * ```
 */
export interface ReconnectEvent {
  /** Tells this event from others. */
  readonly type: "reconnect";
  /** Which try since the link last proved valid, from 1. */
  readonly attempt: number;
  /** How long until then, ms. */
  readonly delayMs: number;
  /** What the try before failed with, if it did. */
  readonly error?: unknown;
}

/**
 * No more tries: the channel is about to close. Once at most, and not where the
 * application closed the channel itself.
 *
 * @example What the user is told at the end
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { ConnectError, EmbeddedChannel, type ReconnectFailedEvent, ReconnectHandler } from "@longlink/pipeline";
 *
 * let notice = "";
 * const tellUser = {
 *   userEventTriggered: (_context: unknown, event: unknown) => {
 *     const failed = event as ReconnectFailedEvent;
 *     if (failed.type === "reconnectFailed") notice = `Given up after ${failed.attempts}: ${failed.error}`;
 *   },
 * };
 * const channel = new EmbeddedChannel({
 *   active: false,
 *   handlers: [new ReconnectHandler({ maxAttempts: 1 }), tellUser],
 *   onConnect: ({ address }) => { throw new ConnectError(address, "connection refused"); },
 * });
 * await assertRejects(async () => await channel.connect("embedded://peer"), ConnectError, "refused");
 * assertEquals(notice, "Given up after 1: ConnectError: Cannot connect to embedded://peer: connection refused");
 * ```
 */
export interface ReconnectFailedEvent {
  /** Tells this event from others. */
  readonly type: "reconnectFailed";
  /** How many tries have failed since the link last proved valid. */
  readonly attempts: number;
  /** What the last one failed with, or the reason of the `AbortSignal`. */
  readonly error: unknown;
  /** Why: `maxAttempts` have failed, an `AbortSignal` was `aborted`, or no address is one (`badAddress`). */
  readonly reason: "maxAttempts" | "aborted" | "badAddress";
}
