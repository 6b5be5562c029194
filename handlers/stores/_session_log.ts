/**
 * A session as a log of bytes: a snapshot, then one frame for each batch of
 * changes.
 *
 * ```text
 * frame     "LLS1" | CRC-32 of all that follows, 4 bytes | length of the payload, 4 bytes | payload
 * snapshot  1 | length of the JSON, 4 bytes | JSON {version, key, id, token} | body
 * change    2 | body
 * body      links, received, acknowledged, atMs, 8 bytes each | number of messages, 4 bytes
 *           | for each message: its length, 4 bytes, and its bytes
 * ```
 *
 * All numbers are big-endian, those of 8 bytes IEEE 754. The numbers of a
 * change are what holds after it, so a frame may stand for many changes.
 *
 * @module
 */

import { crc32 } from "./_crc32.ts";
import { changed, problemOf, type SessionCounts, shown } from "./_session_record.ts";
import type { SessionRecord } from "./session_store.ts";

/** What a log says. */
export interface SessionLog {
  readonly key: string;
  readonly record: SessionRecord;
}

const VERSION = 1;
const MAGIC = 0x4c4c5331;
const HEADER_BYTES = 12;
const COUNTS_BYTES = 36;
const SNAPSHOT = 1;
const CHANGE = 2;

/** The frame that a log begins with. */
export function encodeSnapshot(key: string, record: SessionRecord): Uint8Array {
  const { id, token, messages } = record;
  const head = new TextEncoder().encode(JSON.stringify({ version: VERSION, key, id, token }));
  const start = HEADER_BYTES + 5 + head.length;
  const frame = new Uint8Array(start + bodyBytes(messages));
  frame[HEADER_BYTES] = SNAPSHOT;
  new DataView(frame.buffer).setUint32(HEADER_BYTES + 1, head.length);
  frame.set(head, HEADER_BYTES + 5);
  return finished(frame, start, record, messages);
}

/** The frame of some changes: the numbers after them, and the messages that they add. */
export function encodeChange(counts: SessionCounts, messages: readonly Uint8Array[]): Uint8Array {
  const start = HEADER_BYTES + 1;
  const frame = new Uint8Array(start + bodyBytes(messages));
  frame[HEADER_BYTES] = CHANGE;
  return finished(frame, start, counts, messages);
}

/**
 * Reads a log. What a process left behind that died while it wrote, or what a
 * power cut made of it, is the last frame: it is as if it had never been.
 *
 * @throws {TypeError} If it begins with no snapshot of this version, or is damaged before its last frame.
 */
export function decodeLog(bytes: Uint8Array): SessionLog {
  const first = payloadAt(bytes, 0);
  if (first?.[0] !== SNAPSHOT) throw new TypeError("it does not begin with a session");
  const { key, record } = snapshotOf(first);
  let counts: SessionCounts = record;
  const messages = [...record.messages];
  let at = HEADER_BYTES + first.length;
  for (let payload = payloadAt(bytes, at); payload !== undefined; payload = payloadAt(bytes, at)) {
    if (payload[0] !== CHANGE) throw new TypeError(`at byte ${at} is no change, but ${payload[0]}`);
    const change = bodyOf(payload, 1);
    const next = changed(key, counts, messages.length, change);
    for (const message of change.messages) messages.push(message);
    messages.splice(0, next.acknowledged - counts.acknowledged);
    counts = next;
    at += HEADER_BYTES + payload.length;
  }
  const later = nextFrame(bytes, at + 1);
  if (later !== undefined) throw new TypeError(`bytes ${at} to ${later} are damaged`);
  return { key, record: { ...record, ...counts, messages } };
}

function bodyBytes(messages: readonly Uint8Array[]): number {
  return messages.reduce((sum, message) => sum + 4 + message.length, COUNTS_BYTES);
}

/** Writes the body, and then the header, whose checksum needs it. */
function finished(
  frame: Uint8Array<ArrayBuffer>,
  start: number,
  counts: SessionCounts,
  messages: readonly Uint8Array[],
): Uint8Array {
  const view = new DataView(frame.buffer);
  view.setFloat64(start, counts.links);
  view.setFloat64(start + 8, counts.received);
  view.setFloat64(start + 16, counts.acknowledged);
  view.setFloat64(start + 24, counts.atMs);
  view.setUint32(start + 32, messages.length);
  let at = start + COUNTS_BYTES;
  for (const message of messages) {
    view.setUint32(at, message.length);
    frame.set(message, at + 4);
    at += 4 + message.length;
  }
  view.setUint32(0, MAGIC);
  view.setUint32(8, frame.length - HEADER_BYTES);
  view.setUint32(4, checksumOf(frame));
  return frame;
}

/** Of the length, too: one that lies must not go unnoticed. */
function checksumOf(frame: Uint8Array): number {
  return crc32(frame.subarray(8));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What a frame carries; undefined if no whole frame is there. */
function payloadAt(bytes: Uint8Array, at: number): Uint8Array | undefined {
  if (at + HEADER_BYTES > bytes.length) return undefined;
  const view = viewOf(bytes);
  const end = at + HEADER_BYTES + view.getUint32(at + 8);
  if (view.getUint32(at) !== MAGIC || end > bytes.length) return undefined;
  const frame = bytes.subarray(at, end);
  return checksumOf(frame) === view.getUint32(at + 4) ? frame.subarray(HEADER_BYTES) : undefined;
}

/** Where the next whole frame begins: what is broken before it was not the last thing written. */
function nextFrame(bytes: Uint8Array, from: number): number | undefined {
  for (let at = bytes.indexOf(MAGIC >>> 24, from); at >= 0; at = bytes.indexOf(MAGIC >>> 24, at + 1)) {
    if (payloadAt(bytes, at) !== undefined) return at;
  }
  return undefined;
}

function snapshotOf(payload: Uint8Array): SessionLog {
  const length = viewOf(payload).getUint32(1);
  const head = JSON.parse(new TextDecoder().decode(payload.subarray(5, 5 + length)));
  const { version, key, id, token } = head as Record<string, string | undefined>;
  if ((version as unknown) !== VERSION) {
    throw new TypeError(`its version must be ${VERSION}, got ${shown(version)}`);
  }
  const record = { id, token, ...bodyOf(payload, 5 + length) } as SessionRecord;
  const problem = problemOf(record);
  if (problem !== undefined) throw new TypeError(problem);
  return { key: key!, record };
}

/** @throws {RangeError} If a length leads beyond the payload. */
function bodyOf(payload: Uint8Array, start: number): SessionCounts & { messages: Uint8Array[] } {
  const view = viewOf(payload);
  const counts = {
    links: view.getFloat64(start),
    received: view.getFloat64(start + 8),
    acknowledged: view.getFloat64(start + 16),
    atMs: view.getFloat64(start + 24),
  };
  const messages: Uint8Array[] = [];
  let at = start + COUNTS_BYTES;
  for (let left = view.getUint32(start + 32); left > 0; left--) {
    const length = view.getUint32(at);
    if (at + 4 + length > payload.length) throw new RangeError(`a message of ${length} bytes is cut off`);
    // A copy: a few bytes that wait must not hold the whole file in memory, as a Buffer's slice() does.
    messages.push(new Uint8Array(payload.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return { ...counts, messages };
}
