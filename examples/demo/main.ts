/**
 * `deno task demo`: watch a link learn its interval behind a NAT that forgets
 * idle links.
 *
 * @module
 */

import { type CommandIo, UsageError } from "../../cli/command.ts";
import { milliseconds, oneOf, parseOptions, wholeNumber } from "../../cli/options.ts";
import { systemTerminal } from "../../cli/_terminal.ts";
import { Demo, type DemoOptions } from "./_demo.ts";
import { STRATEGIES } from "./_scaled.ts";
import { LiveView, PlainView, summary, type View } from "./_view.ts";

const HELP = `Usage: deno task demo [options]

Starts a chat server, a NAT that forgets idle links, and a client behind it
that learns how long it may be silent. The server pushes numbered messages at
random moments. All on this machine, and it ends by itself.

Options:
  --nat-timeout SECONDS   how long a link may be idle, 1 to 60 (8)
  --nat-mode MODE         strict: a forgotten link swallows everything;
                          loose: the client's packet brings it back, the
                          server's is reset, as Linux does by default (strict)
  --strategy NAME         ${Object.keys(STRATEGIES).join(", ")} (edge)
  --duration SECONDS      the longest that it takes, 5 to 90 (90)
  --seed N                when pushes come (1)
  --json                  print the result as one JSON object on the last line
  --ui                    serve a page on this machine instead, whose client
                          runs in the browser; it goes on until Ctrl+C. The
                          NAT's timeout is 2 or more then
  --help                  print this

Examples:
  deno task demo
  deno task demo --nat-timeout 4 --nat-mode loose --strategy stepwise
  deno task demo --duration 30 --json | tail -n 1
  deno task demo --ui

On a terminal it draws, in colours unless NO_COLOR is set; elsewhere it prints
one line an event.

Exit status: 0 every push arrived, 1 one did not, 2 wrong arguments, 130
interrupted by SIGINT or SIGTERM. With --ui that is its end in order: 0.
`;

/**
 * Runs the demo.
 *
 * @param command How the user calls it.
 * @returns The exit status.
 * @throws {UsageError} If an argument is unknown or cannot be understood.
 */
export async function runDemo(
  args: readonly string[],
  { out, signal, terminal }: Pick<CommandIo, "out" | "signal" | "terminal">,
  command = "deno task demo",
): Promise<number> {
  const options = demoArguments(args);
  if (options === undefined) {
    out(HELP.replaceAll("deno task demo", command).trimEnd());
    return 0;
  }
  return await (options.ui ? showPage(options, out, signal) : showInTerminal(options, out, signal, terminal));
}

async function showPage(options: DemoOptions, out: CommandIo["out"], signal: AbortSignal): Promise<number> {
  // Only now: a demo in the terminal need not wait for it.
  const { startUi } = await import("./ui/_ui_server.ts");
  const { natTimeoutMs, natMode: mode, strategy, seed } = options;
  await using ui = await startUi({ natTimeoutMs, mode, strategy, seed });
  out(`longlink demo: open ${ui.url} in a browser; Ctrl+C ends it`);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  return 0;
}

async function showInTerminal(
  options: DemoOptions & { readonly json: boolean },
  out: CommandIo["out"],
  signal: AbortSignal,
  terminal: CommandIo["terminal"],
): Promise<number> {
  const view: View = terminal === undefined ? new PlainView() : new LiveView(terminal.hasColours);
  const demo = new Demo({ ...options, onNews: (text) => view.news(text) });
  view.start(demo);
  let result;
  try {
    result = await demo.run(signal);
  } finally {
    view.stop();
  }
  for (const line of summary(result)) out(line);
  if (options.json) out(JSON.stringify(result));
  if (signal.aborted) return 130;
  return result.pushesSent > 0 && result.pushesDelivered === result.pushesSent ? 0 : 1;
}

/**
 * Reads the arguments.
 *
 * @returns Them, or undefined for `--help`.
 * @throws {UsageError} If one is unknown or cannot be understood.
 */
export function demoArguments(
  args: readonly string[],
): (DemoOptions & { json: boolean; ui: boolean }) | undefined {
  const { values, positionals } = parseOptions(args, {
    "nat-timeout": { type: "string", default: "8" },
    "nat-mode": { type: "string", default: "strict" },
    strategy: { type: "string", default: "edge" },
    duration: { type: "string", default: "90" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    ui: { type: "boolean", default: false },
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
  if (values.ui && values.json) throw new UsageError("--json has no meaning with --ui");
  if (values.ui && natTimeoutMs < 2_000) {
    throw new UsageError(`--nat-timeout must be 2 or more with --ui, got "${values["nat-timeout"]}"`);
  }
  return {
    natTimeoutMs,
    durationMs,
    natMode: oneOf<"strict" | "loose">("--nat-mode", values["nat-mode"], ["strict", "loose"]),
    strategy: oneOf("--strategy", values.strategy, Object.keys(STRATEGIES)),
    seed: wholeNumber("--seed", values.seed, 2 ** 32 - 1),
    json: values.json,
    ui: values.ui,
  };
}

if (import.meta.main) {
  const interrupt = new AbortController();
  Deno.addSignalListener("SIGINT", () => interrupt.abort());
  Deno.addSignalListener("SIGTERM", () => interrupt.abort());
  let status;
  try {
    status = await runDemo(Deno.args, {
      out: (line) => console.log(line),
      signal: interrupt.signal,
      terminal: systemTerminal(),
    });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    if (error.hint !== undefined) console.error(`${error.message}\n${error.hint}`);
    else console.error(error.message);
    console.error("deno task demo --help tells how it is used");
    status = 2;
  }
  Deno.exit(status);
}
