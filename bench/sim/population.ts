/**
 * The networks to run on.
 *
 * @module
 */

import { randomFrom } from "./random.ts";

/** Where timeouts come from. `os` rows of the data file are intervals of operating systems and cut nothing. */
export const KINDS = ["cellular", "home", "cloud", "proxy"] as const;
export type Kind = typeof KINDS[number];

/** An idle timeout that some networks have. */
export interface KnownTimeout {
  readonly name: string;
  readonly kind: Kind;
  readonly timeoutS: number;
  /** Its share among those of its kind. */
  readonly weight: number;
}

/** The timeouts at which the ladder of `edge()` stands, s: the default and documented values of networks. */
export const LADDER_S = [
  30,
  55,
  60,
  90,
  100,
  120,
  180,
  240,
  300,
  350,
  600,
  900,
  1200,
  1800,
  3600,
  7200,
  7440,
];

/** Reads the data file. */
export async function knownTimeouts(): Promise<KnownTimeout[]> {
  const text = await Deno.readTextFile(new URL("../data/idle_timeouts.csv", import.meta.url));
  const known: KnownTimeout[] = [];
  for (const line of text.trim().split("\n").slice(1)) {
    const [name, kind, timeoutS, weight] = line.split(",", 4);
    if (KINDS.includes(kind as Kind)) {
      known.push({ name: name!, kind: kind as Kind, timeoutS: Number(timeoutS), weight: Number(weight) });
    }
  }
  return known;
}

/**
 * Draws timeouts of one kind by their weights, evenly: the k-th of n draws is
 * taken at a random place in the k-th n-th of all weight, so that a few draws
 * show the common ones.
 */
export function draw(known: readonly KnownTimeout[], kind: Kind, count: number, seed: number): number[] {
  const ofKind = known.filter((one) => one.kind === kind);
  const sum = ofKind.reduce((sum, { weight }) => sum + weight, 0);
  const random = randomFrom(seed);
  return Array.from({ length: count }, (_, k) => {
    let left = (k + random()) / count * sum;
    for (const { timeoutS, weight } of ofKind) if ((left -= weight) < 0) return timeoutS;
    return ofKind.at(-1)!.timeoutS;
  });
}

/** Timeouts that are on no ladder, from 30 s to 2 h, evenly over orders of magnitude. */
export function elsewhere(count: number): number[] {
  const found: number[] = [];
  for (let k = 0; k < count; k++) {
    const timeoutS = Math.round(30 * (7200 / 30) ** ((k + 0.5) / count) * 10) / 10;
    // So near to a rung it would be found as that rung.
    if (LADDER_S.every((rung) => Math.abs(timeoutS / rung - 1) > 0.02)) found.push(timeoutS);
  }
  return found;
}
