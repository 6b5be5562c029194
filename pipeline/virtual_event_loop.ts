/**
 * An event loop for tests and simulations: time moves only when told.
 *
 * @module
 */

import { LateListeners } from "./_late_listeners.ts";
import { deadline, type Task, TimerWheel } from "./_timer_wheel.ts";
import type { EventLoop, LateNotice, Timer } from "./event_loop.ts";

/** 2026-01-01T00:00:00Z: a fixed start, so that records in tests look the same each time. */
const DEFAULT_WALL_START_MS = 1_767_225_600_000;
/** So many timers at one instant beyond those pending when it began cannot be meant. */
const MAX_RUNS_AT_ONE_INSTANT = 1_000_000;
const ALL = Infinity;
/**
 * Deno, Node and Bun have this; browsers have a MessageChannel whose messages
 * are turns of their own, while Deno's may overtake promise jobs. Taken once,
 * before a test library replaces the globals.
 */
const immediate = (globalThis as { setImmediate?: (callback: () => void) => unknown }).setImmediate;

/**
 * Options of a {@linkcode VirtualEventLoop}.
 *
 * @example The same chance each time, another one with another seed
 * ```ts
 * import { assertEquals, assertNotEquals } from "@std/assert";
 * import { VirtualEventLoop, type VirtualEventLoopOptions } from "@longlink/pipeline";
 *
 * const random = (options: VirtualEventLoopOptions) => new VirtualEventLoop(options).random();
 * assertEquals(random({ seed: 7 }), random({ seed: 7, startMs: 1_000 }));
 * assertNotEquals(random({ seed: 7 }), random({ seed: 8 }));
 * ```
 */
export interface VirtualEventLoopOptions {
  /**
   * What {@linkcode VirtualEventLoop.now} begins with, in ms, 0 to 2^53 - 1.
   *
   * @default {0}
   */
  readonly startMs?: number;
  /**
   * What {@linkcode VirtualEventLoop.wallNow} begins with, in ms since 1970.
   *
   * @default {1767225600000} 2026-01-01, UTC
   */
  readonly wallStartMs?: number;
  /**
   * Seed of {@linkcode VirtualEventLoop.random}, a whole number; only its low
   * 32 bits count.
   *
   * @default {1}
   */
  readonly seed?: number;
}

/**
 * Time that stands still until it is moved. Moving it steps to each deadline
 * in order and never past one: while a task runs, {@linkcode now} is the
 * moment it was due. Chance comes from a seed, so that a run repeats exactly.
 *
 * What a task or a late listener throws keeps no other timer from running; it
 * is thrown by the call that moved the time, at its end (several together as
 * one `AggregateError`).
 *
 * @example A minute passes at once
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { VirtualEventLoop } from "@longlink/pipeline";
 *
 * const loop = new VirtualEventLoop();
 * const ranAt: number[] = [];
 * loop.schedule(50_000, () => ranAt.push(loop.now()));
 * loop.schedule(20_000, () => ranAt.push(loop.now()));
 * loop.advanceBy(60_000);
 * assertEquals(ranAt, [20_000, 50_000]);
 * assertEquals(loop.pendingTimers, 0);
 * ```
 *
 * @example What waits behind `await`
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { VirtualEventLoop } from "@longlink/pipeline";
 *
 * const loop = new VirtualEventLoop();
 * const delay = (ms: number) => new Promise<void>((resolve) => loop.schedule(ms, resolve));
 * let done = false;
 * (async () => {
 *   await delay(1000);
 *   await delay(1000);
 *   done = true;
 * })();
 * await loop.advanceByAsync(2000);
 * assertEquals(done, true);
 * ```
 */
export class VirtualEventLoop implements EventLoop {
  readonly #wheel: TimerWheel;
  readonly #listeners = new LateListeners();
  readonly #random: () => number;
  readonly #wallOffsetMs: number;
  #nowMs: number;
  #lastLateMs = -Infinity;
  #moving = false;
  #runsLeft = 0;
  #errors: unknown[] = [];

  /**
   * Makes a loop whose time stands still.
   *
   * @param options Where the clocks begin, and the seed.
   * @throws {RangeError} If an option is out of its range.
   */
  constructor(options: VirtualEventLoopOptions = {}) {
    const { startMs = 0, wallStartMs = DEFAULT_WALL_START_MS, seed = 1 } = options;
    checkRange("create an event loop", "startMs", startMs, 0);
    if (!Number.isFinite(wallStartMs)) {
      throw new RangeError(
        `Cannot create an event loop: wallStartMs is ${wallStartMs}, wanted a finite number`,
      );
    }
    if (!Number.isSafeInteger(seed)) {
      throw new RangeError(`Cannot create an event loop: seed is ${seed}, wanted a whole number`);
    }
    this.#nowMs = startMs;
    this.#wallOffsetMs = wallStartMs - startMs;
    this.#random = smallFastCounting(seed);
    this.#wheel = new TimerWheel(startMs);
  }

