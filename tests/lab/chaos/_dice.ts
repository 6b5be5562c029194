/**
 * Chance from a seed, for the choices of a run.
 *
 * @module
 */

import { randomFrom } from "../../../bench/sim/random.ts";

/** Throws dice. */
export class Dice {
  /** The next number from 0 (included) to 1 (excluded). */
  readonly next: () => number;

  /** @param seed A whole number; its low 32 bits count. */
  constructor(seed: number) {
    this.next = randomFrom(seed);
  }

  /** A number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return Math.floor(this.between(least, most + 1));
  }

  /** True so often. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of them. */
  pick<T>(all: readonly T[]): T {
    return all[Math.floor(this.next() * all.length)]!;
  }
}
