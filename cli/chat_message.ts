/**
 * The protocol of the chat that `serve`, `connect` and the demo speak: objects
 * with one number each, in MessagePack. That none is lost or comes twice is
 * the session's business.
 *
 * @module
 */

/** A client's message; `message` is its number. */
export interface Message {
  readonly message: number;
}

/** A server's push; `push` is its number. */
export interface Push {
  readonly push: number;
}

/** The number of a client's message, or undefined if it makes no sense. */
export function messageNumber(value: unknown): number | undefined {
  return numberIn(value, "message");
}

/** The number of a server's push, or undefined if it makes no sense. */
export function pushNumber(value: unknown): number | undefined {
  return numberIn(value, "push");
}

function numberIn(value: unknown, field: string): number | undefined {
  const number = typeof value === "object" && value !== null
    ? (value as Record<string, unknown>)[field]
    : undefined;
  return Number.isSafeInteger(number) && (number as number) >= 1 ? number as number : undefined;
}
