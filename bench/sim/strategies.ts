/**
 * What is compared.
 *
 * @module
 */

import { edge, fixedInterval, type IntervalStrategy, stepwise } from "../../handlers/mod.ts";
import { bisection } from "./bisection.ts";
import { mars } from "./mars.ts";

/** A strategy by its name in the tables. */
export interface Contestant {
  readonly name: string;
  /** Makes it; one that keeps something beyond a search is made anew for each run. */
  readonly strategy: () => IntervalStrategy;
  /** Whether it is `edge()`. */
  readonly isOurs: boolean;
  /** Whether there is anything to learn for it. */
  readonly learns: boolean;
}

// Their plan is worked out once for all runs.
const SCOUT = edge();
const MAIN = edge({ where: "main" });

/** All of them, the references first. */
export const CONTESTANTS: readonly Contestant[] = [
  { name: "fixed25", strategy: () => fixedInterval(25_000), isOurs: false, learns: false },
  { name: "fixed60", strategy: () => fixedInterval(60_000), isOurs: false, learns: false },
  { name: "fixed240", strategy: () => fixedInterval(240_000), isOurs: false, learns: false },
  { name: "mars", strategy: mars, isOurs: false, learns: true },
  { name: "bisection", strategy: bisection, isOurs: false, learns: true },
  { name: "stepwise", strategy: () => stepwise(), isOurs: false, learns: true },
  { name: "edge", strategy: () => SCOUT, isOurs: true, learns: true },
  { name: "edge-main", strategy: () => MAIN, isOurs: true, learns: true },
];
