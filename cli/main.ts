/**
 * Finds the command and runs it.
 *
 * @module
 */

import { type Command, type CommandIo, UsageError } from "./command.ts";
import { connect } from "./connect.ts";
import { demo } from "./demo.ts";
import { nearest } from "./_nearest.ts";
import { probe } from "./probe.ts";
import { serve } from "./serve.ts";
import { VERSION } from "./_version.ts";

const COMMANDS: Readonly<Record<string, Command>> = {
  serve,
  connect,
  probe,
  demo,
};

const HELP = `Usage: longlink COMMAND [options]

Keeps long links alive through networks that forget idle ones.

Commands:
${Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(9)}${summary}`).join("\n")}

Options:
  --version  print the version
  --help     print this

Examples:
  longlink serve --listen tcp://127.0.0.1:7000 --push-every 20
  longlink connect tcp://127.0.0.1:7000 --send-every 60
  longlink probe tcp://127.0.0.1:7000 --max 600

longlink COMMAND --help tells more about a command.

Colours only on a terminal, and none where NO_COLOR is set.

Exit status: 0 ended in order, 1 could not do it, 2 wrong arguments,
130 interrupted by SIGINT or SIGTERM before there was a result. serve, connect
and demo --ui go on until such a signal, so that it is their end in order.`;

/**
 * Runs the command line.
 *
 * @param args The arguments, from the command's name on.
 * @param io What it may touch of the world.
 * @returns The exit status.
 */
export async function main(args: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    io.error(HELP);
    return 2;
  }
  if (name === "--version") {
    io.out(`longlink ${VERSION}`);
    return 0;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    io.out(HELP);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name]! : undefined;
  if (command === undefined) {
    const isOption = name.startsWith("-");
    const meant = nearest(name, isOption ? ["--help", "--version"] : Object.keys(COMMANDS));
    const message = `Unknown ${isOption ? "option" : "command"} '${name}'`;
    return usage(io, new UsageError(message, { hint: meant && `Did you mean ${meant}?` }), "longlink");
  }
  try {
    return await command.run(rest, io);
  } catch (error) {
    if (error instanceof UsageError) return usage(io, error, `longlink ${name}`);
    io.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

function usage(io: CommandIo, { message, hint }: UsageError, command: string): number {
  io.error(message);
  if (hint !== undefined) io.error(hint);
  io.error(`${command} --help tells how it is used`);
  return 2;
}
