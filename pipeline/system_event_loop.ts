/**
 * The event loop of production code: real time behind one host timer.
 *
 * @module
 */

import { LateListeners } from "./_late_listeners.ts";
import { deadline, type Task, TimerWheel } from "./_timer_wheel.ts";
import type { EventLoop, LateNotice, Timer } from "./event_loop.ts";

/** Hosts keep the delay in 32 signed bits; a longer one fires at once. */
const LONGEST_HOST_DELAY_MS = 2 ** 31 - 1;
const DEFAULT_LATE_TOLERANCE_MS = 1000;
/** Below this the wall clock's steps of a millisecond would look like sleeps. */
const MIN_LATE_TOLERANCE_MS = 10;
/**
 * A delay of at least this many ms may take up to 1/256 longer, at most
 * LONGEST_TICK_MS: the timers of very many idle links then share wake-ups,
 * each of which costs a process more than what it does for one link. A link's
 * interval keeps 1 s below what its network was seen to bear.
 */
const LONG_DELAY_MS = 10_000;
const TICKS_PER_DELAY = 256;
const LONGEST_TICK_MS = 512;
/** How many timers are looked at for an exact next deadline; above, one extra wake-up is cheaper. */
const SCAN_LIMIT = 64;

/**
 * What a {@linkcode SystemEventLoop} takes from its platform.
 *
 * @example Randomness of one's own
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { SystemEventLoop, type SystemHost } from "@longlink/pipeline";
 *
 * const host: SystemHost = {
 *   monotonicNow: () => performance.now(),
 *   wallNow: () => Date.now(),
 *   random: () => 0.25,
 *   setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
 *   clearTimeout: (handle) => clearTimeout(handle as number),
 * };
 * assertEquals(new SystemEventLoop({ host }).random(), 0.25);
 * ```
 */
export interface SystemHost {
  /** Time in ms that never goes back and may stand still while the machine sleeps. */
  monotonicNow(): number;
  /** Wall-clock time in ms since 1970; may be set forth and back. {@linkcode SystemEventLoop.now} moves when it does. */
  wallNow(): number;
  /** A number from 0 (included) to 1 (excluded). */
  random(): number;
  /** Calls back once, after `delayMs` (0 to 2^31 - 1) or later. */
  setTimeout(callback: () => void, delayMs: number): unknown;
  /** Takes back what {@linkcode setTimeout} returned. */
  clearTimeout(handle: unknown): void;
}

/**
 * Options of a {@linkcode SystemEventLoop}.
 *
 * @example Noticing a sleep soon after waking
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { SystemEventLoop, type SystemEventLoopOptions } from "@longlink/pipeline";
 *
 * const options: SystemEventLoopOptions = { wakeTickMs: 30_000 };
 * const loop = new SystemEventLoop(options);
 * loop.onLate(({ kind, lateMs }) => console.log(kind, lateMs));
 * assertThrows(() => new SystemEventLoop({ lateToleranceMs: 1 }), RangeError, "lateToleranceMs is 1");
 * ```
 */
export interface SystemEventLoopOptions {
  /**
   * By how much the loop may be late before it says so, in ms, at least 10.
   *
   * @default {1000}
   */
  readonly lateToleranceMs?: number;
  /**
   * While timers are pending, looks at the clocks at least this often, in ms
   * above 0, so that a sleep is noticed soon after waking even if nothing is
   * due and nothing comes in. 30_000 is a good value where the link matters
   * more than a wake-up. No second host timer is used.
   *
   * Without it a sleep is noticed by the first event that looks at the clock
   * (any read, write, or event of the network or the page) and at the latest by
   * the next timer. Where the host's timers stand still during a suspend (Linux,
   * macOS) that one has as long to wait as before the sleep, up to an hour or two
   * on a link with a long interval.
   *
   * @default {undefined} No extra looks.
   */
  readonly wakeTickMs?: number;
  /**
   * Gets what a task or a late listener threw.
   *
   * @default {console.error}
   */
  readonly onError?: (error: unknown) => void;
  /**
   * Where clocks, host timer and randomness come from.
   *
   * @default {the platform's globals}
   */
  readonly host?: SystemHost;
}

