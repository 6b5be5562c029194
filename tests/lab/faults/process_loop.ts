/**
 * A process that can be killed.
 *
 * @module
 */

import type { EventLoop, LateNotice, Timer } from "../../../pipeline/mod.ts";

/**
 * The event loop of one process: counts what it has scheduled, and runs none
 * of it any more once the process is killed.
 */
export class ProcessLoop implements EventLoop {
  readonly #loop: EventLoop;
  readonly #timers = new Set<ProcessTimer>();
  readonly #listeners = new Set<() => void>();
  #isKilled = false;

  /** @param loop The clock of the world. */
  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  /** Whether it was killed. */
  get isKilled(): boolean {
    return this.#isKilled;
  }

  /** How many timers are going to run, and listeners to late notices there are. */
  get pending(): number {
    return this.#timers.size + this.#listeners.size;
  }

  /** Ends it between two instructions. */
  kill(): void {
    this.#isKilled = true;
    for (const timer of [...this.#timers]) timer.cancel();
    for (const stop of [...this.#listeners]) stop();
  }

  now(): number {
    return this.#loop.now();
  }

  wallNow(): number {
    return this.#loop.wallNow();
  }

  random(): number {
    return this.#loop.random();
  }

  get lastLateMs(): number {
    return this.#loop.lastLateMs;
  }

  schedule<T = undefined>(delayMs: number, task: (argument: T) => void, argument?: T): Timer {
    const timer = new ProcessTimer(this.#timers);
    if (!this.#isKilled) {
      timer.start(this.#loop, delayMs, task as (argument: unknown) => void, argument);
    }
    return timer;
  }

  onLate(listener: (notice: LateNotice) => void): () => void {
    if (this.#isKilled) return () => {};
    const stopListening = this.#loop.onLate(listener);
    const stop = () => {
      this.#listeners.delete(stop);
      stopListening();
    };
    this.#listeners.add(stop);
    return stop;
  }
}

class ProcessTimer implements Timer {
  dueMs = Infinity;
  readonly #all: Set<ProcessTimer>;
  #timer: Timer | undefined = undefined;
  #task: ((argument: unknown) => void) | undefined = undefined;
  #argument: unknown = undefined;

  constructor(all: Set<ProcessTimer>) {
    this.#all = all;
  }

  get pending(): boolean {
    return this.#timer !== undefined;
  }

  start(loop: EventLoop, delayMs: number, task: (argument: unknown) => void, argument: unknown): void {
    this.#task = task;
    this.#argument = argument;
    this.#timer = loop.schedule(delayMs, ProcessTimer.#run, this);
    this.dueMs = this.#timer.dueMs;
    this.#all.add(this);
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#all.delete(this);
  }

  static #run(timer: ProcessTimer): void {
    timer.#timer = undefined;
    timer.#all.delete(timer);
    timer.#task!(timer.#argument);
  }
}
