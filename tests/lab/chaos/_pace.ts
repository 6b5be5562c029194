/**
 * How much time a run takes, and for what.
 *
 * @module
 */

/** How long things take in a run, ms. */
export interface Pace {
  /** The first link comes about, and proves valid. */
  readonly startMs: number;
  /** The time of faults, from and to. */
  readonly faultsMs: readonly [number, number];
  /** How long a fault lasts at most that ends. */
  readonly faultMs: number;
  /** How long the server is down at most. */
  readonly downMs: number;
  /** How long it may take after the faults until everything has arrived. */
  readonly healMs: number;
  /** What comes twice comes within this time afterwards. */
  readonly settleMs: number;
  /** Closing everything takes no longer. */
  readonly closeMs: number;
  /** A link that was never disturbed for so long is a calm one. */
  readonly calmMs: number;
  /** How many faults there are at most. */
  readonly maxFaults: number;
}

/** Minutes of virtual time. */
export const VIRTUAL_PACE: Pace = {
  startMs: 2_000,
  faultsMs: [30_000, 240_000],
  faultMs: 30_000,
  downMs: 15_000,
  healMs: 120_000,
  settleMs: 30_000,
  closeMs: 10_000,
  calmMs: 5_000,
  maxFaults: 10,
};

/** Seconds of real time. */
export const REAL_PACE: Pace = {
  startMs: 1_500,
  faultsMs: [6_000, 12_000],
  faultMs: 4_000,
  downMs: 2_000,
  healMs: 60_000,
  settleMs: 2_000,
  closeMs: 3_000,
  calmMs: 1_500,
  maxFaults: 5,
};
