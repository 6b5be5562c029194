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
  /** Whether it is one of ours. */
  readonly isOurs: boolean;
}

// Their plan is worked out once for all runs.
const SCOUT = edge();
const MAIN = edge({ where: "main" });

/** All of them, the references first. */
export const CONTESTANTS: readonly Contestant[] = [
  { name: "fixed25", strategy: () => fixedInterval(25_000), isOurs: false },
  { name: "fixed60", strategy: () => fixedInterval(60_000), isOurs: false },
  { name: "fixed240", strategy: () => fixedInterval(240_000), isOurs: false },
  { name: "mars", strategy: mars, isOurs: false },
  { name: "bisection", strategy: bisection, isOurs: false },
  { name: "stepwise", strategy: () => stepwise(), isOurs: false },
  { name: "edge", strategy: () => SCOUT, isOurs: true },
  { name: "edge-main", strategy: () => MAIN, isOurs: true },
];
