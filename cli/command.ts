/**
 * What a command of the command line is.
 *
 * @module
 */

import type { EventLoop } from "../mod.ts";

/** A terminal that somebody looks at, and that can take a line back. */
export interface Terminal {
  /** How many characters fit on a line. */
  readonly columns: number;
  /** Whether it has colours, and the user wants them. */
  readonly hasColours: boolean;
  /** Writes text as it is. */
  write(text: string): void;
}

/** What a command may touch of the world. */
export interface CommandIo {
  /** Prints a line of the result. */
  out(line: string): void;
  /** Prints a line about what went wrong. */
  error(line: string): void;
  /** Where {@linkcode out} goes, if it is a terminal. */
  readonly terminal?: Terminal | undefined;
  /** Aborted when the user wants the command to end. */
  readonly signal: AbortSignal;
  /** Clock, timers and randomness. */
  readonly loop: EventLoop;
}

/** One command. */
export interface Command {
  /** What it does, in one line. */
  readonly summary: string;
  /**
   * Runs it.
   *
   * @param args What follows the command's name.
   * @returns The exit status.
   * @throws {UsageError} If the arguments make no sense.
   */
  run(args: readonly string[], io: CommandIo): Promise<number>;
}

/** The user asked for something that does not exist or makes no sense: exit status 2. */
export class UsageError extends Error {
  /** What the user may have meant, as a question. */
  readonly hint: string | undefined;

  /** @param message What is wrong, with the argument's name. */
  constructor(message: string, options: ErrorOptions & { readonly hint?: string } = {}) {
    super(message, options);
    this.name = "UsageError";
    this.hint = options.hint;
  }
}
