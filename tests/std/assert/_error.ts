import { inspect } from "node:util";

/** What every failed assertion throws. */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

/** Shows a value in full, so that a difference deep inside is not cut off. */
export function show(value: unknown): string {
  return inspect(value, {
    depth: 20,
    maxArrayLength: 200,
    maxStringLength: 2000,
    sorted: true,
    breakLength: 80,
  });
}

/** `": detail"`, or nothing, as std ends its messages. */
export function suffix(message: string | undefined): string {
  return message === undefined ? "." : `: ${message}`;
}
