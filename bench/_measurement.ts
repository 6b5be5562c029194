import type { Table } from "./_table.ts";

/** What one part of the bench found. */
export interface Measurement<T extends Record<string, number | null> = Record<string, number | null>> {
  /** By name; the unit ends the name. Null where something could not be measured. */
  readonly numbers: T;
  /** The same as a reader wants it, where there are peers. */
  readonly tables?: readonly Table[];
  /** What was measured, and what was not. */
  readonly notes: readonly string[];
}
