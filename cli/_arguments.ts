/**
 * Reading the command line.
 *
 * @module
 */

/**
 * Reads a time in seconds.
 *
 * @param name The option's name, for the error.
 * @param text What was given; undefined if the option was not.
 * @returns The time in ms, or undefined.
 * @throws {TypeError} If it is no number of seconds above 0.
 */
export function secondsOption(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = text.trim() === "" ? NaN : Number(text);
  if (seconds > 0 && seconds <= 1e9) return seconds * 1000;
  throw new TypeError(`--${name} must be a number of seconds above 0, got "${text}"`);
}

/**
 * Reads a whole number.
 *
 * @param name The option's name, for the error.
 * @param text What was given; undefined if the option was not.
 * @param min The smallest allowed.
 * @param max The largest allowed.
 * @returns The number, or undefined.
 * @throws {TypeError} If it is none, or out of range.
 */
export function countOption(name: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const count = text.trim() === "" ? NaN : Number(text);
  if (Number.isInteger(count) && count >= min && count <= max) return count;
  throw new TypeError(`--${name} must be a whole number from ${min} to ${max}, got "${text}"`);
}

/**
 * Reads one of some words.
 *
 * @param name The option's name, for the error.
 * @param text What was given.
 * @param choices What is allowed.
 * @returns The word.
 * @throws {TypeError} If it is none of them.
 */
export function choiceOption<T extends string>(name: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((choice) => choice === text);
  if (choice !== undefined) return choice;
  throw new TypeError(`--${name} must be ${choices.join(" or ")}, got "${text}"`);
}

/**
 * Says what is wrong, where the user looks for it.
 *
 * @param error What was thrown.
 * @param status The exit status.
 * @returns The exit status.
 */
export function complain(error: unknown, status: number): number {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`longlink: ${message}`);
  if (status === 2) console.error("longlink: --help tells what is possible");
  return status;
}
