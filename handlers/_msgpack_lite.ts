/**
 * The one place that touches msgpack-lite, and what it is told.
 *
 * @module
 */

// @ts-ignore msgpack-lite has no types of its own; what is used of it is declared below.
import untyped from "msgpack-lite";

/** Where msgpack-lite's decoder stands in a message. */
export interface Cursor {
  /** The message. */
  readonly buffer: Uint8Array;
  /** Where it reads next. */
  readonly offset: number;
  /** Goes on by so many bytes, and says where they begin. */
  reserve(count: number): number;
}

interface Codec {
  decode(cursor: Cursor): unknown;
  addExtUnpacker(type: number, unpack: (data: Uint8Array) => unknown): void;
}

interface MsgpackLite {
  encode(value: unknown, options: { readonly codec: Codec }): Uint8Array;
  decode(bytes: Uint8Array, options: { readonly codec: Codec }): unknown;
  createCodec(options: CodecOptions): Codec;
}

interface CodecOptions {
  /** Work on Uint8Array even where there is a Buffer: the result is then of its exact size. */
  readonly uint8array: boolean;
  /** Bin is ArrayBuffer on all runtimes; otherwise it would be Buffer on some and a map on others. */
  readonly binarraybuffer: boolean;
  /** A `Map` is written as a map. */
  readonly usemap?: boolean;
  /** 64-bit integers are decoded to objects that keep all digits. */
  readonly int64?: boolean;
}

const msgpack: MsgpackLite = untyped;

// No codec has msgpack-lite's preset: that would make errors and regular
// expressions out of what a peer sends, and decode exts that nobody checked.
const EXACT: CodecOptions = { uint8array: true, binarraybuffer: true };
const encoder = msgpack.createCodec({ ...EXACT, usemap: true });
const carrier = msgpack.createCodec({ ...EXACT, int64: true });

/** Reads one value, whose first byte is the next one. */
export type Reader = (cursor: Cursor) => unknown;

/**
 * Makes a decoder for values that have been checked.
 *
 * @param readers What reads in msgpack-lite's place, by a value's first byte.
 * @param unpack Makes a value of an ext; its type is -128 to 127.
 */
export function decoder(
  readers: readonly (Reader | undefined)[],
  unpack: (type: number, data: Uint8Array) => unknown,
): (bytes: Uint8Array) => unknown {
  const codec = msgpack.createCodec(EXACT);
  for (let type = 0; type < 256; type++) {
    codec.addExtUnpacker(type, (data) => unpack(type << 24 >> 24, data));
  }
  // The parts of arrays and maps come through the codec's decode() as well.
  const readOther = codec.decode;
  codec.decode = (cursor) => (readers[cursor.buffer[cursor.offset]!] ?? readOther)(cursor);
  return (bytes) => msgpack.decode(bytes, { codec });
}

/** Encodes a value made of what msgpack-lite knows and of {@linkcode carry}'s results. */
export function encode(value: unknown): Uint8Array {
  return msgpack.encode(value, { codec: encoder });
}

/**
 * Makes an object of bytes that are a MessagePack ext or 64-bit integer, which
 * encodes to the same again. msgpack-lite exports no way to make one but its
 * decoder.
 */
export function carry(bytes: Uint8Array): unknown {
  return msgpack.decode(bytes, { codec: carrier });
}
