/**
 * The clock, the timers and the randomness of channels. Handlers take all
 * three from here and never from globals, so that tests can move time by hand.
 *
 * @module
 */

/** A scheduled task. Cancelling twice, or after it ran, does nothing. */
export interface Timer {
  /** When it is due, in the loop's own time ({@linkcode EventLoop.now}), ms. */
  readonly dueMs: number;
  /** Whether it is still going to run. */
  readonly pending: boolean;
  /** Takes it out of the loop. */
  cancel(): void;
}

/** The loop found that it ran later than it had asked for. */
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

/** Clock, timers and randomness of the channels that share it. */
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
