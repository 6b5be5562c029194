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

/** Writes values behind each other into a buffer that it keeps. */
interface Encoder {
  /** Only there once something was written. */
  readonly buffer?: Uint8Array;
  /** What was written and not read: from here ... */
  start: number;
  /** ... to here. */
  offset: number;
  write(value: unknown): void;
  /** A copy of what was written and not read. */
  read(): Uint8Array;
}

interface MsgpackLite {
  readonly Encoder: new (options: { readonly codec: Codec }) => Encoder;
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
const codec = msgpack.createCodec({ ...EXACT, usemap: true });
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

/** What one long message made of the encoder's buffer is not kept for all the short ones that follow. */
const KEPT_BYTES = 65_536;

/** Undefined while it is in use. Its own `encode()` would clear two kilobytes for each message. */
let idleEncoder: Encoder | undefined = new msgpack.Encoder({ codec });

/** Encodes a value made of what msgpack-lite knows and of {@linkcode carry}'s results. */
export function encode(value: unknown): Uint8Array {
  // Where a getter of the value encodes something, or failed in the middle, the encoder is not there.
  const encoder = idleEncoder ?? new msgpack.Encoder({ codec });
  idleEncoder = undefined;
  encoder.write(value);
  const bytes = encoder.read();
  if (encoder.buffer!.length <= KEPT_BYTES) {
    encoder.start = encoder.offset = 0;
    idleEncoder = encoder;
  }
  return bytes;
}

/**
 * Makes an object of bytes that are a MessagePack ext or 64-bit integer, which
 * encodes to the same again. msgpack-lite exports no way to make one but its
 * decoder.
 */
export function carry(bytes: Uint8Array): unknown {
  return msgpack.decode(bytes, { codec: carrier });
}
