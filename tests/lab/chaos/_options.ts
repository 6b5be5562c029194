/**
 * The command line of the chaos runs.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { FAULT_KINDS, type FaultKind, FAULTS } from "./fault_kind.ts";
import { SESSIONS, type Stack, STACKS } from "./_stack.ts";

/** What was asked for. */
export interface ChaosOptions {
  readonly seed: number;
  readonly runs: number;
  readonly clients: number;
  readonly faults: readonly FaultKind[];
  readonly stack: Stack;
  readonly real: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
}

const DEFAULT_RUNS = { virtual: 1_000, real: 4 };

/**
 * Reads the arguments.
 *
 * @returns "help", or what was asked for.
 * @throws {Error} If they make no sense; the message says why.
 */
export function readOptions(args: readonly string[]): ChaosOptions | "help" {
  const { values } = parseArgs({
    // `deno task chaos -- --seed 1` passes the first two dashes on.
    args: args.filter((arg, index) => index > 0 || arg !== "--"),
    options: {
      seed: { type: "string", default: "1" },
      runs: { type: "string" },
      clients: { type: "string", default: "3" },
      faults: { type: "string" },
      stack: { type: "string", default: SESSIONS.name },
      real: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      verbose: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const { real, json, verbose } = values;
  return {
    seed: whole("seed", values.seed, 0, 2 ** 30),
    runs: values.runs === undefined
      ? DEFAULT_RUNS[real ? "real" : "virtual"]
      : whole("runs", values.runs, 1, 10_000_000),
    clients: whole("clients", values.clients, 1, 1_000),
    faults: values.faults === undefined
      ? FAULT_KINDS
      : values.faults.split(",").map((name) => known("faults", name, FAULT_KINDS, (kind) => kind)),
    stack: known("stack", values.stack, STACKS, ({ name }) => name),
    real,
    json,
    verbose,
  };
}

/** What there is to ask for. */
export function help(): string {
  const options = [
    ["--seed N", "of the first run; the others count up from it (1)"],
    ["--runs N", `how many (${DEFAULT_RUNS.virtual}; with --real ${DEFAULT_RUNS.real})`],
    ["--clients N", "in each run (3)"],
    ["--faults LIST", "only these, with commas between (all of them)"],
    [
      "--stack NAME",
      `${STACKS.map(({ name }) => name).join(" or ")} (${SESSIONS.name}); without sessions messages are lost`,
    ],
    ["--real", "over real sockets, in real time"],
    ["--verbose", "prints what happens in each run"],
    ["--json", "prints nothing on stdout but the last line"],
  ] as const;
  const table = (rows: Iterable<readonly [string, string]>) =>
    Array.from(rows, ([name, what]) => `  ${name.padEnd(17)} ${what}`).join("\n");
  return `deno task chaos [options]; defaults in parentheses

Clients and a server write to each other through a network in which everything
goes wrong; then it heals, and every message must have arrived once and in order.

${table(options)}

Faults:
${table(Object.entries(FAULTS))}

The last line is {"runs", "faults", "sent", "delivered", "lost", "duplicated",
"reordered", "maxRecoveryMs", "leaks"}. A run that fails is named with its seed;
--seed N --runs 1 --verbose repeats it. Exit status: 0 if all went well, 1 if
not, 2 if the options make no sense.`;
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new Error(`--${name} must be a whole number from ${least} to ${most}, not "${text}"`);
}

function known<T>(option: string, wanted: string, all: readonly T[], nameOf: (one: T) => string): T {
  const found = all.find((one) => nameOf(one) === wanted);
  if (found !== undefined) return found;
  throw new Error(`--${option} knows ${all.map(nameOf).join(", ")}, not "${wanted}"`);
}
