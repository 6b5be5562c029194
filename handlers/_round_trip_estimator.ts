/**
 * How long to wait for an answer.
 *
 * @module
 */

/** The limits of the wait. */
export interface AnswerTimeouts {
  /** The shortest wait, ms. */
  readonly minMs: number;
  /** The longest wait, ms. */
  readonly maxMs: number;
}

/** On a steady network no variation is left, and the wait would be over just when the answer comes. In shortest waits. */
const LEAST_SLACK = 0.25;
/**
 * A sample counts as no more than so many ms or so many times the average: an
 * answer that an outage held back says little about the next one, and taken
 * whole it would keep a dead link unnoticed for half a minute.
 */
const MOST_SAMPLE_MS = 1_000;
const MOST_SAMPLE = 3;
/** The weight of a sample far below the average: what was slow only once is forgotten soon. */
const QUICK_WEIGHT = 0.5;
/** Each further wait for the same answer is so much longer where the shortest wait is enough for the first. */
const BACKOFF = 1.25;

/**
 * Round-trip estimator as in RFC 6298, section 2: a smoothed round trip and
 * its variation. Departures: a single slow answer counts only so much; the backoff is gentle, since a heartbeat is
 * ten bytes and the question is whether the link is dead, not whether it is
 * full, and it does not multiply a long first wait, or five waits for a round
 * trip of half a second would take longer than 10 s; and the wait stays between
 * given limits.
 */
export class RoundTripEstimator {
  #smoothedMs = -1;
  #variationMs = 0;

  /** The smoothed round trip, ms, or undefined before the first sample. */
  get roundTripMs(): number | undefined {
    return this.#smoothedMs < 0 ? undefined : this.#smoothedMs;
  }

  /** Takes a measured round trip. */
  sample(measuredMs: number): void {
    if (this.#smoothedMs < 0) {
      this.#smoothedMs = measuredMs;
      this.#variationMs = measuredMs / 2;
      return;
    }
    const roundTripMs = Math.min(measuredMs, Math.max(MOST_SAMPLE_MS, MOST_SAMPLE * this.#smoothedMs));
    if (roundTripMs < QUICK_WEIGHT * this.#smoothedMs) {
      this.#smoothedMs = (1 - QUICK_WEIGHT) * this.#smoothedMs + QUICK_WEIGHT * roundTripMs;
      this.#variationMs *= 1 - QUICK_WEIGHT;
      return;
    }
    this.#variationMs = 0.75 * this.#variationMs + 0.25 * Math.abs(this.#smoothedMs - roundTripMs);
    this.#smoothedMs = 0.875 * this.#smoothedMs + 0.125 * roundTripMs;
  }

  /**
   * How long to wait for an answer.
   *
   * @param repeats How many times the question was repeated before.
   */
  timeoutMs(repeats: number, { minMs, maxMs }: AnswerTimeouts): number {
    const slackMs = Math.max(4 * this.#variationMs, LEAST_SLACK * minMs);
    const estimateMs = this.#smoothedMs < 0 ? minMs : this.#smoothedMs + slackMs;
    const firstMs = Math.min(Math.max(estimateMs, minMs), maxMs);
    return Math.min(Math.max(firstMs, minMs * BACKOFF ** repeats), maxMs);
  }
}
