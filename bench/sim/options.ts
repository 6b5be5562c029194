/**
 * The command line of the simulator.
 *
 * @module
 */

import { parseArgs } from "node:util";
import type { ExpiryMode } from "./nat.ts";
import type { Conditions } from "./row.ts";
import { type Contestant, CONTESTANTS } from "./strategies.ts";

const MODES: readonly ExpiryMode[] = ["strict", "loose", "reset"];
const DAY_MS = 86_400_000;
/** The numbers: default, least, most, and what they are. */
const NUMBERS = {
  seed: [1, 0, 2 ** 31, "of losses, outages, traffic and handlers"],
  days: [7, 0.001, 365, "how long each run lasts"],
  rtt: [100, 2, 10_000, "round trip, ms"],
  loss: [0, 0, 0.5, "part of the packets that is lost, each way"],
  outages: [0, 0, 60, "outages of 30 s an hour, at random"],
  pushes: [0, 0, 36_000, "messages of the server an hour, at random"],
  messages: [0, 0, 36_000, "messages of the client an hour, at random"],
  draws: [6, 1, 1_000, "networks drawn of each kind"],
  seeds: [200, 1, 100_000, "runs with outages in the table of targets; 1000 take a minute for each strategy"],
  "svg-timeout": [1_800, 10, 7_200, "idle timeout in the picture, s"],
} as const;

/** What was asked for. */
export interface Options {
  /** Undefined: networks of the data file, and the targets. */
  readonly timeoutsS: readonly number[] | undefined;
  readonly modes: readonly ExpiryMode[];
  readonly contestants: readonly Contestant[];
  readonly conditions: Conditions & { readonly seed: number };
  readonly draws: number;
  readonly seeds: number;
  readonly svg: string | undefined;
  readonly svgTimeoutS: number;
  readonly json: boolean;
}

/** Reads it; ends the process with a sentence on stderr if it makes no sense. */
export function readOptions(): Options {
  let values;
  try {
    values = parseArgs({
      options: {
        timeouts: { type: "string" },
        modes: { type: "string" },
        strategies: { type: "string" },
        svg: { type: "string" },
        advised: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
        ...Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, { type: "string" as const }])),
      },
    }).values as Record<string, string | boolean | undefined>;
  } catch (error) {
    return fail((error as Error).message);
  }
  if (values.help) {
    console.log(help());
    Deno.exit(0);
  }
  const number = (name: keyof typeof NUMBERS): number => {
    const [standard, least, most] = NUMBERS[name];
    const given = values[name];
    const value = given === undefined ? standard : Number(given || NaN);
    return value >= least && value <= most
      ? value
      : fail(`--${name} must be from ${least} to ${most}, not ${given}`);
  };
  const text = (name: string) => values[name] as string | undefined;
  return {
    timeoutsS: text("timeouts")?.split(",").map(timeoutOf),
    modes: pick("modes", MODES, (mode) => mode, text("modes")),
    contestants: pick("strategies", CONTESTANTS, ({ name }) => name, text("strategies")),
    conditions: {
      lengthMs: number("days") * DAY_MS,
      seed: Math.floor(number("seed")),
      // Half of it goes each way, in whole ms.
      roundTripMs: Math.round(number("rtt") / 2) * 2,
      loss: number("loss"),
      outages: { perHour: number("outages"), lengthMs: 30_000 },
      pushesPerHour: number("pushes"),
      messagesPerHour: number("messages"),
      advised: values.advised === true,
    },
    draws: Math.floor(number("draws")),
    seeds: Math.floor(number("seeds")),
    svg: text("svg"),
    svgTimeoutS: number("svg-timeout"),
    json: values.json === true,
  };
}

function timeoutOf(text: string): number {
  const value = Number(text || NaN);
  return value >= 1 && value <= 10_000_000
    ? value
    : fail(`--timeouts must be numbers of seconds, 1 or more, not "${text}"`);
}

function pick<T>(name: string, all: readonly T[], nameOf: (one: T) => string, list: string | undefined): T[] {
  return list === undefined
    ? [...all]
    : list.split(",").map((wanted) =>
      all.find((one) => nameOf(one) === wanted) ??
        fail(`--${name} knows ${all.map(nameOf).join(", ")}, not "${wanted}"`)
    );
}

function help(): string {
  const lines = [
    ["--timeouts LIST", "idle timeouts in s, such as 47,300 (drawn from bench/data/idle_timeouts.csv)"],
    ["--modes LIST", `of ${MODES.join(",")}`],
    ["--strategies LIST", `of ${CONTESTANTS.map(({ name }) => name).join(",")}`],
    ...Object.entries(NUMBERS).map((
      [name, [standard, , , what]],
    ) => [`--${name} N`, `${what} (${standard})`]),
    [
      "--advised",
      "each client is a second one, told by the server what a first one with edge() learned there",
    ],
    ["--svg FILE", "draws interval over time, and the comparison"],
    ["--json", 'the last line is one JSON object: {"rows": [...]}'],
  ];
  return [
    "deno task sim [options]; defaults in parentheses",
    "",
    ...lines.map(([name, what]) => `  ${name!.padEnd(18)} ${what}`),
  ]
    .join("\n");
}

function fail(message: string): never {
  console.error(`Cannot simulate: ${message}`);
  Deno.exit(2);
}