const GLOBALS: SystemHost = {
  monotonicNow: () => performance.now(),
  wallNow: () => Date.now(),
  random: () => Math.random(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (handle) => clearTimeout(handle as number),
};

let shared: SystemEventLoop | undefined;

/**
 * The loop that channels share unless they are given another: one per
 * process, made when first asked for.
 *
 * @returns The shared loop.
 *
 * @example There is one
 * ```ts
 * import { assertStrictEquals } from "@std/assert";
 * import { systemEventLoop } from "@longlink/pipeline";
 *
 * assertStrictEquals(systemEventLoop(), systemEventLoop());
 * ```
 */
export function systemEventLoop(): SystemEventLoop {
  return shared ??= new SystemEventLoop();
}

/**
 * The platform's clocks, and any number of timers behind a single host timer.
 *
 * Timers wait in a hierarchical timer wheel: setting and cancelling one costs
 * a fraction of a microsecond and no host timer. A turn runs the timers that
 * were due when it began, by deadline, then by order of scheduling; what their
 * tasks schedule runs in a later turn, so that I/O gets its share. With no
 * timer pending, the loop does not keep the process alive. Timers of 10 s and
 * more are up to 1/256 of their delay late, at most 512 ms, so that those of
 * very many links run together.
 *
 * {@linkcode now} goes on during a suspend: where the wall clock advanced more
 * than the monotonic one by over the tolerance, the difference is added. (A
 * wall clock set forward by hand looks the same. One set back changes
 * nothing.) Every call looks, so the first event after waking knows.
 *
 * @example Scheduling and cancelling
 * ```ts
 * import { assert, assertFalse } from "@std/assert";
 * import { SystemEventLoop } from "@longlink/pipeline";
 *
 * const loop = new SystemEventLoop();
 * const timer = loop.schedule(60_000, (name) => console.log(name), "tea");
 * assert(timer.pending);
 * timer.cancel();
 * assertFalse(timer.pending);
 * ```
 */
export class SystemEventLoop implements EventLoop {
  readonly #host: SystemHost;
  readonly #onError: (error: unknown) => void;
  readonly #toleranceMs: number;
  readonly #longestWaitMs: number;
  readonly #wheel: TimerWheel;
  readonly #listeners = new LateListeners();

  readonly #originMs: number;
  /** What the clocks said at the last look, and the time that followed from it. */
  #wallMs: number;
  #nowMs = 0;
  /** Wall minus monotonic clock at the last look. */
  #skewMs: number;
  /** All sleeps so far. */
  #sleptMs = 0;
  #lastLateMs = -Infinity;
  /** A sleep that the listeners have not been told of. */
  #untoldSleepMs = 0;

  #hostTimer: unknown = undefined;
  /**
   * When the host timer should fire; a timer due earlier needs it armed anew.
   * Infinity while it is not armed, -Infinity during a turn, which arms at its end.
   */
  #wantedMs = Infinity;
  #sleptWhenArmedMs = 0;
  /** The last tick of the turn in progress. What its tasks schedule comes after it. */
  #turnTick = -1;
  #disarmQueued = false;

  readonly #hostTimerFired = (): void => this.#turn();
  readonly #disarmIfEmpty = (): void => {
    this.#disarmQueued = false;
    if (this.#wheel.size === 0) this.#disarm();
  };

  /**
   * Makes a loop whose time begins at 0. It takes no host timer before one is needed.
   *
   * @param options Tolerance, wake tick, error sink and host.
   * @throws {RangeError} If `lateToleranceMs` is below 10 or `wakeTickMs` is not above 0.
   */
  constructor(options: SystemEventLoopOptions = {}) {
    const { lateToleranceMs = DEFAULT_LATE_TOLERANCE_MS, wakeTickMs, onError, host = GLOBALS } = options;
    if (!(lateToleranceMs >= MIN_LATE_TOLERANCE_MS)) {
      throw new RangeError(
        `Cannot create an event loop: lateToleranceMs is ${lateToleranceMs}, wanted at least ${MIN_LATE_TOLERANCE_MS}`,
      );
    }
    if (wakeTickMs !== undefined && !(wakeTickMs > 0)) {
      throw new RangeError(`Cannot create an event loop: wakeTickMs is ${wakeTickMs}, wanted above 0`);
    }
    this.#host = host;
    this.#onError = onError ?? ((error) => console.error(error));
    this.#toleranceMs = lateToleranceMs;
    this.#longestWaitMs = Math.min(wakeTickMs ?? Infinity, LONGEST_HOST_DELAY_MS);
    this.#originMs = host.monotonicNow();
    this.#wallMs = host.wallNow();
    this.#skewMs = this.#wallMs - this.#originMs;
    // Not at once: a caller that cancels its only timer and sets the next one,
    // over and over, would pay for two host calls each time.
    this.#wheel = new TimerWheel(0, () => {
      if (this.#disarmQueued || this.#hostTimer === undefined) return;
      this.#disarmQueued = true;
      queueMicrotask(this.#disarmIfEmpty);
    });
  }

  /** When the loop last found itself late by more than the tolerance, or -Infinity. */
  get lastLateMs(): number {
    return this.#lastLateMs;
  }

  /**
   * Time in ms since the loop was made, sleeps included, as exact as the steps
   * of the wall clock (1 ms). Allocates nothing.
   */
  now(): number {
    const wallMs = this.#host.wallNow();
    // Every read and write of every channel asks, many times within one
    // millisecond: the second clock, the dearer one, is read once in each.
    if (wallMs === this.#wallMs) return this.#nowMs;
    this.#wallMs = wallMs;
    const monotonicMs = this.#host.monotonicNow();
    const skewMs = wallMs - monotonicMs;
    const jumpMs = skewMs - this.#skewMs;
    this.#skewMs = skewMs;
    this.#nowMs = monotonicMs - this.#originMs + this.#sleptMs;
    if (jumpMs > this.#toleranceMs) this.#foundSleep(jumpMs);
    return this.#nowMs;
  }

  /** Wall-clock time in ms since 1970. */
  wallNow(): number {
    return this.#host.wallNow();
  }

  /** A number from 0 (included) to 1 (excluded). Not for secrets. */
  random(): number {
    return this.#host.random();
  }

  /**
   * Runs `task(argument)` after at least `delayMs`, in a later turn.
   *
   * @param delayMs Delay in ms, 0 or more; may be above 2^31; fractions round up.
   * @param task What to run. What it throws goes to `onError` and harms no other timer.
   * @param argument Passed to the task.
   * @returns The timer, to cancel it.
   * @throws {RangeError} If the delay is negative or not a finite number.
   */
  schedule<T = undefined>(delayMs: number, task: (argument: T) => void, argument?: T): Timer {
    const nowMs = this.now();
    let dueMs = deadline(nowMs, delayMs);
    if (delayMs >= LONG_DELAY_MS) dueMs = wholeTick(dueMs, delayMs);
    // A clock with steps of a whole ms may stand still for the whole turn: a
    // task that schedules itself with delay 0 would keep the turn from ending.
    if (dueMs <= this.#turnTick) dueMs = this.#turnTick + 1;
    const timer = this.#wheel.schedule(dueMs, task as Task, argument);
    if (dueMs < this.#wantedMs) this.#arm(dueMs, nowMs, this.#sleptMs);
    return timer;
  }

  /**
   * Calls the listener each time the loop finds itself late: `slept` as soon
   * as a look at the clocks shows it, and before any timer runs late because of
   * it; `throttled` when the host timer fires too late. One lateness, one notice.
   *
   * @param listener Gets the kind and by how much.
   * @returns A function that takes the listener off again.
   */
  onLate(listener: (notice: LateNotice) => void): () => void {
    return this.#listeners.add(listener);
  }

  #turn(): void {
    this.#hostTimer = undefined;
    const wantedMs = this.#wantedMs;
    this.#wantedMs = -Infinity;
    const sleptWhenArmedMs = this.#sleptWhenArmedMs;
    const nowMs = this.now();
    const sleptAtStartMs = this.#sleptMs;
    this.#turnTick = Math.floor(nowMs);
    try {
      this.#tellOfSleep();
      // What the machine slept is no fault of the host timer, and was told of.
      const lateMs = nowMs - wantedMs - (sleptAtStartMs - sleptWhenArmedMs);
      if (lateMs > this.#toleranceMs) {
        this.#lastLateMs = nowMs;
        this.#listeners.notify({ kind: "throttled", lateMs }, this.#onError);
      }
      this.#runDue(nowMs);
    } finally {
      // Also when onError throws: the other timers must not wait for ever.
      this.#turnTick = -1;
      this.#wantedMs = Infinity;
      const nextMs = this.#wheel.nextDueMs(SCAN_LIMIT);
      // Counted from the start, so that what is overdue because of a sleep
      // during the turn is not taken for throttled in the next.
      if (nextMs !== undefined) this.#arm(nextMs, this.now(), sleptAtStartMs);
    }
  }

  #runDue(nowMs: number): void {
    for (let timer = this.#wheel.takeDue(nowMs); timer !== undefined; timer = this.#wheel.takeDue(nowMs)) {
      try {
        timer.run();
      } catch (error) {
        this.#onError(error);
      }
    }
  }

  #arm(dueMs: number, nowMs: number, sleptMs: number): void {
    this.#wantedMs = Math.min(dueMs, nowMs + this.#longestWaitMs);
    this.#sleptWhenArmedMs = sleptMs;
    this.#setHostTimer(nowMs);
  }

  #setHostTimer(nowMs: number): void {
    if (this.#hostTimer !== undefined) this.#host.clearTimeout(this.#hostTimer);
    const delayMs = Math.max(0, Math.ceil(this.#wantedMs - nowMs));
    this.#hostTimer = this.#host.setTimeout(this.#hostTimerFired, delayMs);
  }

  #disarm(): void {
    if (this.#hostTimer === undefined) return;
    this.#host.clearTimeout(this.#hostTimer);
    this.#hostTimer = undefined;
    this.#wantedMs = Infinity;
  }

  #foundSleep(sleptMs: number): void {
    this.#sleptMs += sleptMs;
    this.#nowMs += sleptMs;
    this.#lastLateMs = this.#nowMs;
    // Whoever looked at the clock is in the middle of something: listeners that
    // close channels under its feet have to wait until it is done.
    if (this.#untoldSleepMs === 0) queueMicrotask(() => this.#tellOfSleep());
    this.#untoldSleepMs += sleptMs;
    // The host's timers stood still too: timers overdue now would wait once more.
    if (this.#hostTimer !== undefined) this.#setHostTimer(this.#nowMs);
  }

  #tellOfSleep(): void {
    if (this.#untoldSleepMs === 0) return;
    const lateMs = this.#untoldSleepMs;
    this.#untoldSleepMs = 0;
    this.#listeners.notify({ kind: "slept", lateMs }, this.#onError);
  }
}

/** Rounds up to a multiple of the power of two that the delay allows. */
function wholeTick(dueMs: number, delayMs: number): number {
  const allowedMs = Math.min(delayMs / TICKS_PER_DELAY, LONGEST_TICK_MS);
  const tickMs = 1 << (31 - Math.clz32(allowedMs));
  return Math.min(Math.ceil(dueMs / tickMs) * tickMs, Number.MAX_SAFE_INTEGER);
}