  /** The virtual time in ms. */
  now(): number {
    return this.#nowMs;
  }

  /** The virtual wall-clock time in ms since 1970; moves with {@linkcode now}. */
  wallNow(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  /** The next number from 0 (included) to 1 (excluded) of the seed's sequence. */
  random(): number {
    return this.#random();
  }

  /**
   * Runs `task(argument)` once the time has been moved by `delayMs`.
   *
   * @param delayMs Delay in ms, 0 or more; may be above 2^31; fractions round up.
   * @param task What to run. What it throws is thrown by the call that moved the time.
   * @param argument Passed to the task.
   * @returns The timer, to cancel it.
   * @throws {RangeError} If the delay is negative or not a finite number.
   */
  schedule<T = undefined>(delayMs: number, task: (argument: T) => void, argument?: T): Timer {
    return this.#wheel.schedule(deadline(this.#nowMs, delayMs), task as Task, argument);
  }

  /** When {@linkcode sleep} or {@linkcode throttle} last made the loop late, or -Infinity. */
  get lastLateMs(): number {
    return this.#lastLateMs;
  }

  /**
   * Calls the listener for each {@linkcode sleep} and {@linkcode throttle}.
   *
   * @param listener Gets the kind and by how much.
   * @returns A function that takes the listener off again.
   */
  onLate(listener: (notice: LateNotice) => void): () => void {
    return this.#listeners.add(listener);
  }

  /** How many timers are going to run. 0 proves that nothing was left behind. */
  get pendingTimers(): number {
    return this.#wheel.size;
  }

  /** The earliest deadline in ms of {@linkcode now}, or undefined if there is none. */
  get nextDueMs(): number | undefined {
    return this.#wheel.nextDueMs(ALL);
  }

  /**
   * Moves the time on and runs what comes due, each at its moment.
   *
   * @param ms By how much, 0 or more.
   * @throws {RangeError} If that is negative, no number, or beyond 2^53 - 1 in all.
   * @throws {Error} If the time is already being moved, or over a million
   * timers ran at one instant because a task schedules itself with delay 0.
   */
  advanceBy(ms: number): void {
    checkRange("advance", "ms", ms, 0);
    this.advanceTo(this.#nowMs + ms);
  }

  /**
   * Moves the time to a moment and runs what comes due, each at its moment.
   *
   * @param targetMs The moment in ms of {@linkcode now}, not before it.
   * @throws {RangeError} If that is in the past, no number, or beyond 2^53 - 1.
   * @throws {Error} As {@linkcode advanceBy}.
   */
  advanceTo(targetMs: number): void {
    checkRange("advance", "targetMs", targetMs, this.#nowMs);
    this.#begin();
    try {
      this.#runUntil(targetMs);
    } finally {
      this.#moving = false;
    }
    this.#throwErrors();
  }

  /**
   * Like {@linkcode advanceBy}, and after each deadline (and before the first)
   * lets everything run that waits for promises, as {@linkcode runMicrotasks}
   * does, so that a timer scheduled behind `await` is seen in time.
   *
   * @param ms By how much, 0 or more.
   * @throws {RangeError} As {@linkcode advanceBy}.
   * @throws {Error} As {@linkcode advanceBy}.
   */
  async advanceByAsync(ms: number): Promise<void> {
    checkRange("advance", "ms", ms, 0);
    const targetMs = this.#nowMs + ms;
    checkRange("advance", "targetMs", targetMs, this.#nowMs);
    this.#begin();
    try {
      await nextTurn();
      for (let dueMs = this.nextDueMs; dueMs !== undefined && dueMs <= targetMs; dueMs = this.nextDueMs) {
        this.#runUntil(dueMs);
        await nextTurn();
      }
      this.#runUntil(targetMs);
    } finally {
      this.#moving = false;
    }
    this.#throwErrors();
  }

  /**
   * Lets everything run that waits for promises, however long the chain of
   * `await`s, and moves no time. What waits for real I/O is not waited for.
   */
  async runMicrotasks(): Promise<void> {
    await nextTurn();
  }

  /**
   * Plays a suspended machine: jumps over all deadlines, tells the
   * {@linkcode onLate} listeners `slept`, then runs what is overdue, late.
   *
   * @param ms For how long, above 0.
   * @throws {RangeError} If that is not above 0, no number, or beyond 2^53 - 1 in all.
   * @throws {Error} As {@linkcode advanceBy}.
   *
   * @example A timer that overslept
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { VirtualEventLoop } from "@longlink/pipeline";
   *
   * const loop = new VirtualEventLoop();
   * let ranAtMs = 0;
   * loop.onLate((notice) => assertEquals(notice, { kind: "slept", lateMs: 3_600_000 }));
   * loop.schedule(1000, () => ranAtMs = loop.now());
   * loop.sleep(3_600_000);
   * assertEquals(ranAtMs, 3_600_000);
   * ```
   */
  sleep(ms: number): void {
    this.#jump("slept", ms);
  }

  /**
   * Plays a host that runs its timers late (hidden tab, blocked thread): as
   * {@linkcode sleep}, with the kind `throttled`.
   *
   * @param ms For how long, above 0.
   * @throws {RangeError} As {@linkcode sleep}.
   * @throws {Error} As {@linkcode advanceBy}.
   */
  throttle(ms: number): void {
    this.#jump("throttled", ms);
  }

  #jump(kind: LateNotice["kind"], lateMs: number): void {
    const action = kind === "slept" ? "sleep" : "throttle";
    if (!(lateMs > 0)) throw new RangeError(`Cannot ${action}: ms is ${lateMs}, wanted a number above 0`);
    const targetMs = this.#nowMs + lateMs;
    checkRange(action, "targetMs", targetMs, this.#nowMs);
    this.#begin();
    try {
      this.#moveTo(targetMs);
      this.#lastLateMs = targetMs;
      this.#listeners.notify({ kind, lateMs }, (error) => this.#errors.push(error));
      this.#runUntil(targetMs);
    } finally {
      this.#moving = false;
    }
    this.#throwErrors();
  }

  #begin(): void {
    // From within a task, or beside an advanceByAsync in progress, it would
    // move the time away under a task that was promised its moment.
    if (this.#moving) throw new Error("Cannot advance: the time is already being moved");
    this.#moving = true;
    this.#errors = [];
    this.#runsLeft = this.#wheel.size + MAX_RUNS_AT_ONE_INSTANT;
  }

  #runUntil(targetMs: number): void {
    for (
      let timer = this.#wheel.takeDue(targetMs);
      timer !== undefined;
      timer = this.#wheel.takeDue(targetMs)
    ) {
      this.#moveTo(timer.dueMs);
      try {
        timer.run();
      } catch (error) {
        this.#errors.push(error);
      }
      if (--this.#runsLeft < 0) {
        throw new Error(
          `Cannot advance: over ${MAX_RUNS_AT_ONE_INSTANT} timers ran at ${this.#nowMs} ms, ` +
            "a task keeps scheduling itself with delay 0",
          { cause: this.#errors[0] },
        );
      }
    }
    this.#moveTo(targetMs);
  }

  #moveTo(ms: number): void {
    if (ms <= this.#nowMs) return;
    this.#nowMs = ms;
    this.#runsLeft = this.#wheel.size + MAX_RUNS_AT_ONE_INSTANT;
  }

  #throwErrors(): void {
    const errors = this.#errors;
    if (errors.length === 0) return;
    this.#errors = [];
    if (errors.length === 1) throw errors[0];
    throw new AggregateError(errors, `${errors.length} tasks failed while the time was moved`);
  }
}

/**
 * Waits for the next turn of the host's own loop. A turn begins only when no
 * promise job is left, so one is enough for any chain of `await`s; a fixed
 * number of `await`s in a row would miss a longer one. Not by a host timer:
 * its delay of a millisecond or more would be paid at every step.
 */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (immediate !== undefined) return void immediate(resolve);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** Chris Doty-Humphrey's sfc32: small, fast, and good enough for jitter and simulated networks. */
function smallFastCounting(seed: number): () => number {
  let a = seed | 0;
  let b = ~seed;
  let c = 0x9e3779b9 | 0;
  let counter = 1;
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  // The first numbers of neighbouring seeds resemble each other.
  for (let i = 0; i < 15; i++) next();
  return next;
}

function checkRange(action: string, name: string, value: number, min: number): void {
  if (!(value >= min && value <= Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(
      `Cannot ${action}: ${name} is ${value}, wanted a number from ${min} to ${Number.MAX_SAFE_INTEGER}`,
    );
  }
}
