/**
 * The protocol of the chat that `serve`, `connect` and the demo speak: objects
 * with one number or name each, in MessagePack.
 *
 * @module
 */

/** Says who the client is; first on each link. */
export interface Join {
  readonly join: string;
}

/** A client's message; `message` is its number. */
export interface Message {
  readonly message: number;
}

/** The client has handed over all pushes up to this number. */
export interface Confirm {
  readonly confirm: number;
}

/** The server's answer to a join: which server it is, since another one counts anew. */
export interface Welcome {
  readonly welcome: string;
}

/** A server's push; `push` is its number. */
export interface Push {
  readonly push: number;
}

const MAX_NAME_LENGTH = 64;

/**
 * Makes sense of what a client said.
 *
 * @returns It, or undefined if it makes none.
 */
export function fromClient(value: unknown): Join | Message | Confirm | undefined {
  const { join, message, confirm } = fieldsOf(value);
  if (isName(join)) return { join };
  if (isNumber(message)) return { message };
  return isNumber(confirm) ? { confirm } : undefined;
}

/**
 * Makes sense of what a server said.
 *
 * @returns It, or undefined if it makes none.
 */
export function fromServer(value: unknown): Welcome | Push | undefined {
  const { welcome, push } = fieldsOf(value);
  if (isName(welcome)) return { welcome };
  return isNumber(push) ? { push } : undefined;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length >= 1 && value.length <= MAX_NAME_LENGTH;
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}
