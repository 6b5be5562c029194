/**
 * Messages to and from MessagePack.
 *
 * @module
 */

import type { ChannelHandler, ChannelHandlerContext, ChannelPromise } from "../pipeline/mod.ts";
import { DecodeError } from "./errors.ts";
import { decodeHeartbeat, encodeHeartbeat } from "./heartbeat/_heartbeat_bytes.ts";
import { Heartbeat } from "./heartbeat/heartbeat.ts";
import { decodeMessagePack } from "./_msgpack_decode.ts";
import { encodeMessagePack } from "./_msgpack_encode.ts";
import { scanMessagePack } from "./_msgpack_scan.ts";
import type { SessionLostEvent } from "./session/session_event.ts";

/**
 * Options of a {@linkcode MessagePackCodec}.
 *
 * @example Messages that are never deep
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { DecodeError, EmbeddedChannel, MessagePackCodec, type MessagePackCodecOptions } from "@longlink/pipeline";
 *
 * const options: MessagePackCodecOptions = { maxDepth: 2 };
 * const channel = new EmbeddedChannel({ handlers: [new MessagePackCodec(options)] });
 * channel.writeInbound(new Uint8Array([0x91, 0x91, 1])); // [[1]]
 * assertThrows(() => channel.writeInbound(new Uint8Array([0x91, 0x91, 0x91, 1])), DecodeError); // [[[1]]]
 * ```
 */
export interface MessagePackCodecOptions {
  /** How deep arrays and objects may be nested, both ways, 1 to 512. Default: 64. */
  readonly maxDepth?: number;
  /**
   * Makes MessagePack of a value, in place of msgpack-lite: `pack` of msgpackr, `encode` of
   * `@msgpack/msgpack`. What it does with a value is then its own affair, `maxDepth` included. It is not
   * asked for a {@linkcode Heartbeat}. One message must be one MessagePack value, so msgpackr's records
   * must be off, as they are in its `pack`. Default: msgpack-lite, which encodes at a third to a fifth of
   * msgpackr's speed.
   */
  readonly encode?: (value: unknown) => Uint8Array;
  /**
   * Makes a value of MessagePack, in place of msgpack-lite: `unpack` of msgpackr, `decode` of
   * `@msgpack/msgpack`. The bytes were checked before, as always. What it throws is a
   * {@linkcode DecodeError}. Default: msgpack-lite.
   */
  readonly decode?: (bytes: Uint8Array) => unknown;
}

/**
 * Makes a `Uint8Array` of each written value, and a value of each `Uint8Array`
 * that arrives: one message is one MessagePack value. Values are null,
 * booleans, numbers, bigints, strings, `Uint8Array` (bin), arrays, plain
 * objects, dates, and {@linkcode MessagePackExtension} for ext types that the
 * codec does not know. `undefined` arrives as null. An integer beyond
 * +-(2^53 - 1) arrives as a bigint, any other as a number; a bigint is written
 * as a 64-bit integer. Dates are written as msgpack-lite does (ext 0x0d) and
 * also read as MessagePack's own timestamps; one beyond what a `Date` holds
 * arrives as an invalid date. {@linkcode Heartbeat} values travel as ext 0x4c.
 * Half a surrogate pair is written as U+FFFD, and what is no UTF-8 in a string
 * is read as such. -0 is written as 0.
 *
 * Bytes are checked before anything is made of them: lengths against what is
 * there, depth, and the keys of maps, which must be strings or integers and
 * never `__proto__`. What fails, and text where bytes are due, is a
 * {@linkcode DecodeError}: it goes to `exceptionCaught` and the link is
 * dropped with the reason `protocol`, since going on would lose a message
 * silently. Inbound messages of other types pass through.
 *
 * A value that cannot be encoded (a function, a symbol, a `Map` or `Set`,
 * something circular) fails that write alone with a `TypeError`, a bigint of
 * more than 64 bits with a `RangeError`.
 *
 * @example There and back
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, MessagePackCodec } from "@longlink/pipeline";
 *
 * const channel = new EmbeddedChannel({ handlers: [new MessagePackCodec()] });
 * channel.writeOutbound({ text: "hi" });
 * const bytes = channel.readOutbound();
 * assertEquals(bytes, new Uint8Array([0x81, 0xa4, 0x74, 0x65, 0x78, 0x74, 0xa2, 0x68, 0x69]));
 * channel.writeInbound(bytes);
 * assertEquals(channel.readInbound(), { text: "hi" });
 * ```
 *
 * @example Another encoder
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EmbeddedChannel, MessagePackCodec } from "@longlink/pipeline";
 *
 * // With msgpackr: { encode: pack, decode: unpack }. These two know the numbers from 0 to 127.
 * const codec = new MessagePackCodec({
 *   encode: (value) => Uint8Array.of(Number(value)),
 *   decode: (bytes) => bytes[0],
 * });
 * const channel = new EmbeddedChannel({ handlers: [codec] });
 * channel.writeOutbound(7);
 * channel.writeInbound(channel.readOutbound());
 * assertEquals(channel.readInbound(), 7);
 * ```
 */
