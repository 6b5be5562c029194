/**
 * When the client's side of the network is down.
 *
 * @module
 */

/** How often, and for how long. */
export interface OutageOptions {
  /** How many an hour, on average; they come at random. */
  readonly perHour: number;
  /** How long each lasts, ms. */
  readonly lengthMs: number;
}

/** Outages at random, in a sequence that depends on the seed alone. Asked about moments that never go back. */
export class Outages {
  readonly #options: OutageOptions;
  readonly #random: () => number;
  #startMs: number;

  /** @param random Decides when. */
  constructor(options: OutageOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
    this.#startMs = this.#gapMs();
  }

  /** Whether everything is lost at this moment. */
  isDown(nowMs: number): boolean {
    while (nowMs >= this.#startMs + this.#options.lengthMs) {
      this.#startMs += this.#options.lengthMs + this.#gapMs();
    }
    return nowMs >= this.#startMs;
  }

  #gapMs(): number {
    const { perHour } = this.#options;
    return perHour > 0 ? -Math.log(1 - this.#random()) * 3_600_000 / perHour : Infinity;
  }
}
