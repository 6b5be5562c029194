/**
 * The tables.
 *
 * @module
 */

import { KINDS } from "./population.ts";
import type { Row } from "./row.ts";
import { quantile } from "./statistics.ts";
import { type Measured, TARGETS } from "./targets.ts";
import { percent, shown, textTable, times } from "./text_table.ts";

/** One line for each row. */
export function rowTable(rows: readonly Row[]): string {
  return textTable([
    [
      "strategy",
      "mode",
      "T s",
      "interval s",
      "/ T",
      "settled",
      "0.8 T",
      "beats",
      "unreachable",
      "lost",
      "trials",
    ],
    ...rows.map((row) => [
      row.strategy,
      row.mode,
      String(row.timeoutS),
      shown(row.finalIntervalS, 1),
      shown(row.fraction, 3),
      times(row.settledInT),
      times(row.usableInT),
      shown(row.beatsPerIdeal, 3),
      percent(row.unreachableShare),
      String(row.mainDropsWhileLearning),
      String(row.trials),
    ]),
  ]);
}

/** Medians over the networks of each kind, and the most that any of them lost. */
export function kindTable(measured: readonly Measured[]): string {
  const modes = ["strict", "loose", "reset"] as const;
  const heading = ["networks", "strategy", "final / T", "settled", "0.8 T", "beats", "lost, most"];
  const lines = [[...heading, ...modes.map((mode) => `unreachable, ${mode}`)]];
  for (const kind of KINDS) {
    for (const { name, population } of measured) {
      const rows = population.filter((one) => one.kind === kind).map(({ outcome }) => outcome.row);
      const median = (value: (row: Row) => number | null) => quantile(rows.map(value), 0.5);
      lines.push([
        kind,
        name,
        shown(median(({ fraction }) => fraction), 3),
        times(median(({ settledInT }) => settledInT)),
        times(median(({ usableInT }) => usableInT)),
        shown(median(({ beatsPerIdeal }) => beatsPerIdeal), 2),
        String(Math.max(...rows.map(({ mainDropsWhileLearning }) => mainDropsWhileLearning))),
        ...modes.map((mode) => unreachable(rows.filter((row) => row.mode === mode))),
      ]);
    }
  }
  return textTable(lines);
}

function unreachable(rows: readonly Row[]): string {
  return rows.length === 0
    ? ""
    : percent(quantile(rows.map(({ unreachableShare }) => unreachableShare), 0.5));
}

/** What `edge()` is to reach, and whether it does. */
export function targetTable(
  measured: readonly Measured[],
): { readonly text: string; readonly missed: number } {
  const scout = measured.find(({ name }) => name === "edge");
  const main = measured.find(({ name }) => name === "edge-main");
  let missed = 0;
  const cell = (one: Measured | undefined, figure: (typeof TARGETS)[number]["figure"], isMain: boolean) => {
    const found = one && figure(one, isMain);
    if (found === undefined) return "";
    if (!found.reached) missed++;
    return `${found.text} ${found.reached ? "ok" : "MISSED"}`;
  };
  const lines = TARGETS.map(({ what, wanted, figure }) => [
    what,
    wanted[0],
    cell(scout, figure, false),
    wanted[1],
    cell(main, figure, true),
  ]);
  return { text: textTable([["", "wanted", "on a scout", "wanted", "on the main link"], ...lines]), missed };
}

/** The same figures of the others. */
export function referenceTable(measured: readonly Measured[]): string {
  const others = measured.filter(({ isOurs }) => !isOurs);
  return textTable([
    ["", ...others.map(({ name }) => name)],
    ...TARGETS.map(({ what, figure }) => [what, ...others.map((one) => figure(one, true)?.text ?? "")]),
  ]);
}
