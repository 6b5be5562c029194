/**
 * When to try again.
 *
 * @module
 */

/** The numbers of the backoff, all in ms. */
export interface BackoffRule {
  /** The first try comes within this time. */
  readonly firstMs: number;
  /** No try comes later than this after the one before, at first. */
  readonly capMs: number;
  /** The same once an outage has lasted for long. */
  readonly lateCapMs: number;
  /** From when on an outage has lasted for long. */
  readonly lateAfterMs: number;
}

/**
 * The wait before a try: uniform between 0 and a bound that doubles with each
 * try up to a cap ("full jitter"). It stays uniform from 0 at the cap too:
 * a jitter that shrinks there brings all clients back in the same moment.
 *
 * @param tries How many tries failed since the link last proved valid.
 * @param outageMs How long the outage has lasted.
 * @param random From 0 (included) to 1 (excluded).
 */
export function backoffMs(rule: BackoffRule, tries: number, outageMs: number, random: number): number {
  const capMs = outageMs >= rule.lateAfterMs ? rule.lateCapMs : rule.capMs;
  // A first try at once (0 ms) must not mean that all others come at once too.
  const boundMs = tries === 0 ? rule.firstMs : Math.max(rule.firstMs, 1) * 2 ** tries;
  return random * Math.min(boundMs, capMs);
}
