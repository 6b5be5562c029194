/**
 * A reference: halving the range.
 *
 * @module
 */

import type { IntervalSearch, IntervalStrategy, Verdict } from "../../handlers/mod.ts";

const SHORTEST_MS = 30_000;
const LONGEST_MS = 7_200_000;
/** It ends when the range is this narrow, or a twentieth of its lower end. */
const PRECISION_MS = 10_000;

/**
 * Each beat is sent in the middle of what is left between 30 s and 2 h; one
 * failure lowers the upper end. Settles on the lower end.
 */
export function bisection(): IntervalStrategy {
  return { name: "bisection", search: () => new BisectionSearch() };
}

class BisectionSearch implements IntervalSearch {
  #loMs = 0;
  #hiMs = LONGEST_MS;
  #isSettled = false;

  get intervalMs(): number {
    if (this.#isSettled) return Math.max(this.#loMs, SHORTEST_MS);
    return (Math.max(this.#loMs, SHORTEST_MS) + this.#hiMs) / 2;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  get bracket() {
    return { loMs: this.#loMs, hiMs: this.#hiMs === LONGEST_MS ? null : this.#hiMs };
  }

  judge({ idleMs, outcome }: Verdict): void {
    if (outcome === "void" || this.#isSettled) return;
    if (outcome === "passed") this.#loMs = idleMs;
    else this.#hiMs = idleMs;
    const fromMs = Math.max(this.#loMs, SHORTEST_MS);
    this.#isSettled = this.#hiMs - fromMs <= Math.max(PRECISION_MS, fromMs / 20);
  }
}
