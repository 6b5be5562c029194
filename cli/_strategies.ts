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
  where: { type: "string" },
  interval: { type: "string" },
  start: { type: "string" },
  step: { type: "string" },
  margin: { type: "string" },
  max: { type: "string" },
} as const;

type Name = keyof typeof STRATEGY_OPTIONS;

/** What the user gave, as text. */
export type StrategyValues = { readonly [K in Name]?: string } & { readonly strategy: string };

/** What the user gave, read: times in ms. */
interface Settings {
  where?: "scout" | "main";
  interval?: number;
  start?: number;
  step?: number;
  margin?: number;
  max?: number;
}

interface Entry {
  readonly takes: readonly Name[];
  readonly make: (settings: Settings) => IntervalStrategy;
}

const STRATEGIES: Readonly<Record<string, Entry>> = {
  edge: {
    takes: ["where", "start", "max"],
    make: ({ where, start, max }) => edge({ where, startMs: start, maxMs: max }),
  },
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
  const settings: Settings = {};
  for (const option of Object.keys(STRATEGY_OPTIONS) as Name[]) {
    const text = values[option];
    if (text === undefined) continue;
    if (!takes.includes(option)) throw new UsageError(`--${option} means nothing with --strategy ${name}`);
    if (option === "where") settings.where = oneOf<"scout" | "main">("--where", text, ["scout", "main"]);
    else {settings[option] = milliseconds(`--${option}`, text, {
        max: MAX_SECONDS,
        allowZero: option === "margin",
      });}
  }
  try {
    return make(settings);
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}
