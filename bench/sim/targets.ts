/**
 * What `edge()` is to reach, next to what was measured, of it and of the others.
 *
 * @module
 */

import type { ChangeOutcome } from "./changes.ts";
import type { Kind } from "./population.ts";
import type { Outcome, Row } from "./row.ts";
import { quantile, share } from "./statistics.ts";
import { percent, shown, times } from "./text_table.ts";

/** Everything that was measured of one strategy. */
export interface Measured {
  readonly name: string;
  readonly isOurs: boolean;
  readonly ladder: readonly Outcome[];
  readonly elsewhere: readonly Outcome[];
  /** On networks drawn from the data file. */
  readonly population: readonly { readonly kind: Kind; readonly outcome: Outcome }[];
  /** With outages; absent, like the next two, where there is nothing to learn (a fixed interval). */
  readonly outages?: readonly Outcome[];
  readonly falls?: readonly ChangeOutcome[];
  readonly rises?: readonly ChangeOutcome[];
}

/** One figure for one strategy. */
interface Figure {
  readonly text: string;
  readonly reached: boolean;
}

/** One line of the table. */
export interface Target {
  readonly what: string;
  /** Wanted of a scout, and of the main link. */
  readonly wanted: readonly [scout: string, main: string];
  /** Undefined where there is nothing to measure. */
  readonly figure: (measured: Measured, isMain: boolean) => Figure | undefined;
}

const MODES = ["strict", "loose", "reset"] as const;
const EPSILON = 1e-6;

/** The lines of the table. */
export const TARGETS: readonly Target[] = [
  {
    what: "final interval / T, on the ladder",
    wanted: [">= min(0.97, (T-1.3 s)/T)", ">= 0.95"],
    figure: ({ ladder }, isMain) =>
      range(ladder, ({ fraction, timeoutS }) => {
        const best = (timeoutS - 1.3) / timeoutS;
        return fraction >= Math.min(isMain ? 0.95 : 0.97, best) - EPSILON;
      }),
  },
  {
    what: "final interval / T, elsewhere",
    wanted: [">= 0.94", ">= 0.88"],
    figure: ({ elsewhere }, isMain) => range(elsewhere, ({ fraction }) => fraction >= (isMain ? 0.88 : 0.94)),
  },
  {
    what: "links lost by learning, most",
    wanted: ["0", "<= 3"],
    figure: (measured, isMain) => {
      const most = Math.max(...everywhere(measured).map(({ row }) => row.mainDropsWhileLearning));
      return { text: String(most), reached: most <= (isMain ? 3 : 0) };
    },
  },
  {
    what: "settled after, T on the ladder: median / p90",
    wanted: ["<= 5 T / 8 T", "<= 8 T / 12 T"],
    figure: ({ ladder, falls }, isMain) =>
      falls && spread(ladder, ({ settledInT }) => settledInT, isMain ? [8, 12] : [5, 8]),
  },
  {
    what: "settled after, elsewhere: median / p90",
    wanted: ["<= 7.5 T / 9.5 T", "<= 8 T / 12 T"],
    figure: ({ elsewhere, falls }, isMain) =>
      falls && spread(elsewhere, ({ settledInT }) => settledInT, isMain ? [8, 12] : [7.5, 9.5]),
  },
  {
    what: "interval >= 0.8 T after: median (data file)",
    wanted: ["<= 2.5 T", "<= 4 T"],
    figure: ({ population }, isMain) => {
      const worst = worstMode(population.map(({ outcome }) => outcome), ({ usableInT }) => usableInT, 0.5);
      return { text: times(worst), reached: worst <= (isMain ? 4 : 2.5) };
    },
  },
  {
    what: "beats / (time / T) once settled: median (data file)",
    wanted: ["<= 1.04", "<= 1.06"],
    figure: ({ population }, isMain) => {
      const worst = worstMode(
        population.map(({ outcome }) => outcome),
        ({ beatsPerIdeal }) => beatsPerIdeal,
        0.5,
      );
      return { text: shown(worst, 3), reached: worst <= (isMain ? 1.06 : 1.04) };
    },
  },
  ...MODES.map((mode): Target => ({
    what: `unreachable once settled, ${mode}: most`,
    wanted: ["0", "0"],
    figure: (measured) => {
      const most = Math.max(
        ...everywhere(measured).filter(({ row }) => row.mode === mode).map((one) =>
          one.unreachableBesidesTrials
        ),
      );
      return { text: percent(most), reached: most === 0 };
    },
  })),
  {
    what: "30 s outages, one an hour: final / T from 0.90 to 1",
    wanted: ["in 99 %", "in 95 %"],
    figure: ({ outages }, isMain) => {
      if (outages === undefined) return undefined;
      const part = share(outages, ({ row }) => row.fraction >= 0.9 && row.fraction < 1);
      return { text: `in ${(100 * part).toFixed(1)} %`, reached: part >= (isMain ? 0.95 : 0.99) };
    },
  },
  {
    what: "T falls to a fifth: lowered after the next beat, at most",
    wanted: ["+15 s", "+15 s"],
    figure: ({ falls }) => {
      if (falls === undefined) return undefined;
      const most = quantile(falls.map(({ lateMs }) => lateMs), 1) / 1_000;
      return {
        text: most === Infinity ? "never" : `+${Math.max(0, most).toFixed(1)} s`,
        reached: most <= 15,
      };
    },
  },
  {
    what: "T rises fivefold: adopted, at most after",
    wanted: ["a day", "a day"],
    figure: ({ rises }) => {
      if (rises === undefined) return undefined;
      const most = quantile(rises.map(({ lateMs }) => lateMs), 1) / 3_600_000;
      return { text: most === Infinity ? "never" : `${most.toFixed(1)} h`, reached: most <= 24 };
    },
  },
];

function everywhere({ ladder, elsewhere, population }: Measured): Outcome[] {
  return [...ladder, ...elsewhere, ...population.map(({ outcome }) => outcome)];
}

/** From the least to the largest, which must be below 1 all the time. */
function range(outcomes: readonly Outcome[], isEnough: (row: Row) => boolean): Figure {
  const fractions = outcomes.map(({ row }) => row.fraction);
  const [least, most] = [Math.min(...fractions), Math.max(...fractions)];
  return {
    text: `${shown(least, 3)} to ${shown(most, most < 2 ? 3 : 0)}`,
    reached: outcomes.every(({ row, longestFraction }) => isEnough(row) && longestFraction < 1),
  };
}

function spread(
  outcomes: readonly Outcome[],
  value: (row: Row) => number | null,
  [median, p90]: readonly [number, number],
): Figure {
  const [worstMedian, worstP90] = [worstMode(outcomes, value, 0.5), worstMode(outcomes, value, 0.9)];
  return {
    text: `${times(worstMedian)} / ${times(worstP90)}`,
    reached: worstMedian <= median && worstP90 <= p90,
  };
}

/** In the expiry mode in which it is worst, so that quick failures in one do not make up for another. */
function worstMode(outcomes: readonly Outcome[], value: (row: Row) => number | null, part: number): number {
  return Math.max(
    ...MODES.map((mode) => outcomes.filter(({ row }) => row.mode === mode).map(({ row }) => value(row)))
      .filter((values) => values.length > 0).map((values) => quantile(values, part)),
  );
}
