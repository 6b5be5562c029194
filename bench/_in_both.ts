/** Runs a program whose rows all come out of one process, in Deno and in Node. */

import { inDeno, inNode, removeBundles } from "./_programs.ts";
import type { Row, Table } from "./_table.ts";

/** What a program prints: ns by row, then by who. */
type Found = Record<string, Record<string, number>>;

/** How much is measured. */
export interface RunOptions {
  readonly runs: number;
  /** With shorter runs, for a quick check. */
  readonly short?: boolean;
}

/** Measures several times, in turns, and makes a table of it for each runtime. */
export async function tablesOf(program: string, title: string, options: RunOptions): Promise<Table[]> {
  const { runs, short = false } = options;
  const tables: [runtime: string, run: typeof inDeno, rows: Map<string, Record<string, number[]>>][] = [
    ["Deno", inDeno, new Map()],
    ["Node", inNode, new Map()],
  ];
  for (let run = 1; run <= runs; run++) {
    console.error(`  ${program}: run ${run} of ${runs}`);
    for (const [, start, rows] of tables) {
      for (
        const [name, numbers] of Object.entries(await start<Found>(program, ...(short ? ["short"] : [])))
      ) {
        const row = rows.get(name) ?? {};
        rows.set(name, row);
        for (const [who, ns] of Object.entries(numbers)) (row[who] ??= []).push(ns);
      }
    }
  }
  await removeBundles();
  return tables.map(([runtime, , rows]) => ({
    title: `${title} in ${runtime}`,
    unit: "ns",
    rows: Array.from(rows, ([name, runs]): Row => ({ name, runs })),
  }));
}
