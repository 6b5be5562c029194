/** Rows of this library next to its peers, ratios first. */

import { shown, textTable } from "./sim/text_table.ts";

/** One thing that was measured, here and elsewhere, several times. */
export interface Row {
  readonly name: string;
  /** Who does it and what it took in each run; this library comes first. Run by run one after the other. */
  readonly runs: Readonly<Record<string, readonly number[]>>;
}

/** Rows that answer one question. */
export interface Table {
  readonly title: string;
  /** Of all numbers; less is better. */
  readonly unit: string;
  readonly rows: readonly Row[];
}

/** How many times a peer's cost ours is: the median of the runs, and their median absolute deviation from it. */
export interface Ratio {
  readonly ratio: number;
  readonly deviation: number;
}

/** The ratios of all rows, by "title: row / peer". */
export function ratiosOf(tables: readonly Table[]): Record<string, Ratio> {
  const ratios: Record<string, Ratio> = {};
  for (const { title, rows } of tables) {
    for (const { name, runs } of rows) {
      const [[, ours], ...peers] = Object.entries(runs) as [[string, number[]], ...[string, number[]][]];
      for (const [peer, theirs] of peers) {
        ratios[`${title}: ${name} / ${peer}`] = ratio(ours, theirs);
      }
    }
  }
  return ratios;
}

/** The ratios and the medians of all rows, under the names of their table, row and peer. */
export function numbersOf(tables: readonly Table[]): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const [key, { ratio, deviation }] of Object.entries(ratiosOf(tables))) {
    numbers[key] = ratio;
    numbers[`${key}, deviation`] = deviation;
  }
  for (const { title, unit, rows } of tables) {
    for (const { name, runs } of rows) {
      for (const [who, values] of Object.entries(runs)) {
        numbers[`${title}: ${name}, ${who}, ${unit}`] = median(values);
      }
    }
  }
  return numbers;
}

/** A table as text: a line for each peer of each row. */
export function tableText({ title, unit, rows }: Table): string {
  const lines = rows.flatMap(({ name, runs }) => {
    const [[, ours], ...peers] = Object.entries(runs) as [[string, number[]], ...[string, number[]][]];
    return peers.map(([peer, theirs]) => {
      const { ratio: times, deviation } = ratio(ours, theirs);
      return [
        `${name}, to ${peer}`,
        shown(times, times < 0.0995 ? 3 : 2),
        `±${shown(deviation, times < 0.0995 ? 3 : 2)}`,
        numberText(median(ours)),
        numberText(median(theirs)),
      ];
    });
  });
  return textTable([[title, "ratio", "", `ours, ${unit}`, `theirs, ${unit}`], ...lines]);
}

/** The middle one. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function ratio(ours: readonly number[], theirs: readonly number[]): Ratio {
  // Run by run, as both of a run saw the same machine.
  const ratios = ours.map((value, run) => value / theirs[run]!);
  const middle = median(ratios);
  return { ratio: middle, deviation: median(ratios.map((value) => Math.abs(value - middle))) };
}

function numberText(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : shown(value, value >= 10 ? 1 : 2);
}
