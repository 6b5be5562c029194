/**
 * A faithful reference: the smart heartbeat of Tencent Mars.
 *
 * @module
 */

import type { IntervalSearch, IntervalStrategy, Verdict } from "../../handlers/mod.ts";

const SHORTEST_MS = 210_000;
const LONGEST_MS = 600_000;
const STEP_MS = 60_000;
/** Taken off the longest that succeeded, and added to a stable value that is a week old. */
const SMALL_STEP_MS = 20_000;
const SUCCESSES = 5;
const FAILURES = 2;
/** So many beats at the shortest interval have to succeed on each link first. */
const STEADY = 3;
const STABLE_FOR_MS = 7 * 86_400_000;

/** A strategy that wants to know of new links, which a product's strategy need not. */
export interface LinkAwareStrategy extends IntervalStrategy {
  linkUp(): void;
}

/**
 * From 210 s on: 60 s more after each five successes, up to 600 s, where one
 * success settles it at 580 s; two failures settle it 80 s lower; two failures
 * once it is settled start it over. A failure is a link that is lost while the
 * answer to a beat is awaited, whatever the reason; one at 210 s teaches nothing.
 */
export function mars(): LinkAwareStrategy {
  const searches: MarsSearch[] = [];
  return {
    name: "mars",
    search() {
      const search = new MarsSearch();
      searches.push(search);
      return search;
    },
    linkUp: () => searches.at(-1)?.linkUp(),
  };
}

class MarsSearch implements IntervalSearch {
  #currentMs = SHORTEST_MS;
  #steady = 0;
  #successes = 0;
  #failures = 0;
  #isStable = false;
  #sinceMs = 0;
  #loMs = 0;
  #hiMs: number | null = null;

  get intervalMs(): number {
    return this.#steady < STEADY ? SHORTEST_MS : this.#currentMs;
  }

  get isSettled(): boolean {
    return this.#isStable;
  }

  get bracket() {
    return { loMs: this.#loMs, hiMs: this.#hiMs };
  }

  linkUp(): void {
    this.#steady = 0;
  }

  judge({ idleMs, outcome, atMs }: Verdict): void {
    if (outcome === "void") return;
    // The interval that the beat was sent at, before its outcome changes it.
    const lastMs = this.intervalMs;
    if (outcome === "passed") this.#passed(idleMs, lastMs, atMs);
    else this.#failed(idleMs, lastMs, atMs);
  }

  #passed(idleMs: number, lastMs: number, atMs: number): void {
    this.#loMs = Math.max(this.#loMs, idleMs);
    this.#steady++;
    if (this.#isStable) {
      const mayTry = this.#steady >= STEADY && this.#currentMs < LONGEST_MS - SMALL_STEP_MS;
      if (mayTry && atMs - this.#sinceMs >= STABLE_FOR_MS) {
        this.#change(this.#currentMs + SMALL_STEP_MS, false, atMs);
      }
      return;
    }
    if (lastMs !== this.#currentMs || this.#steady < STEADY) return;
    this.#failures = 0;
    this.#successes++;
    if (this.#currentMs >= LONGEST_MS) this.#change(LONGEST_MS - SMALL_STEP_MS, true, atMs);
    else if (this.#successes >= SUCCESSES) {
      this.#change(Math.min(this.#currentMs + STEP_MS, LONGEST_MS), false, atMs);
    }
  }

  #failed(idleMs: number, lastMs: number, atMs: number): void {
    if (lastMs !== this.#currentMs || this.#steady < STEADY || lastMs === SHORTEST_MS) return;
    if (++this.#failures < FAILURES) return;
    this.#hiMs = idleMs;
    if (this.#isStable) this.#change(SHORTEST_MS, false, atMs);
    else this.#change(Math.max(this.#currentMs - STEP_MS - SMALL_STEP_MS, SHORTEST_MS), true, atMs);
  }

  #change(currentMs: number, isStable: boolean, atMs: number): void {
    this.#currentMs = currentMs;
    this.#isStable = isStable;
    this.#sinceMs = atMs;
    this.#successes = 0;
    this.#failures = 0;
  }
}
