/**
 * What is read by ourselves and not by msgpack-lite.
 *
 * @module
 */

import type { Cursor, Reader } from "./_msgpack_lite.ts";

/** U+FFFD for what is no UTF-8; a byte order mark is a character like any other. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
/** Up to here a loop is quicker, and what it makes is one flat string. */
const SHORT_TEXT_BYTES = 12;

/**
 * Strings. msgpack-lite adds up one character after the other, which leaves 32
 * bytes of memory for each byte of a long text. And it reads on beyond the end
 * of a text that ends within a character.
 */
function readText(cursor: Cursor): string {
  const length = readLength(cursor, 0xd9);
  const from = cursor.reserve(length);
  const { buffer } = cursor;
  const to = from + length;
  if (length > SHORT_TEXT_BYTES) return utf8.decode(buffer.subarray(from, to));
  let text = "";
  for (let i = from; i < to; i++) {
    const byte = buffer[i]!;
    if (byte >= 0x80) return utf8.decode(buffer.subarray(from, to));
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Byte strings: a `Uint8Array` of its own, on all runtimes. */
function readBytes(cursor: Cursor): Uint8Array {
  const length = readLength(cursor, 0xc4);
  const from = cursor.reserve(length);
  return cursor.buffer.slice(from, from + length);
}

/** 64-bit integers: a number where that holds all digits, otherwise a bigint. */
function readWide(cursor: Cursor): number | bigint {
  const at = cursor.reserve(9);
  const unsignedHigh = readUnsigned(cursor.buffer, at + 1, 4);
  const high = cursor.buffer[at] === 0xd3 ? unsignedHigh | 0 : unsignedHigh;
  const low = readUnsigned(cursor.buffer, at + 5, 4);
  const value = high * 2 ** 32 + low;
  return Number.isSafeInteger(value) ? value : BigInt(high) << 32n | BigInt(low);
}

/**
 * The length: in a short string's first byte itself, otherwise in the 1, 2 or 4 bytes after it.
 *
 * @param first The first byte where it is in one byte.
 */
function readLength(cursor: Cursor, first: number): number {
  const token = cursor.buffer[cursor.reserve(1)]!;
  if (token < 0xc0) return token & 0x1f;
  const size = 1 << token - first;
  return readUnsigned(cursor.buffer, cursor.reserve(size), size);
}

function readUnsigned(bytes: Uint8Array, from: number, size: number): number {
  let value = 0;
  for (let i = from; i < from + size; i++) value = value * 256 + bytes[i]!;
  return value;
}

/** By a value's first byte. */
export const READERS: readonly (Reader | undefined)[] = Array.from({ length: 256 }, (_, token) => {
  if (token >= 0xa0 && token < 0xc0 || token >= 0xd9 && token <= 0xdb) return readText;
  if (token >= 0xc4 && token <= 0xc6) return readBytes;
  return token === 0xcf || token === 0xd3 ? readWide : undefined;
});
