/**
 * Where idle timeouts live.
 *
 * @module
 */

/** An idle timeout that many networks have, and how much weight the search gives it. */
export interface Rung {
  readonly timeoutMs: number;
  readonly weight: number;
}

/**
 * Defaults and documented limits of NATs, load balancers and proxies (nginx
 * and ALB 60 s, Cloudflare 100 s, Azure 240 s, mobile carriers 300 s, AWS
 * 350 s, GCP 600 s, home routers 1 h, RFC 5382 2 h 4 min ...). The weights
 * follow how common they are, adjusted so that the search is quick for each
 * rung and not only on average.
 */
export const LADDER: readonly Rung[] = [
  { timeoutMs: 30_000, weight: 0.6 },
  { timeoutMs: 55_000, weight: 0.9 },
  { timeoutMs: 60_000, weight: 2.2 },
  { timeoutMs: 90_000, weight: 0.6 },
  { timeoutMs: 100_000, weight: 1.2 },
  { timeoutMs: 120_000, weight: 1.9 },
  { timeoutMs: 180_000, weight: 0.7 },
  { timeoutMs: 240_000, weight: 1.9 },
  { timeoutMs: 300_000, weight: 2.4 },
  { timeoutMs: 350_000, weight: 2.1 },
  { timeoutMs: 600_000, weight: 2 },
  { timeoutMs: 900_000, weight: 1.2 },
  { timeoutMs: 1_200_000, weight: 0.1 },
  { timeoutMs: 1_800_000, weight: 0.4 },
  { timeoutMs: 3_600_000, weight: 2.6 },
  { timeoutMs: 7_200_000, weight: 0.2 },
  { timeoutMs: 7_440_000, weight: 0.2 },
];
