/**
 * The strategies that the command line knows.
 *
 * @module
 */

import { edge, fixedInterval, type IntervalStrategy, stepwise } from "../mod.ts";
import { UsageError } from "./command.ts";
import { milliseconds, oneOf } from "./options.ts";

/** The options that a strategy may take. */
export const STRATEGY_OPTIONS = {
  interval: { type: "string" },
  start: { type: "string" },
  step: { type: "string" },
  margin: { type: "string" },
  max: { type: "string" },
} as const;

type Name = keyof typeof STRATEGY_OPTIONS;

/** What the user gave, as text. */
export type StrategyValues = { readonly [K in Name]?: string } & { readonly strategy: string };

type Times = { readonly [K in Name]?: number };

interface Entry {
  readonly takes: readonly Name[];
  readonly make: (ms: Times) => IntervalStrategy;
}

const STRATEGIES: Readonly<Record<string, Entry>> = {
  edge: { takes: ["start", "max"], make: ({ start, max }) => edge({ startMs: start, maxMs: max }) },
  stepwise: {
    takes: ["start", "step", "margin", "max"],
    make: ({ start, step, margin, max }) =>
      stepwise({ startMs: start, stepMs: step, marginMs: margin, maxMs: max }),
  },
  fixed: { takes: ["interval"], make: ({ interval }) => fixedInterval(interval) },
};

/** A heartbeat cannot announce a longer time. */
const MAX_SECONDS = 13_107;

/**
 * Makes the strategy that the user asked for.
 *
 * @throws {UsageError} If it is unknown, or an option is out of range or not one of its own.
 */
export function strategyFor(values: StrategyValues): IntervalStrategy {
  const name = oneOf("--strategy", values.strategy, Object.keys(STRATEGIES));
  const { takes, make } = STRATEGIES[name]!;
  const times: { [K in Name]?: number } = {};
  for (const option of Object.keys(STRATEGY_OPTIONS) as Name[]) {
    const ms = milliseconds(`--${option}`, values[option], {
      max: MAX_SECONDS,
      allowZero: option === "margin",
    });
    if (ms === undefined) continue;
    if (!takes.includes(option)) throw new UsageError(`--${option} means nothing with --strategy ${name}`);
    times[option] = ms;
  }
  try {
    return make(times);
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}