export class MessagePackCodec implements ChannelHandler {
  /** It has no state of a channel, so one instance serves any number. */
  readonly isSharable = true;
  readonly #encode: (value: unknown) => Uint8Array;
  readonly #decode: (bytes: Uint8Array) => unknown;
  #errors = 0;

  /**
   * Makes a codec.
   *
   * @param options Its limit, and another encoder.
   * @throws {RangeError} If the limit is out of range.
   */
  constructor(options: MessagePackCodecOptions = {}) {
    const { maxDepth = 64, encode, decode } = options;
    if (!(Number.isInteger(maxDepth) && maxDepth >= 1 && maxDepth <= 512)) {
      throw new RangeError(
        `Cannot make the MessagePackCodec: maxDepth must be from 1 to 512, got ${maxDepth}`,
      );
    }
    this.#encode = encode === undefined
      ? (value) => encodeMessagePack(value, maxDepth)
      : encodingWith(encode);
    this.#decode = decode === undefined
      ? (bytes) => decodeMessagePack(bytes, maxDepth)
      : decodingWith(decode, maxDepth);
  }

  /** How often a peer sent what cannot be decoded, over all channels of this instance. */
  get errors(): number {
    return this.#errors;
  }

  /** Decodes bytes and hands the value on. */
  channelRead(context: ChannelHandlerContext, message: unknown): void {
    let value = message;
    if (message instanceof Uint8Array) {
      try {
        value = this.#decode(message);
      } catch (error) {
        this.#refuse(context, error as Error);
        return;
      }
    } else if (typeof message === "string") {
      this.#refuse(context, new DecodeError("message", "text came where bytes are due"));
      return;
    }
    context.fireChannelRead(value);
  }

  /** Encodes the value and passes the bytes on. */
  write(context: ChannelHandlerContext, message: unknown, promise: ChannelPromise): void {
    context.write(message instanceof Heartbeat ? encodeHeartbeat(message) : this.#encode(message), promise);
  }

  /** Makes values again of the messages that a lost session gives back. */
  userEventTriggered(context: ChannelHandlerContext, event: unknown): void {
    const lost = event as SessionLostEvent;
    if (lost?.type !== "sessionLost") return context.fireUserEventTriggered(event);
    const unconfirmed = lost.unconfirmed.map((message) =>
      message instanceof Uint8Array ? this.#decode(message) : message
    );
    context.fireUserEventTriggered({ ...lost, unconfirmed } satisfies SessionLostEvent);
  }

  #refuse(context: ChannelHandlerContext, error: Error): void {
    this.#errors++;
    context.fireExceptionCaught(error);
    context.channel.drop("protocol", error);
  }
}

function encodingWith(encode: (value: unknown) => Uint8Array): (value: unknown) => Uint8Array {
  return (value) => {
    const bytes: unknown = encode(value);
    if (bytes instanceof Uint8Array) return bytes;
    // Further down it would be taken for a message of the application's own.
    throw new TypeError(`Cannot encode the message: encode must return a Uint8Array, got ${typeof bytes}`);
  };
}

function decodingWith(
  decode: (bytes: Uint8Array) => unknown,
  maxDepth: number,
): (bytes: Uint8Array) => unknown {
  return (bytes) => {
    // Other decoders believe lengths and keys as well.
    scanMessagePack(bytes, maxDepth);
    const heartbeat = decodeHeartbeat(bytes);
    if (heartbeat !== undefined) return heartbeat;
    try {
      return decode(bytes);
    } catch (cause) {
      throw new DecodeError("message", "the given decode function failed", { cause });
    }
  };
}
