/** What an experiment of the lab is, and what it is done with. */

import type { LabProcess } from "./_lab_process.ts";
import type { NatMode, RealNat } from "./_real_nat.ts";

/** A NAT with a server behind it, and what is to be seen there. */
export interface Setup {
  readonly timeoutS: number;
  readonly mode: NatMode;
  /** What follows `longlink serve`, besides where to listen. */
  readonly serve: readonly string[];
  readonly checks: readonly Check[];
}

/** One line of the lab's output. */
export interface Check {
  readonly name: string;
  /** Returns what was measured; throws if that is not what it should be. */
  readonly run: (lab: Lab) => Promise<string>;
}

/** A set of setups that can be run alone. */
export interface Experiment {
  readonly name: string;
  readonly setups: readonly Setup[];
  /** What only all of its setups together show. */
  readonly summary?: { readonly name: string; readonly run: () => string };
}

/** What a check works with. */
export interface Lab {
  readonly nat: RealNat;
  readonly server: LabProcess;
  /** Starts a command on the client's side. */
  readonly client: (...args: string[]) => LabProcess;
  /** Says how far it is, to people who wait. */
  readonly progress: (text: string) => void;
}

/** Waits. */
export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Milliseconds for people. */
export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
