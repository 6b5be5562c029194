/**
 * Names in the log and on the wire.
 *
 * @module
 */

/** The stream of what a client writes. */
export function upOf(client: number): string {
  return `up${client + 1}`;
}

/** The stream of what the server writes to a client. */
export function downOf(client: number): string {
  return `down${client + 1}`;
}

/** A client's name in the log. */
export function nameOf(client: number): string {
  return `client ${client + 1}`;
}
