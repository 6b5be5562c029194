/**
 * `deno task demo`: watch a link learn its interval behind a NAT that forgets
 * idle links.
 *
 * @module
 */

import { UsageError } from "../../cli/command.ts";
import { milliseconds, oneOf, parseOptions, wholeNumber } from "../../cli/options.ts";
import { Demo, type DemoOptions } from "./_demo.ts";
import { STRATEGIES } from "./_scaled.ts";
import { LiveView, PlainView, summary, type View } from "./_view.ts";

const HELP = `Usage: deno task demo [options]

Starts a chat server, a NAT that forgets idle links, and a client behind it that
learns how long it may be silent. The server pushes numbered messages at random
moments. All on this machine, and it ends by itself.

Options:
  --nat-timeout SECONDS   how long a link may be idle, 1 to 60 (8)
  --nat-mode MODE         strict: a forgotten link swallows everything;
                          loose: the client's packet brings it back, the
                          server's is reset, as Linux does by default (strict)
  --strategy NAME         ${Object.keys(STRATEGIES).join(", ")} (edge)
  --duration SECONDS      the longest that it takes, 5 to 90 (90)
  --seed N                when pushes come (1)
  --json                  print the result as one JSON object on the last line
  --help                  print this

Exit status: 0 every push arrived, 1 one did not, 2 wrong arguments.
`;

async function main(): Promise<number> {
  let options;
  try {
    options = demoArguments(Deno.args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    console.error("deno task demo --help tells how it is used");
    return 2;
  }
  if (options === undefined) {
    console.log(HELP.trimEnd());
    return 0;
  }
  const view: View = Deno.stdout.isTerminal() ? new LiveView(!Deno.noColor) : new PlainView();
  const demo = new Demo({ ...options, onNews: (text) => view.news(text) });
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  Deno.addSignalListener("SIGINT", stop);
  view.start(demo);
  let result;
  try {
    result = await demo.run(interrupt.signal);
  } finally {
    view.stop();
    Deno.removeSignalListener("SIGINT", stop);
  }
  for (const line of summary(result)) console.log(line);
  if (options.json) console.log(JSON.stringify(result));
  return result.pushesSent > 0 && result.pushesDelivered === result.pushesSent ? 0 : 1;
}

/**
 * Reads the arguments.
 *
 * @returns Them, or undefined for `--help`.
 * @throws {UsageError} If one is unknown or cannot be understood.
 */
export function demoArguments(args: readonly string[]): (DemoOptions & { json: boolean }) | undefined {
  const { values, positionals } = parseOptions(args, {
    "nat-timeout": { type: "string", default: "8" },
    "nat-mode": { type: "string", default: "strict" },
    strategy: { type: "string", default: "edge" },
    duration: { type: "string", default: "90" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  });
  if (values.help) return undefined;
  if (positionals[0] !== undefined) throw new UsageError(`Unexpected argument '${positionals[0]}'`);
  const natTimeoutMs = milliseconds("--nat-timeout", values["nat-timeout"], { max: 60 })!;
  const durationMs = milliseconds("--duration", values.duration, { max: 90 })!;
  if (natTimeoutMs < 1_000) {
    throw new UsageError(`--nat-timeout must be 1 or more, got "${values["nat-timeout"]}"`);
  }
  if (durationMs < 5_000) throw new UsageError(`--duration must be 5 or more, got "${values.duration}"`);
  return {
    natTimeoutMs,
    durationMs,
    natMode: oneOf<"strict" | "loose">("--nat-mode", values["nat-mode"], ["strict", "loose"]),
    strategy: oneOf("--strategy", values.strategy, Object.keys(STRATEGIES)),
    seed: wholeNumber("--seed", values.seed, 2 ** 32 - 1),
    json: values.json,
  };
}

if (import.meta.main) Deno.exit(await main());
