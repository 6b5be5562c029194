/**
 * The clock, the timers and the randomness of channels. Handlers take all
 * three from here and never from globals, so that tests can move time by hand.
 *
 * @module
 */

/**
 * A scheduled task. Cancelling twice, or after it ran, does nothing.
 *
 * @example A deadline that was kept
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type Timer, VirtualEventLoop } from "@longlink/pipeline";
 *
 * const loop = new VirtualEventLoop();
 * const deadline: Timer = loop.schedule(5_000, () => console.log("too late"));
 * loop.advanceBy(4_999);
 * deadline.cancel();
 * assertEquals([deadline.dueMs, deadline.pending], [5_000, false]);
 * ```
 */
export interface Timer {
  /** When it is due, in the loop's own time ({@linkcode EventLoop.now}), ms. */
  readonly dueMs: number;
  /** Whether it is still going to run. */
  readonly pending: boolean;
  /** Takes it out of the loop. */
  cancel(): void;
}

/**
 * The loop found that it ran later than it had asked for.
 *
 * @example Noticing that the machine slept
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type LateNotice, VirtualEventLoop } from "@longlink/pipeline";
 *
 * const loop = new VirtualEventLoop();
 * const notices: LateNotice[] = [];
 * loop.onLate((notice) => notices.push(notice));
 * loop.sleep(60_000);
 * loop.advanceBy(1);
 * assertEquals(notices.map(({ kind }) => kind), ["slept"]);
 * ```
 */
export interface LateNotice {
  /**
   * `slept`: the wall clock went on while the monotonic clock stood still
   * (suspended machine). `throttled`: the host ran the timer late (hidden
   * browser tab, stopped process, blocked thread).
   */
  readonly kind: "slept" | "throttled";
  /** How much later than wanted, ms. */
  readonly lateMs: number;
}

/**
 * Clock, timers and randomness of the channels that share it.
 *
 * @example Time from the loop, so that a test can move it
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type EventLoop, VirtualEventLoop } from "@longlink/pipeline";
 *
 * const stopwatch = (loop: EventLoop) => {
 *   const startMs = loop.now();
 *   return () => loop.now() - startMs;
 * };
 * const loop = new VirtualEventLoop();
 * const elapsedMs = stopwatch(loop);
 * loop.advanceBy(250);
 * assertEquals(elapsedMs(), 250);
 * ```
 */
export interface EventLoop {
  /**
   * Time in ms since an arbitrary start. Never goes back, and goes on while
   * the machine sleeps: where the platform's monotonic clock stands still
   * during a suspend, the wall clock's advance is taken instead.
   */
  now(): number;
  /** Wall-clock time in ms since 1970, for records that outlive the process. */
  wallNow(): number;
  /** A number from 0 (included) to 1 (excluded). Not for secrets. */
  random(): number;
  /**
   * Runs `task(argument)` after at least `delayMs`.
   *
   * Passing the argument separately lets a caller with very many timers
   * share one function instead of keeping a closure for each.
   *
   * @param delayMs Delay in ms, 0 or more; may be above 2^31; fractions round up.
   * @param task What to run. A throw is reported and harms no other timer.
   * @param argument Passed to the task.
   * @throws {RangeError} If the delay is negative or not a finite number.
   */
  schedule<T = undefined>(delayMs: number, task: (argument: T) => void, argument?: T): Timer;
  /**
   * The {@linkcode now} at which the loop last found itself late by more than
   * its tolerance, or -Infinity. Lets a handler ask "was I on time since?"
   * without a listener per channel.
   */
  readonly lastLateMs: number;
  /**
   * Calls the listener each time the loop finds itself late.
   *
   * @returns A function that takes the listener off again.
   */
  onLate(listener: (notice: LateNotice) => void): () => void;
}
