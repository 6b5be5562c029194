/**
 * Who wants to know that the machine has slept: one listener for all links of
 * a loop.
 *
 * @module
 */

import type { EventLoop, LateNotice } from "../pipeline/mod.ts";

/** Somebody who has to look around after a sleep. */
export interface Sleeper {
  /** The machine slept, or the host let nothing run for as long as if it had. */
  woke(): void;
}

/** Browsers run the timers of a hidden page once a minute: what is not later than that was no sleep. */
const MUCH_MS = 65_000;

const watches = new WeakMap<EventLoop, WakeWatch>();

/**
 * Tells a sleeper of each sleep from now on. With a hundred thousand links that
 * costs 26 bytes apiece; a listener of its own on the loop would cost 260.
 */
export function watchWake(loop: EventLoop, sleeper: Sleeper): void {
  let watch = watches.get(loop);
  if (watch === undefined) watches.set(loop, watch = new WakeWatch(loop));
  watch.add(sleeper);
}

/** Tells it no more. */
export function unwatchWake(loop: EventLoop, sleeper: Sleeper): void {
  watches.get(loop)?.remove(sleeper);
}

class WakeWatch {
  readonly #loop: EventLoop;
  readonly #sleepers = new Set<Sleeper>();
  #stop: (() => void) | undefined = undefined;

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  add(sleeper: Sleeper): void {
    this.#sleepers.add(sleeper);
    this.#stop ??= this.#loop.onLate((notice) => this.#late(notice));
  }

  remove(sleeper: Sleeper): void {
    this.#sleepers.delete(sleeper);
    if (this.#sleepers.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  #late({ kind, lateMs }: LateNotice): void {
    if (kind === "throttled" && lateMs < MUCH_MS) return;
    // A copy: who wakes may lose its link and get another one, and would be told for ever.
    for (const sleeper of [...this.#sleepers]) {
      if (this.#sleepers.has(sleeper)) sleeper.woke();
    }
  }
}
