/**
 * What makes a session usable, and what a change makes of it.
 *
 * @module
 */

import type { SessionChange, SessionOutline, SessionRecord } from "./session_store.ts";

/** The last moment that a date can name, ms since 1970 (ECMA-262). */
const LAST_MOMENT_MS = 8.64e15;

/** What of a session is numbers, and changes. */
export type SessionCounts = Pick<SessionRecord, "links" | "received" | "acknowledged" | "atMs">;

/**
 * Says what is wrong with something read from a store.
 *
 * @param value What was read.
 * @returns The first thing that is wrong, or undefined if it is a session.
 */
export function problemOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return `it must be an object, got ${shown(value)}`;
  const { id, token, links, received, acknowledged, messages, atMs } = value as Record<
    keyof SessionRecord,
    unknown
  >;
  if (!isHex(id, 32)) return `id must be 32 hexadecimal digits, got ${shown(id)}`;
  // Not shown: whoever reads the error must not learn it.
  if (!isHex(token, 64)) return `token must be 64 hexadecimal digits, got something else`;
  for (const [name, number] of Object.entries({ links, received, acknowledged })) {
    if (!isCount(number)) return `${name} must be a whole number of 0 or more, got ${shown(number)}`;
  }
  if (!Array.isArray(messages)) return `messages must be a list, got ${shown(messages)}`;
  const other = messages.findIndex((message) => !(message instanceof Uint8Array));
  if (other >= 0) return `messages[${other}] must be bytes, got ${shown(messages[other])}`;
  return isMoment(atMs) ? undefined : `atMs must be from 0 to ${LAST_MOMENT_MS}, got ${shown(atMs)}`;
}

/**
 * Takes what a caller wants kept.
 *
 * @returns A copy, except for the bytes of the messages.
 * @throws {TypeError} If the key is empty or the record none.
 */
export function checkedNew(key: string, record: SessionRecord): SessionRecord {
  const problem = typeof key !== "string" || key === ""
    ? `its key must be text that is not empty, got ${shown(key)}`
    : problemOf(record);
  if (problem !== undefined) throw new TypeError(`Cannot keep the session ${shown(key)}: ${problem}`);
  const { id, token, links, received, acknowledged, messages, atMs } = record;
  return { id, token, links, received, acknowledged, messages: [...messages], atMs };
}

/**
 * What a change makes of a session's numbers. Of the messages that are there
 * and those that the change adds, those up to the new `acknowledged` go.
 *
 * @param key The session's key, for the error.
 * @param counts The numbers so far.
 * @param kept How many messages are there.
 * @param change What changed.
 * @throws {RangeError} If a number goes back, or acknowledges what was never there.
 * @throws {TypeError} If a message is no bytes.
 */
export function changed(
  key: string,
  counts: SessionCounts,
  kept: number,
  change: SessionChange,
): SessionCounts {
  const { links = counts.links, received = counts.received, acknowledged = counts.acknowledged, atMs } =
    change;
  const { messages = [] } = change;
  const other = messages.findIndex((message) => !(message instanceof Uint8Array));
  if (other >= 0) {
    throw new TypeError(
      `Cannot update the session ${shown(key)}: messages[${other}] must be bytes, got ${
        shown(messages[other])
      }`,
    );
  }
  const last = counts.acknowledged + kept + messages.length;
  checkFrom(key, "links", counts.links, links, Number.MAX_SAFE_INTEGER);
  checkFrom(key, "received", counts.received, received, Number.MAX_SAFE_INTEGER);
  checkFrom(key, "acknowledged", counts.acknowledged, acknowledged, last);
  if (!isMoment(atMs)) {
    throw new RangeError(
      `Cannot update the session ${shown(key)}: atMs must be from 0 to ${LAST_MOMENT_MS}, got ${shown(atMs)}`,
    );
  }
  return { links, received, acknowledged, atMs };
}

/** What a claimer is asked about. */
export function outlineOf({ messages, ...rest }: SessionRecord): SessionOutline {
  return { ...rest, last: rest.acknowledged + messages.length };
}

/**
 * The claim of a session that is new to its store; later claims count up from
 * it. By chance, lest a holder of an earlier session of the same key, which was
 * removed, take the new one for its own.
 */
export function firstClaim(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2)) as unknown as [number, number];
  return 1 + (high % 2 ** 16) * 2 ** 32 + low;
}

/** A value for an error, not longer than is good for it. */
export function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : String(value);
}

function checkFrom(key: string, name: string, least: number, value: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
  throw new RangeError(
    `Cannot update the session ${shown(key)}: ${name} must be a whole number ${range}, got ${shown(value)}`,
  );
}

function isHex(value: unknown, digits: number): boolean {
  return typeof value === "string" && value.length === digits && /^[0-9a-f]*$/i.test(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isMoment(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value <= LAST_MOMENT_MS;
}
