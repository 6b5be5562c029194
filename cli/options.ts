/**
 * Options of the command line, typed and checked.
 *
 * @module
 */

import { parseArgs, type ParseArgsConfig } from "node:util";
import { UsageError } from "./command.ts";
import { nearest } from "./_nearest.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** What `node:util` makes of the arguments. */
type Parsed<T extends Options> = ReturnType<
  typeof parseArgs<{ options: T; allowPositionals: true; args: string[] }>
>;

/**
 * Takes the arguments apart.
 *
 * @param args The arguments.
 * @param options What there may be, as for `node:util`'s parseArgs.
 * @throws {UsageError} If an option is unknown, lacks its value, or has one too many.
 */
export function parseOptions<T extends Options>(args: readonly string[], options: T): Parsed<T> {
  try {
    return parseArgs({ args: joined(args, options), options, allowPositionals: true }) as Parsed<T>;
  } catch (error) {
    throw refusal(error as Error, Object.keys(options).map((name) => `--${name}`));
  }
}

/** A negative number is the value of the option before it, to be refused as one; to parseArgs it is an option. */
function joined(args: readonly string[], options: Options): string[] {
  const result: string[] = [];
  for (const arg of args) {
    const before = result.at(-1);
    const takesValue = before?.startsWith("--") && options[before.slice(2)]?.type === "string";
    if (takesValue && /^-\.?\d/.test(arg)) result.push(`${result.pop()}=${arg}`);
    else result.push(arg);
  }
  return result;
}

function refusal(cause: Error, names: readonly string[]): UsageError {
  // The first sentence names the option; the others are about the syntax of parseArgs.
  const message = cause.message.split(/\.\s/)[0]!;
  const unknown = /^Unknown option '([^']+)'/.exec(message)?.[1];
  if (unknown !== undefined) {
    const meant = nearest(unknown, names);
    return new UsageError(message, { cause, hint: meant && `Did you mean ${meant}?` });
  }
  const name = /^Option '(?:-\w, )?(--[\w-]+)/.exec(message)?.[1];
  if (name === undefined) return new UsageError(message, { cause });
  return new UsageError(/not take/.test(message) ? `${name} takes no value` : `${name} needs a value`, {
    cause,
  });
}

/** Limits of a number. */
export interface NumberLimits {
  /** The most. Default: no limit. */
  readonly max?: number;
  /** Whether it may be 0. Default: false. */
  readonly allowZero?: boolean;
}

/**
 * Reads a time in seconds.
 *
 * @param name The option, as the user wrote it.
 * @param text Its value; undefined if it was not given.
 * @returns The time in ms, or undefined if it was not given.
 * @throws {UsageError} If it is no finite number above 0, or above the limit.
 */
export function milliseconds(
  name: string,
  text: string | undefined,
  limits: NumberLimits = {},
): number | undefined {
  if (text === undefined) return undefined;
  return number(`${name} must be a number of seconds`, text, limits) * 1_000;
}

/**
 * Reads times in seconds, separated by commas.
 *
 * @param name The option, as the user wrote it.
 * @param text Its value; undefined if it was not given.
 * @returns The times in ms, at least one, or undefined if it was not given.
 * @throws {UsageError} If one is no finite number above 0.
 */
export function millisecondsList(name: string, text: string | undefined): number[] | undefined {
  return text?.split(",").map((part) => milliseconds(name, part)!);
}

/**
 * Reads a whole number.
 *
 * @param name The option, as the user wrote it.
 * @param text Its value.
 * @param max The most.
 * @throws {UsageError} If it is no whole number of 0 or more, or above the most.
 */
export function wholeNumber(name: string, text: string, max: number = Number.MAX_SAFE_INTEGER): number {
  const what = `${name} must be a whole number`;
  const value = number(what, text, { allowZero: true, max });
  if (Number.isInteger(value)) return value;
  throw new UsageError(`${what}, got "${text}"`);
}

/**
 * Reads one of several words.
 *
 * @param name The option, as the user wrote it.
 * @param text Its value.
 * @param words What it may be.
 * @throws {UsageError} If it is anything else.
 */
export function oneOf<T extends string>(name: string, text: string, words: readonly T[]): T {
  const word = words.find((each) => each === text);
  if (word !== undefined) return word;
  throw new UsageError(`${name} must be ${words.join(" or ")}, got "${text}"`);
}

function number(
  what: string,
  text: string,
  { max = Number.MAX_VALUE, allowZero = false }: NumberLimits,
): number {
  const value = text.trim() === "" ? NaN : Number(text);
  if (value <= max && (value > 0 || (allowZero && value === 0))) return value;
  const above = allowZero ? "of 0 or more" : "above 0";
  const below = max >= Number.MAX_SAFE_INTEGER ? "" : ` and at most ${max}`;
  throw new UsageError(`${what} ${above}${below}, got "${text}"`);
}
