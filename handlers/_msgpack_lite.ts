/**
 * The one place that touches msgpack-lite, and what it is told.
 *
 * @module
 */

// @ts-ignore msgpack-lite has no types of its own; what is used of it is declared below.
import untyped from "msgpack-lite";

interface Codec {
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

/** A codec for decoding, with an unpacker for every ext type. */
export interface DecodingCodec {
  /** Decodes a value that has been checked. */
  decode(bytes: Uint8Array): unknown;
}

/** Makes a codec that hands exts to `unpack`, its type as -128 to 127. */
export function decodingCodec(
  int64: boolean,
  unpack: (type: number, data: Uint8Array) => unknown,
): DecodingCodec {
  const codec = msgpack.createCodec({ ...EXACT, int64 });
  for (let type = 0; type < 256; type++) {
    codec.addExtUnpacker(type, (data) => unpack(type << 24 >> 24, data));
  }
  return { decode: (bytes) => msgpack.decode(bytes, { codec }) };
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

const Uint64 = classOf(0xcf);
const Int64 = classOf(0xd3);

/** Whether a decoded value is a 64-bit integer object; its `toString()` has all digits. */
export function isInt64(value: unknown): boolean {
  return value instanceof Uint64 || value instanceof Int64;
}

function classOf(token: number): new () => unknown {
  return (carry(Uint8Array.of(token, 0, 0, 0, 0, 0, 0, 0, 0)) as { constructor: new () => unknown })
    .constructor;
}
