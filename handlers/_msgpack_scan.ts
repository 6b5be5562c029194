/**
 * Checks MessagePack bytes before anything is made of them.
 *
 * @module
 */

import { DecodeError } from "./errors.ts";

/**
 * Walks the bytes of one value without making anything. msgpack-lite believes
 * every length, nests as deep as it is told, ignores what comes after the
 * value, and assigns any key of a map.
 *
 * @param bytes The message.
 * @param maxDepth How deep arrays and maps may be nested.
 * @throws {DecodeError} If it is not exactly one well-formed value within the limits.
 */
export function scanMessagePack(bytes: Uint8Array, maxDepth: number): void {
  const scanner = new Scanner(bytes, maxDepth);
  scanner.value(0);
  if (scanner.at < bytes.length) {
    throw malformed(`${bytes.length - scanner.at} bytes follow the value of ${scanner.at} bytes`);
  }
}

const PROTO = "__proto__";
const utf8 = new TextDecoder("utf-8", { fatal: true });

class Scanner {
  at = 0;

  constructor(readonly bytes: Uint8Array, readonly maxDepth: number) {}

  value(depth: number): void {
    const token = this.unsigned(1);
    if (token < 0x80 || token >= 0xe0) return;
    if (token < 0x90) return this.map(token & 0x0f, depth);
    if (token < 0xa0) return this.array(token & 0x0f, depth);
    if (token < 0xc0) return this.skip(token & 0x1f);
    switch (token) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return;
      case 0xc4: // bin
      case 0xc5:
      case 0xc6:
        return this.skip(this.unsigned(1 << token - 0xc4));
      case 0xc7: // ext
      case 0xc8:
      case 0xc9:
        return this.skip(1 + this.unsigned(1 << token - 0xc7));
      case 0xca: // float
        return this.skip(4);
      case 0xcb: // and integers of 64 bits
      case 0xcf:
      case 0xd3:
        return this.skip(8);
      case 0xcc: // unsigned
      case 0xcd:
      case 0xce:
        return this.skip(1 << token - 0xcc);
      case 0xd0: // signed
      case 0xd1:
      case 0xd2:
        return this.skip(1 << token - 0xd0);
      case 0xd4: // fixext 1, 2, 4, 8, 16
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.skip(1 + (1 << token - 0xd4));
      case 0xd9: // str
      case 0xda:
      case 0xdb:
        return this.skip(this.unsigned(1 << token - 0xd9));
      case 0xdc:
      case 0xdd:
        return this.array(this.unsigned(token === 0xdc ? 2 : 4), depth);
      case 0xde:
      case 0xdf:
        return this.map(this.unsigned(token === 0xde ? 2 : 4), depth);
      default:
        throw malformed(
          `0x${token.toString(16)} at byte ${this.at - 1} begins no value` +
            // The first mistake that is made with sessions, and a riddle without these words.
            (token === 0xc1 && this.at === 1
              ? "; does the peer speak of a session, and nobody here has one?"
              : ""),
        );
    }
  }

  array(count: number, depth: number): void {
    this.enter(count, depth);
    for (let i = 0; i < count; i++) this.value(depth + 1);
  }

  map(count: number, depth: number): void {
    this.enter(2 * count, depth);
    for (let i = 0; i < count; i++) {
      this.key();
      this.value(depth + 1);
    }
  }

  /** @param least The fewest bytes that its parts can have. */
  enter(least: number, depth: number): void {
    if (depth >= this.maxDepth) throw malformed(`it is nested deeper than maxDepth ${this.maxDepth}`);
    this.require(least);
  }

  /**
   * Keys become property names. Byte strings, arrays and exts would be turned
   * into text for that, behind which any name could hide.
   */
  key(): void {
    this.require(1);
    const start = this.at;
    const token = this.bytes[start]!;
    if (token >= 0xa0 && token < 0xc0 || token >= 0xd9 && token <= 0xdb) {
      this.value(0);
      const prefix = token < 0xc0 ? 1 : 1 + (1 << token - 0xd9);
      this.name(start + prefix);
    } else if (token < 0x80 || token >= 0xe0 || token >= 0xcc && token <= 0xd3) {
      this.value(0);
    } else {
      throw malformed(
        `a map's key must be a string or an integer, got 0x${token.toString(16)} at byte ${start}`,
      );
    }
  }

  /** A lenient decoder reads overlong UTF-8 too, so a key that is no plain ASCII must be well-formed. */
  name(from: number): void {
    const length = this.at - from;
    let isPlain = true;
    let isProto = length === PROTO.length;
    for (let i = 0; i < length; i++) {
      const byte = this.bytes[from + i]!;
      if (byte >= 0x80) isPlain = false;
      if (isProto && byte !== PROTO.charCodeAt(i)) isProto = false;
    }
    if (isProto) throw malformed(`a map has the key "${PROTO}" at byte ${from}`);
    if (isPlain) return;
    try {
      utf8.decode(this.bytes.subarray(from, this.at));
    } catch (cause) {
      throw new DecodeError("message", `a map's key at byte ${from} is no UTF-8`, { cause });
    }
  }

  unsigned(size: number): number {
    this.require(size);
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + this.bytes[this.at++]!;
    return value;
  }

  skip(count: number): void {
    this.require(count);
    this.at += count;
  }

  require(count: number): void {
    const left = this.bytes.length - this.at;
    if (count > left) throw malformed(`it needs ${count} more bytes at byte ${this.at} and has ${left}`);
  }
}

function malformed(detail: string): DecodeError {
  return new DecodeError("message", detail);
}
