/**
 * From values to MessagePack.
 *
 * @module
 */

import { encodeHeartbeat } from "./heartbeat/_heartbeat_bytes.ts";
import { Heartbeat } from "./heartbeat/heartbeat.ts";
import { carry, encode } from "./_msgpack_lite.ts";
import { DATE_EXT_TYPE } from "./_msgpack_decode.ts";
import { MessagePackExtension } from "./message_pack_extension.ts";

/**
 * Encodes one value.
 *
 * @throws {TypeError} If it, or something in it, cannot be encoded.
 * @throws {RangeError} If a bigint has more than 64 bits.
 */
export function encodeMessagePack(value: unknown, maxDepth: number): Uint8Array {
  return encode(prepare(value, maxDepth));
}

/** Matches halves of surrogate pairs only: with the u flag a pair is one character. */
const LONE_SURROGATES = /[\uD800-\uDFFF]/gu;

function wellFormed(text: string): string {
  // Several times quicker than the expression; browsers from before 2023 do not have it.
  return text.isWellFormed?.() ? text : text.replace(LONE_SURROGATES, "\uFFFD");
}

/**
 * msgpack-lite finds the kind of an object by the name of its class and by
 * marks on it, which an object's own keys of these names would fake. A `Map`
 * has no such names.
 */
const MISLEADING_KEYS = ["constructor", "_isUint64BE", "_isInt64BE"];

/**
 * Turns a value into one of what msgpack-lite encodes alike on all runtimes,
 * and refuses what it would silently change: it writes functions as nil, sets
 * and maps as {}, and follows a circle until the stack ends. Copies only where
 * something differs.
 *
 * @param levels How many more levels of arrays and objects may follow.
 */
function prepare(value: unknown, levels: number): unknown {
  switch (typeof value) {
    case "string":
      // Its UTF-8 encoder would swallow the character after half a pair.
      return wellFormed(value);
    case "bigint":
      return carry(int64(value));
    case "function":
    case "symbol":
      throw new TypeError(`Cannot encode the message: a ${typeof value} cannot be sent`);
    case "object":
      return value === null ? null : prepareObject(value, levels);
    default:
      return value;
  }
}

function prepareObject(value: object, levels: number): unknown {
  if (value instanceof Uint8Array) return ownBuffer(value);
  if (value instanceof Date) return carry(ext(DATE_EXT_TYPE, encode(value.getTime())));
  if (value instanceof MessagePackExtension) return carry(ext(value.type, value.data));
  if (value instanceof Heartbeat) return carry(encodeHeartbeat(value));
  if (levels === 0) {
    throw new TypeError("Cannot encode the message: it is nested deeper than maxDepth, or in a circle");
  }
  if (Array.isArray(value)) return prepareArray(value, levels);
  const kind = Object.prototype.toString.call(value).slice("[object ".length, -1);
  if (kind !== "Object") throw new TypeError(`Cannot encode the message: a ${kind} cannot be sent`);
  return prepareRecord(value as Record<string, unknown>, levels);
}

function prepareArray(value: readonly unknown[], levels: number): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let i = 0; i < value.length; i++) {
    const prepared = prepare(value[i], levels - 1);
    if (prepared !== value[i]) (copy ??= value.slice())[i] = prepared;
  }
  return copy ?? value;
}

function prepareRecord(value: Record<string, unknown>, levels: number): unknown {
  let copy: Map<string, unknown> | undefined;
  const keys = Object.keys(value);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    if (key === "__proto__") {
      throw new TypeError('Cannot encode the message: an object has the key "__proto__", which peers refuse');
    }
    const plainKey = wellFormed(key);
    const prepared = prepare(value[key], levels - 1);
    if (copy === undefined) {
      if (prepared === value[key] && plainKey === key && !MISLEADING_KEYS.includes(key)) continue;
      copy = new Map(keys.slice(0, i).map((earlier) => [earlier, value[earlier]]));
    }
    copy.set(plainKey, prepared);
  }
  return copy ?? value;
}

/** Its bytes as an `ArrayBuffer` of the same size, which msgpack-lite writes as bin. */
function ownBuffer({ buffer, byteOffset, byteLength }: Uint8Array): ArrayBuffer {
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) return buffer;
  return Uint8Array.from(new Uint8Array(buffer, byteOffset, byteLength)).buffer;
}

/** The bytes of an ext32: the decoder takes them apart at once, so the shortest form would gain nothing. */
function ext(type: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(6 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0xc9);
  view.setUint32(1, data.length);
  view.setInt8(5, type);
  bytes.set(data, 6);
  return bytes;
}

/** The 9 bytes of a 64-bit integer. */
function int64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(9);
  const view = new DataView(bytes.buffer);
  if (value >= 0n && value < 1n << 64n) {
    view.setUint8(0, 0xcf);
    view.setBigUint64(1, value);
  } else if (value < 0n && value >= -(1n << 63n)) {
    view.setUint8(0, 0xd3);
    view.setBigInt64(1, value);
  } else {
    throw new RangeError(`Cannot encode the message: a bigint must be from -2^63 to 2^64 - 1, got ${value}`);
  }
  return bytes;
}
