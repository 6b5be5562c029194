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

/** What the wait depends on. */
export interface BackoffState {
  /** How many tries failed since the link last proved valid. */
  readonly tries: number;
  /** How long the outage has lasted, ms. */
  readonly outageMs: number;
  /** How long the last try took, ms. */
  readonly tryMs: number;
  /** From 0 (included) to 1 (excluded). */
  readonly random: number;
}

/** The bound never gets less than this because a try took long, ms: clients whose tries began together must not stay together. */
const LEAST_CAP_MS = 2_000;

/**
 * The wait before a try: uniform between 0 and a bound that doubles with each
 * try up to a cap ("full jitter"). It stays uniform from 0 at the cap too:
 * a jitter that shrinks there brings all clients back in the same moment. A
 * try that nobody answered was a wait itself, and what it took is taken off
 * the cap.
 */
export function backoffMs(rule: BackoffRule, { tries, outageMs, tryMs, random }: BackoffState): number {
  const fullCapMs = outageMs >= rule.lateAfterMs ? rule.lateCapMs : rule.capMs;
  const capMs = Math.min(fullCapMs, Math.max(fullCapMs - tryMs, LEAST_CAP_MS));
  // A first try at once (0 ms) must not mean that all others come at once too.
  const boundMs = tries === 0 ? rule.firstMs : Math.max(rule.firstMs, 1) * 2 ** tries;
  return random * Math.min(boundMs, capMs);
}
