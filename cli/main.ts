/**
 * Finds the command and runs it.
 *
 * @module
 */

import { type Command, type CommandIo, UsageError } from "./command.ts";
import { connect } from "./connect.ts";
import { probe } from "./probe.ts";
import { serve } from "./serve.ts";

const COMMANDS: Readonly<Record<string, Command>> = {
  serve,
  connect,
  probe,
};

const HELP = `Usage: longlink COMMAND [options]

Keeps long links alive through networks that forget idle ones.

Commands:
${Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(9)}${summary}`).join("\n")}

Examples:
  longlink serve --listen tcp://127.0.0.1:7000 --push-every 20
  longlink connect tcp://127.0.0.1:7000 --send-every 60

longlink COMMAND --help tells more about a command.

Exit status: 0 ended in order, 1 could not do it, 2 wrong arguments.`;

/**
 * Runs the command line.
 *
 * @param args The arguments, from the command's name on.
 * @param io What it may touch of the world.
 * @returns The exit status.
 */
export async function main(args: readonly string[], io: CommandIo): Promise<number> {
  const [name = "--help", ...rest] = args;
  if (name === "--help" || name === "-h" || name === "help") {
    io.out(HELP);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name]! : undefined;
  if (command === undefined) {
    return usage(io, `Unknown ${name.startsWith("-") ? "option" : "command"} '${name}'`, "longlink");
  }
  try {
    return await command.run(rest, io);
  } catch (error) {
    if (error instanceof UsageError) return usage(io, error.message, `longlink ${name}`);
    io.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

function usage(io: CommandIo, message: string, command: string): number {
  io.error(message);
  io.error(`${command} --help tells how it is used`);
  return 2;
}
