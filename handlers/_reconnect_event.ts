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

/** A try to reconnect is due after a wait. Follows the `reconnectState` that tells why. */
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

/** No more tries: the channel is about to close. Once at most, and not where the application closed the channel itself. */
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
