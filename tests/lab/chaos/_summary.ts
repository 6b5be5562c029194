/**
 * What came of all runs.
 *
 * @module
 */

import type { FaultKind } from "./fault_kind.ts";
import type { RunResult } from "./_run.ts";

/** The last line of the output. */
export interface Summary {
  readonly runs: number;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly sent: number;
  readonly delivered: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly maxRecoveryMs: number;
  readonly leaks: number;
}

/** Adds up run after run. */
export class Sums {
  /** How many runs were not as they should be. */
  failed = 0;
  /** How many plain kills were measured. */
  recoveries = 0;
  #summary: Summary = {
    runs: 0,
    faults: {},
    sent: 0,
    delivered: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    maxRecoveryMs: 0,
    leaks: 0,
  };

  /** Adds a run. */
  add(result: RunResult): void {
    const sum = this.#summary;
    if (result.problems.length > 0) this.failed++;
    this.recoveries += result.recoveries;
    const faults = { ...sum.faults };
    for (const [kind, count] of Object.entries(result.faults) as [FaultKind, number][]) {
      faults[kind] = (faults[kind] ?? 0) + count;
    }
    this.#summary = {
      runs: sum.runs + 1,
      faults,
      sent: sum.sent + result.sent,
      delivered: sum.delivered + result.delivered,
      lost: sum.lost + result.lost,
      duplicated: sum.duplicated + result.duplicated,
      reordered: sum.reordered + result.reordered,
      maxRecoveryMs: Math.max(sum.maxRecoveryMs, Math.ceil(result.maxRecoveryMs)),
      leaks: sum.leaks + result.leaks,
    };
  }

  /** The last line. */
  get summary(): Summary {
    return this.#summary;
  }
}
